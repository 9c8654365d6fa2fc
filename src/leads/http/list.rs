//! The list of leads.

use super::parse::optional;
use super::parts::{Choice, LeadView, states, statuses};
use crate::accounts::agents::AccountReference;
use crate::base::identity::AccountId;
use crate::base::values::Invalid;
use crate::leads::domain::{Lead, Stock};
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::search::parse_query;
use crate::leads::{Filter, Leads, Sort};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads", Access::Viewer, list)
}

async fn list(
    State(leads): State<Leads>,
    target: RenderTarget,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
    let mut request = query.request()?;
    if let Some(reference) = query.owner()? {
        request = request.of_owner(leads.owner_id(&reference).await?);
    }
    let page = ListPage::new(target.context, &request, leads.list(&request).await?);
    if target.fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &WelcomePage { context: page.context })
    } else {
        html(StatusCode::OK, &page)
    }
}

/// The query parameters of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    status: String,
    state: String,
    stock: String,
    owner: String,
    sort: String,
    cursor: Option<String>,
}

impl ListQuery {
    /// The number of leads on one page.
    const LIMIT: u16 = 25;

    /// Parses the parameter `owner`.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for neither an id nor an email address.
    fn owner(&self) -> Result<Option<AccountReference>, WebError> {
        optional(&self.owner).map_err(|invalid| WebError::field("owner", &invalid))
    }

    /// Parses the other parameters.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first invalid parameter.
    fn request(&self) -> Result<ListRequest, WebError> {
        let at = |field: &'static str| move |invalid: Invalid| WebError::field(field, &invalid);
        let status = optional(&self.status).map_err(at("status"))?;
        let state = optional(&self.state).map_err(at("state"))?;
        let stock = optional(&self.stock).map_err(at("stock"))?;
        let filter = Filter::of(status, state, stock).map_err(at("stock"))?;
        let query = parse_query(&self.q).map_err(at("q"))?;
        let sort = optional::<Sort>(&self.sort).map_err(at("sort"))?.unwrap_or_default();
        let cursor = self.cursor.clone().filter(|cursor| !cursor.is_empty());
        Ok(ListRequest { query, filter, sort, limit: Self::LIMIT, cursor }.with_fixed_order())
    }
}

impl ListRequest {
    /// Lists only the leads that this account owns.
    fn of_owner(self, owner: AccountId) -> Self {
        let filter = Filter { owner: Some(owner), ..self.filter };
        Self { filter, ..self }.with_fixed_order()
    }

    /// Ignores a sort order that the list does not support. The page says so.
    fn with_fixed_order(self) -> Self {
        let sort = if self.has_fixed_order() { Sort::Newest } else { self.sort };
        Self { sort, ..self }
    }
}

/// The filter above the list, as the request set it.
#[derive(Debug, Clone, Default)]
struct Toolbar {
    /// The text in the search field.
    q: String,
    /// The chosen status, or empty text.
    status: &'static str,
    /// The chosen stock, or empty text. A list filters by status or by stock, not by both.
    stock: &'static str,
    /// The chosen state, or empty text.
    state: &'static str,
    /// The owner whose leads are listed, if it is only one.
    owner: Option<OwnerFilter>,
    /// The chosen sort order, or empty text for newest first.
    sort: &'static str,
}

/// The owner whose leads are listed.
#[derive(Debug, Clone)]
struct OwnerFilter {
    /// The id of the account, as text.
    id: String,
    /// The name, or `this agent` if the page does not show it.
    name: String,
}

impl OwnerFilter {
    /// Creates the filter of an owner. The name comes from the listed leads, or from the person who looks at them.
    fn of(owner: AccountId, leads: &[Lead], who: Option<&SignedIn>) -> Self {
        let listed = leads.iter().filter_map(|lead| lead.owner.as_ref()).find(|found| found.id == owner);
        let name = listed.map(|found| &found.name);
        let name = name.or_else(|| who.filter(|who| who.id == owner).map(|who| &who.name));
        Self { id: owner.to_string(), name: name.map_or("this agent".to_owned(), ToString::to_string) }
    }
}

impl Toolbar {
    fn of(request: &ListRequest, owner: Option<OwnerFilter>) -> Self {
        Self {
            q: request.query.as_ref().map(|query| query.typed().to_owned()).unwrap_or_default(),
            status: request.filter.status.map_or("", |status| status.as_str()),
            stock: request.filter.stock.map_or("", |stock| stock.as_str()),
            state: request.filter.state.map_or("", |state| state.as_str()),
            owner,
            sort: if request.sort == Sort::Newest { "" } else { request.sort.as_str() },
        }
    }

    /// Returns the statuses to choose from.
    fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// Returns the stocks to choose from.
    fn stocks(&self) -> [Choice; 4] {
        Stock::ALL.map(|stock| Choice { value: Stock::as_str(&stock), label: stock.label() })
    }

    /// Returns the states to choose from.
    fn states(&self) -> Vec<Choice> {
        states()
    }

    /// Returns the sort orders to choose from.
    fn sorts(&self) -> [Choice; 2] {
        let newest = Choice { value: "", label: "Newest first" };
        [newest, Choice { value: Sort::Score.as_str(), label: "Highest score first" }]
    }

    /// Returns why the list has a fixed sort order, if it has one.
    fn own_order(&self) -> Option<&'static str> {
        match (self.q.is_empty(), self.stock.is_empty(), self.owner.is_some()) {
            (false, _, _) => Some("Search results are sorted by the matching word"),
            (true, false, _) => Some("With a stock filter, leads are sorted newest first"),
            (true, true, true) => Some("With an owner filter, leads are sorted newest first"),
            (true, true, false) => None,
        }
    }

    /// Returns whether the filter may exclude leads.
    fn is_set(&self) -> bool {
        let is_empty =
            self.q.is_empty() && self.status.is_empty() && self.stock.is_empty() && self.state.is_empty();
        !is_empty || self.owner.is_some()
    }

    /// Returns the address of the list with this filter, after the cursor if there is one.
    fn address(&self, cursor: Option<&str>) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("status", self.status),
            ("stock", self.stock),
            ("state", self.state),
            ("owner", self.owner.as_ref().map_or("", |owner| owner.id.as_str())),
            ("sort", self.sort),
            ("cursor", cursor.unwrap_or_default()),
        ];
        address("/leads", pairs)
    }
}

/// `GET /leads`
#[derive(Template)]
#[template(path = "leads/list.html", config = "templates/askama.toml", blocks = ["rows"])]
struct ListPage {
    context: PageContext,
    filter: Toolbar,
    /// The leads of this page.
    leads: Vec<LeadView>,
    /// The number of leads, as text.
    count_text: String,
    /// The address of the first page, if this is not the first page.
    first: Option<String>,
    /// The address of the next page.
    next: Option<String>,
    /// The address where the search continues, if it reached its read limit before the page was full. The same for the
    /// leads of an owner.
    further: Option<String>,
}

impl ListPage {
    /// Creates the page for a request.
    fn new(context: PageContext, request: &ListRequest, page: LeadPage) -> Self {
        let who = context.account.as_ref();
        let owner = request.filter.owner.map(|owner| OwnerFilter::of(owner, &page.leads, who));
        let filter = Toolbar::of(request, owner);
        let full = page.leads.len() >= usize::from(ListQuery::LIMIT);
        let next = page.next.map(|cursor| filter.address(Some(&cursor)));
        let may_be_cut = request.query.is_some() || request.filter.owner.is_some();
        let (further, next) = if may_be_cut && !full { (next, None) } else { (None, next) };
        let count_text = match page.leads.len() {
            0 if filter.is_set() => "No matching leads.".to_owned(),
            0 => "No more leads.".to_owned(),
            count => format!("{} shown", counted(count, "lead", "leads")),
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
    fn is_welcome(&self) -> bool {
        self.leads.is_empty() && self.first.is_none() && self.next.is_none() && !self.filter.is_set()
    }
}

/// `GET /leads` when there are no leads.
#[derive(Template)]
#[template(path = "leads/welcome.html", config = "templates/askama.toml")]
struct WelcomePage {
    context: PageContext,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::Status;

    #[test]
    fn list_parameters_are_validated() {
        let read = |query: &str| serde_urlencoded::from_str::<ListQuery>(query).unwrap().request();
        let request = read("q=ann&status=qualified&state=&sort=score&cursor=").unwrap();
        assert_eq!(request.query.unwrap().typed(), "ann");
        assert_eq!((request.filter.status, request.filter.state), (Some(Status::Qualified), None));
        assert_eq!((request.sort, request.cursor), (Sort::Newest, None), "a search has a fixed sort order");
        assert_eq!(read("status=qualified&sort=score").unwrap().sort, Sort::Score);
        assert_eq!(read("stock=assigned&sort=score").unwrap().sort, Sort::Newest);
        for owner in ["owner=x", "owner=a%20b@example.com"] {
            assert!(serde_urlencoded::from_str::<ListQuery>(owner).unwrap().owner().is_err(), "{owner}");
        }
        for query in ["status=x", "state=zz", "sort=up", &format!("q={}", "a".repeat(201))] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
