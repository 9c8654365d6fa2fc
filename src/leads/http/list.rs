//! The list of leads.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, Choice, LeadView, states, statuses};
use crate::base::values::Invalid;
use crate::leads::domain::Stock;
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::search::parse_query;
use crate::leads::{Filter, Leads, Sort};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::Query;
use crate::web::pages::PageContext;
use crate::web::request::WantsFragment;
use crate::web::respond::html;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads", Access::Viewer, list)
}

async fn list(
    State(leads): State<Leads>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<ListQuery>,
) -> Answer {
    let request = query.request()?;
    let page = ListPage::new(context, &request, leads.list(&request).await?);
    if fragment {
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
    sort: String,
    cursor: Option<String>,
}

impl ListQuery {
    /// The number of leads on one page.
    const LIMIT: u16 = 25;

    /// Parses the parameters.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for the first invalid parameter.
    fn request(&self) -> Result<ListRequest, WebError> {
        let at = |field: &'static str| move |invalid: Invalid| WebError::field(field, &invalid);
        let status = optional(&self.status, str::parse).map_err(at("status"))?;
        let state = optional(&self.state, str::parse).map_err(at("state"))?;
        let stock = optional(&self.stock, str::parse).map_err(at("stock"))?;
        let filter = Filter::of(status, state, stock).map_err(at("stock"))?;
        let query = parse_query(&self.q).map_err(at("q"))?;
        let sort = optional(&self.sort, str::parse::<Sort>).map_err(at("sort"))?.unwrap_or_default();
        // The page says that these lists have a fixed sort order.
        let has_fixed_order = query.is_some() || filter.stock.is_some();
        Ok(ListRequest {
            query,
            filter,
            sort: if has_fixed_order { Sort::Newest } else { sort },
            limit: Self::LIMIT,
            cursor: self.cursor.clone().filter(|cursor| !cursor.is_empty()),
        })
    }
}

fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { parse(text).map(Some) }
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
    /// `score`, or empty text for newest first.
    sort: &'static str,
}

impl Toolbar {
    fn of(request: &ListRequest) -> Self {
        Self {
            q: request.query.as_ref().map(|query| query.typed().to_owned()).unwrap_or_default(),
            status: request.filter.status.map_or("", |status| status.as_str()),
            stock: request.filter.stock.map_or("", |stock| stock.as_str()),
            state: request.filter.state.map_or("", |state| state.as_str()),
            sort: if request.sort == Sort::Score { "score" } else { "" },
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
        [newest, Choice { value: "score", label: "Highest score first" }]
    }

    /// Returns why the list has a fixed sort order, if it has one.
    fn own_order(&self) -> Option<&'static str> {
        match (self.q.is_empty(), self.stock.is_empty()) {
            (false, _) => Some("A search lists its matches by the matching word"),
            (true, false) => Some("A list of one stock is newest first"),
            (true, true) => None,
        }
    }

    /// Returns whether the filter may exclude leads.
    fn is_set(&self) -> bool {
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
struct ListPage {
    /// The page context.
    context: PageContext,
    /// The filter.
    filter: Toolbar,
    /// The leads of this page.
    leads: Vec<LeadView>,
    /// The number of leads, as text.
    count_text: String,
    /// The address of the first page, if this is not the first page.
    first: Option<String>,
    /// The address of the next page.
    next: Option<String>,
    /// The address where the search continues, if it reached its read limit before the page was full.
    further: Option<String>,
}

impl ListPage {
    /// Creates the page for a request.
    fn new(context: PageContext, request: &ListRequest, page: LeadPage) -> Self {
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
    fn is_welcome(&self) -> bool {
        self.leads.is_empty() && self.first.is_none() && self.next.is_none() && !self.filter.is_set()
    }
}

/// `GET /leads` when there are no leads.
#[derive(Template)]
#[template(path = "leads/welcome.html")]
struct WelcomePage {
    /// The page context.
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
        for query in ["status=x", "state=zz", "sort=up", &format!("q={}", "a".repeat(201))] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
