//! The pages of leads: one struct per template, display logic as methods. Templates escape every value.

mod told;

pub use told::{ChangeView, ConflictField, ConflictPage, ConflictRow, ConflictView, EntryView, Shown};

use askama::Template;

use super::domain::{Lead, LeadField, LeadId, Score, Status, Stock};
use super::forms::{Edit, ListQuery, Messages, Texts};
use super::list::{LeadPage, ListRequest};
use super::store::HistoryPage;
use crate::base::identity::Actor;
use crate::base::values::{Email, Name, OrderId, UsState};
use crate::web::pages::{DisplayTime, PageContext};

/// One of the values that a field may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The value, as forms send it.
    pub value: &'static str,
    /// The words for people.
    pub label: &'static str,
}

fn statuses() -> Vec<Choice> {
    Status::ALL.iter().map(|status| Choice { value: status.as_str(), label: status.label() }).collect()
}

fn states() -> Vec<Choice> {
    let choice = |state: UsState| Choice { value: state.as_str(), label: state.name() };
    let mut states: Vec<Choice> = UsState::all().map(choice).collect();
    states.sort_by_key(|choice| choice.label);
    states
}

/// A field's value for people: `Qualified` for `QUALIFIED`, the empty text for nothing.
fn label(field: LeadField, text: &str) -> String {
    match field {
        LeadField::Status => text.parse().map_or_else(|_| text.to_owned(), |s: Status| s.label().to_owned()),
        LeadField::Stock => text.parse().map_or_else(|_| text.to_owned(), |s: Stock| s.label().to_owned()),
        _ => text.to_owned(),
    }
}

/// A lead as pages show it.
#[derive(Debug, Clone)]
pub struct LeadView {
    /// The id.
    pub id: LeadId,
    /// The name.
    pub name: Name,
    /// The e-mail address.
    pub email: Email,
    /// The state's code, or the empty text.
    pub state: &'static str,
    /// The score.
    pub lead_score: Score,
    /// The status.
    pub status: Status,
    /// The stock.
    pub stock: Stock,
    /// The order that has it or was given it.
    pub order: Option<OrderId>,
    /// The version.
    pub version: u64,
    /// When it was last changed.
    pub updated: DisplayTime,
    /// Who changed it last.
    pub updated_by: Actor,
    /// When it was created.
    pub created: DisplayTime,
    /// Whether it comes back from an edit, so that the keyboard goes on at its button.
    pub focus: bool,
}

impl LeadView {
    /// Whether it waits until an agent puts it back in stock.
    pub fn is_withheld(&self) -> bool {
        self.stock == Stock::Withheld
    }

    /// A lead among others.
    pub fn of(lead: Lead) -> Self {
        Self {
            id: lead.id,
            name: lead.name,
            email: lead.email,
            state: lead.state.map_or("", |state| state.as_str()),
            lead_score: lead.lead_score,
            status: lead.status,
            stock: lead.stock,
            order: lead.order_id,
            version: lead.version.get(),
            updated: lead.updated_at.into(),
            updated_by: lead.updated_by,
            created: lead.created_at.into(),
            focus: false,
        }
    }

    /// A lead that comes back from an edit.
    pub fn focused(lead: Lead) -> Self {
        Self { focus: true, ..Self::of(lead) }
    }
}

/// The filter above the list, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Toolbar {
    /// What was typed into the search field.
    pub q: String,
    /// The chosen status, or the empty text.
    pub status: &'static str,
    /// The chosen stock, or the empty text; then no status is chosen.
    pub stock: &'static str,
    /// The chosen state, or the empty text.
    pub state: &'static str,
    /// `score`, or the empty text for the newest first.
    pub sort: &'static str,
}

impl Toolbar {
    fn of(request: &ListRequest) -> Self {
        Self {
            q: request.query.as_ref().map(|query| query.typed().to_owned()).unwrap_or_default(),
            status: request.filter.status.map_or("", |status| status.as_str()),
            stock: request.filter.stock.map_or("", |stock| stock.as_str()),
            state: request.filter.state.map_or("", |state| state.as_str()),
            sort: if request.sort == super::Sort::Score { "score" } else { "" },
        }
    }

    /// The statuses to choose from.
    pub fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// The stocks to choose from.
    pub fn stocks(&self) -> [Choice; 4] {
        Stock::ALL.map(|stock| Choice { value: Stock::as_str(&stock), label: stock.label() })
    }

    /// The states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// The orders to choose from.
    pub fn sorts(&self) -> [Choice; 2] {
        let newest = Choice { value: "", label: "Newest first" };
        [newest, Choice { value: "score", label: "Highest score first" }]
    }

    /// Why the list has an order of its own, if it has.
    pub fn own_order(&self) -> Option<&'static str> {
        match (self.q.is_empty(), self.stock.is_empty()) {
            (false, _) => Some("A search lists its matches by the matching word"),
            (true, false) => Some("A list of one stock is newest first"),
            (true, true) => None,
        }
    }

    /// Whether some leads may be left out.
    pub fn is_set(&self) -> bool {
        !(self.q.is_empty() && self.status.is_empty() && self.stock.is_empty() && self.state.is_empty())
    }

    /// The address of the list with this filter, behind a cursor if there is one.
    fn address(&self, cursor: Option<&str>) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("status", self.status),
            ("stock", self.stock),
            ("state", self.state),
            ("sort", self.sort),
            ("cursor", cursor.unwrap_or_default()),
        ];
        let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        match serde_urlencoded::to_string(&pairs) {
            Ok(query) if !query.is_empty() => format!("/leads?{query}"),
            _ => "/leads".to_owned(),
        }
    }
}

/// `GET /leads`
#[derive(Template)]
#[template(path = "leads/list.html", blocks = ["rows"])]
pub struct ListPage {
    /// The shell.
    pub context: PageContext,
    /// The filter.
    pub filter: Toolbar,
    /// The leads of this page.
    pub leads: Vec<LeadView>,
    /// How many they are, in words.
    pub count_text: String,
    /// The address of the first page, if this is another.
    pub first: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// The address at which a search goes on that read much and did not fill its page.
    pub further: Option<String>,
}

impl ListPage {
    /// A page of leads as it was asked for.
    pub fn new(context: PageContext, request: &ListRequest, page: LeadPage) -> Self {
        let filter = Toolbar::of(request);
        let full = page.leads.len() >= usize::from(ListQuery::LIMIT);
        let next = page.next.map(|cursor| filter.address(Some(&cursor)));
        let (further, next) = if request.query.is_some() && !full { (next, None) } else { (None, next) };
        let count_text = match page.leads.len() {
            0 if filter.is_set() => "No lead matches.".to_owned(),
            0 => "No leads here.".to_owned(),
            1 => "1 lead shown".to_owned(),
            count => format!("{count} leads shown"),
        };
        Self {
            first: request.cursor.as_ref().map(|_| filter.address(None)),
            leads: page.leads.into_iter().map(LeadView::of).collect(),
            context,
            filter,
            count_text,
            next,
            further,
        }
    }

    /// Whether there is no lead at all yet.
    pub fn is_welcome(&self) -> bool {
        self.leads.is_empty() && self.first.is_none() && self.next.is_none() && !self.filter.is_set()
    }
}

/// `GET /leads` while there are none.
#[derive(Template)]
#[template(path = "leads/welcome.html")]
pub struct WelcomePage {
    /// The shell.
    pub context: PageContext,
}

/// A lead's row in the list.
#[derive(Template)]
#[template(path = "leads/_row.html")]
pub struct LeadRow {
    /// The shell.
    pub context: PageContext,
    /// The lead.
    pub lead: LeadView,
}

/// One field of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// What stands in it.
    pub value: String,
    /// What stood in it when the person first saw it.
    pub base: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// The fields of a new lead, or of a lead being edited.
#[derive(Debug, Clone, Default)]
pub struct LeadForm {
    /// The lead's id, or the empty text for a new one.
    pub id: String,
    /// The version that the person saw.
    pub version: u64,
    /// The name.
    pub name: Field,
    /// The e-mail address.
    pub email: Field,
    /// The state.
    pub state: Field,
    /// The score.
    pub lead_score: Field,
    /// The status.
    pub status: Field,
    /// What is wrong with all of it.
    pub error: Option<String>,
}

impl LeadForm {
    /// The form for a new lead: what was typed, and what is wrong with it.
    pub fn for_new(typed: Texts, wrong: Messages) -> Self {
        Self::filled(Texts::default(), typed, wrong)
    }

    /// The empty form for a new lead.
    pub fn empty() -> Self {
        let typed = Texts {
            lead_score: Score::default().to_string(),
            status: Status::default().to_string(),
            ..Texts::default()
        };
        Self::for_new(typed, Messages::default())
    }

    /// The form for a lead as it stands.
    pub fn for_lead(lead: &Lead) -> Self {
        let texts = Texts::of(lead);
        let form = Self::filled(texts.clone(), texts, Messages::default());
        Self { id: lead.id.to_string(), version: lead.version.get(), ..form }
    }

    /// The form for an edit that was not accepted: what was typed, and what is wrong with it.
    pub fn for_edit(id: LeadId, edit: Edit, wrong: Messages) -> Self {
        let form = Self::filled(edit.base, edit.typed, wrong);
        Self { id: id.to_string(), version: edit.version.get(), ..form }
    }

    fn filled(base: Texts, typed: Texts, wrong: Messages) -> Self {
        let field = |value, base, error| Field { value, base, error };
        Self {
            name: field(typed.name, base.name, wrong.name),
            email: field(typed.email, base.email, wrong.email),
            state: field(typed.state, base.state, wrong.state),
            lead_score: field(typed.lead_score, base.lead_score, wrong.lead_score),
            status: field(typed.status, base.status, wrong.status),
            ..Self::default()
        }
    }

    /// The id of the form's element, by which its fields belong to it wherever they stand.
    pub fn owner(&self) -> String {
        if self.is_edit() { format!("edit-{}", self.id) } else { "new-lead".to_owned() }
    }

    /// Whether it is of a lead that exists.
    pub fn is_edit(&self) -> bool {
        !self.id.is_empty()
    }

    /// The states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// The statuses to choose from.
    pub fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// The field to begin in: the first that is wrong, or the first.
    pub fn focus(&self) -> &'static str {
        let fields = [
            (LeadField::Name, &self.name),
            (LeadField::Email, &self.email),
            (LeadField::State, &self.state),
            (LeadField::LeadScore, &self.lead_score),
            (LeadField::Status, &self.status),
        ];
        let wrong = fields.into_iter().find(|(_, field)| field.error.is_some());
        wrong.map_or(LeadField::Name, |(field, _)| field).as_str()
    }
}

/// A lead's row while it is edited.
#[derive(Template)]
#[template(path = "leads/_row_edit.html")]
pub struct EditRow {
    /// The shell.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
}

/// `GET /leads/{id}/edit`
#[derive(Template)]
#[template(path = "leads/edit.html", blocks = ["form"])]
pub struct EditPage {
    /// The shell.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
}

/// `GET /leads/new`
#[derive(Template)]
#[template(path = "leads/new.html")]
pub struct NewPage {
    /// The shell.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
    /// What makes the form one request.
    pub key: uuid::Uuid,
}

/// Why something was not done, for the lead's page.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// What was not done: `It was not deleted.`
    pub what: &'static str,
    /// Why it was not put back in stock.
    pub restock_error: Option<String>,
    /// Why it was not deleted.
    pub delete_error: Option<String>,
    /// What happened meanwhile, if that is why.
    pub changes: Vec<EntryView>,
    /// Whether the person may delete it all the same.
    pub delete_anyway: bool,
    /// The reason given for reopening, and what is wrong with it.
    pub reopen: Option<Field>,
}

/// `GET /leads/{id}`
#[derive(Template)]
#[template(path = "leads/detail.html", blocks = ["lead", "entries"])]
pub struct DetailPage {
    /// The shell.
    pub context: PageContext,
    /// The lead.
    pub lead: LeadView,
    /// What happened to it, newest first.
    pub history: Vec<EntryView>,
    /// The address of what happened before.
    pub older: Option<String>,
    /// The field for reopening, where it may be reopened.
    pub reopen: Option<Field>,
    /// What was not done, and why.
    pub refusal: Refusal,
    /// Whether it replaces a part of a page that is shown already.
    pub fragment: bool,
}

impl DetailPage {
    /// A lead with the newest entries of its history.
    pub fn new(context: PageContext, lead: LeadView, history: HistoryPage) -> Self {
        let older = history.next.as_deref().and_then(|cursor| {
            let query = serde_urlencoded::to_string([("history", cursor)]).ok()?;
            Some(format!("/leads/{}?{query}", lead.id))
        });
        let may_reopen = context.account.as_ref().is_some_and(|account| account.is_administrator());
        Self {
            reopen: (may_reopen && lead.status == Status::Converted).then(Field::default),
            history: history.entries.into_iter().map(EntryView::of).collect(),
            refusal: Refusal::default(),
            fragment: false,
            context,
            lead,
            older,
        }
    }

    /// The same, with what was not done.
    pub fn refused(self, refusal: Refusal) -> Self {
        Self { reopen: refusal.reopen.clone().or(self.reopen), refusal, ..self }
    }

    /// The same, for a page that is shown already.
    pub fn for_fragment(self) -> Self {
        Self { fragment: true, ..self }
    }
}
