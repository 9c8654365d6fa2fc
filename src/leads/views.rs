//! The pages of leads: one struct for each template, with display logic as methods. Templates escape every value.

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

/// One option of a select field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The value that forms send.
    pub value: &'static str,
    /// The text that people see.
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

/// Returns a field's value as people see it: `Qualified` for `QUALIFIED`, and empty text for no value.
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
    /// The email address.
    pub email: Email,
    /// The state's code, or empty text.
    pub state: &'static str,
    /// The score.
    pub lead_score: Score,
    /// The status.
    pub status: Status,
    /// The stock.
    pub stock: Stock,
    /// The order that contains the lead or delivered it.
    pub order: Option<OrderId>,
    /// The version.
    pub version: u64,
    /// When it was last changed.
    pub updated: DisplayTime,
    /// Who changed it last.
    pub updated_by: Actor,
    /// When it was created.
    pub created: DisplayTime,
    /// Whether the row returns from an edit and its button gets the keyboard focus.
    pub focus: bool,
}

impl LeadView {
    /// Returns whether the lead is withheld until an agent puts it back in stock.
    pub fn is_withheld(&self) -> bool {
        self.stock == Stock::Withheld
    }

    /// Creates the view of a lead.
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

    /// Creates the view of a lead that returns from an edit.
    pub fn focused(lead: Lead) -> Self {
        Self { focus: true, ..Self::of(lead) }
    }
}

/// The filter above the list, as the request set it.
#[derive(Debug, Clone, Default)]
pub struct Toolbar {
    /// The text in the search field.
    pub q: String,
    /// The chosen status, or empty text.
    pub status: &'static str,
    /// The chosen stock, or empty text. A list filters by status or by stock, not by both.
    pub stock: &'static str,
    /// The chosen state, or empty text.
    pub state: &'static str,
    /// `score`, or empty text for newest first.
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

    /// Returns the statuses to choose from.
    pub fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// Returns the stocks to choose from.
    pub fn stocks(&self) -> [Choice; 4] {
        Stock::ALL.map(|stock| Choice { value: Stock::as_str(&stock), label: stock.label() })
    }

    /// Returns the states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// Returns the sort orders to choose from.
    pub fn sorts(&self) -> [Choice; 2] {
        let newest = Choice { value: "", label: "Newest first" };
        [newest, Choice { value: "score", label: "Highest score first" }]
    }

    /// Returns why the list has a fixed sort order, if it has one.
    pub fn own_order(&self) -> Option<&'static str> {
        match (self.q.is_empty(), self.stock.is_empty()) {
            (false, _) => Some("A search lists its matches by the matching word"),
            (true, false) => Some("A list of one stock is newest first"),
            (true, true) => None,
        }
    }

    /// Returns whether the filter may exclude leads.
    pub fn is_set(&self) -> bool {
        !(self.q.is_empty() && self.status.is_empty() && self.stock.is_empty() && self.state.is_empty())
    }

    /// Returns the address of the list with this filter, after the cursor if there is one.
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
    /// The page context.
    pub context: PageContext,
    /// The filter.
    pub filter: Toolbar,
    /// The leads of this page.
    pub leads: Vec<LeadView>,
    /// The number of leads, as text.
    pub count_text: String,
    /// The address of the first page, if this is not the first page.
    pub first: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// The address where the search continues, if it reached its read limit before the page was full.
    pub further: Option<String>,
}

impl ListPage {
    /// Creates the page for a request.
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

    /// Returns whether there are no leads yet.
    pub fn is_welcome(&self) -> bool {
        self.leads.is_empty() && self.first.is_none() && self.next.is_none() && !self.filter.is_set()
    }
}

/// `GET /leads` when there are no leads.
#[derive(Template)]
#[template(path = "leads/welcome.html")]
pub struct WelcomePage {
    /// The page context.
    pub context: PageContext,
}

/// A lead's row in the list.
#[derive(Template)]
#[template(path = "leads/_row.html")]
pub struct LeadRow {
    /// The page context.
    pub context: PageContext,
    /// The lead.
    pub lead: LeadView,
}

/// One field of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// The current text.
    pub value: String,
    /// The text when the form was first shown.
    pub base: String,
    /// The error message.
    pub error: Option<String>,
}

/// The form of a new lead or of an existing one.
#[derive(Debug, Clone, Default)]
pub struct LeadForm {
    /// The lead's id, or empty text for a new lead.
    pub id: String,
    /// The version that the form shows.
    pub version: u64,
    /// The name.
    pub name: Field,
    /// The email address.
    pub email: Field,
    /// The state.
    pub state: Field,
    /// The score.
    pub lead_score: Field,
    /// The status.
    pub status: Field,
    /// The error message for the whole form.
    pub error: Option<String>,
}

impl LeadForm {
    /// Creates the form of a new lead with the typed text and its errors.
    pub fn for_new(typed: Texts, errors: Messages) -> Self {
        Self::filled(Texts::default(), typed, errors)
    }

    /// Creates the empty form of a new lead.
    pub fn empty() -> Self {
        let typed = Texts {
            lead_score: Score::default().to_string(),
            status: Status::default().to_string(),
            ..Texts::default()
        };
        Self::for_new(typed, Messages::default())
    }

    /// Creates the form of an existing lead with its current values.
    pub fn for_lead(lead: &Lead) -> Self {
        let texts = Texts::of(lead);
        let form = Self::filled(texts.clone(), texts, Messages::default());
        Self { id: lead.id.to_string(), version: lead.version.get(), ..form }
    }

    /// Creates the form of a rejected edit with the typed text and its errors.
    pub fn for_edit(id: LeadId, edit: Edit, errors: Messages) -> Self {
        let form = Self::filled(edit.base, edit.typed, errors);
        Self { id: id.to_string(), version: edit.version.get(), ..form }
    }

    fn filled(base: Texts, typed: Texts, errors: Messages) -> Self {
        let field = |value, base, error| Field { value, base, error };
        Self {
            name: field(typed.name, base.name, errors.name),
            email: field(typed.email, base.email, errors.email),
            state: field(typed.state, base.state, errors.state),
            lead_score: field(typed.lead_score, base.lead_score, errors.lead_score),
            status: field(typed.status, base.status, errors.status),
            ..Self::default()
        }
    }

    /// Returns the id of the form element. Inputs outside the element refer to it by this id.
    pub fn owner(&self) -> String {
        if self.is_edit() { format!("edit-{}", self.id) } else { "new-lead".to_owned() }
    }

    /// Returns whether the form edits an existing lead.
    pub fn is_edit(&self) -> bool {
        !self.id.is_empty()
    }

    /// Returns the states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// Returns the statuses to choose from.
    pub fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// Returns the field that gets the focus: the first one with an error, or the first one.
    pub fn focus(&self) -> &'static str {
        let fields = [
            (LeadField::Name, &self.name),
            (LeadField::Email, &self.email),
            (LeadField::State, &self.state),
            (LeadField::LeadScore, &self.lead_score),
            (LeadField::Status, &self.status),
        ];
        let invalid = fields.into_iter().find(|(_, field)| field.error.is_some());
        invalid.map_or(LeadField::Name, |(field, _)| field).as_str()
    }
}

/// A lead's row in edit mode.
#[derive(Template)]
#[template(path = "leads/_row_edit.html")]
pub struct EditRow {
    /// The page context.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
}

/// `GET /leads/{id}/edit`
#[derive(Template)]
#[template(path = "leads/edit.html", blocks = ["form"])]
pub struct EditPage {
    /// The page context.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
}

/// `GET /leads/new`
#[derive(Template)]
#[template(path = "leads/new.html")]
pub struct NewPage {
    /// The page context.
    pub context: PageContext,
    /// The fields.
    pub form: LeadForm,
    /// The idempotency key of the form.
    pub key: uuid::Uuid,
}

/// Why a form on the lead's page was rejected.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// The outcome: `It was not deleted.`
    pub what: &'static str,
    /// Why the lead was not put back in stock.
    pub restock_error: Option<String>,
    /// Why the lead was not deleted.
    pub delete_error: Option<String>,
    /// The changes that caused the conflict, if there was one.
    pub changes: Vec<EntryView>,
    /// Whether the page offers to delete the lead despite the changes.
    pub delete_anyway: bool,
    /// The reason for reopening, with its error.
    pub reopen: Option<Field>,
}

/// `GET /leads/{id}`
#[derive(Template)]
#[template(path = "leads/detail.html", blocks = ["lead", "entries"])]
pub struct DetailPage {
    /// The page context.
    pub context: PageContext,
    /// The lead.
    pub lead: LeadView,
    /// The history, newest first.
    pub history: Vec<EntryView>,
    /// The address of older entries.
    pub older: Option<String>,
    /// The field for the reason, if the person may reopen the lead.
    pub reopen: Option<Field>,
    /// The rejected form, and why it was rejected.
    pub refusal: Refusal,
    /// Whether the answer replaces a part of a page that is already shown.
    pub fragment: bool,
}

impl DetailPage {
    /// Creates the page of a lead with a page of its history.
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

    /// Adds a rejected form.
    pub fn refused(self, refusal: Refusal) -> Self {
        Self { reopen: refusal.reopen.clone().or(self.reopen), refusal, ..self }
    }

    /// Marks the answer as a part of a page that is already shown.
    pub fn for_fragment(self) -> Self {
        Self { fragment: true, ..self }
    }
}
