//! The start page.

use axum::extract::State;
use axum::response::Response;
use futures_util::future::try_join4;
use http::StatusCode;

use super::service::Dashboard;
use super::views::{DashboardPage, StartPage};
use crate::base::calendar;
use crate::base::identity::SignedIn;
use crate::leads::list::ListRequest;
use crate::orders::list::{self as orders, OrderPage};
use crate::raffles;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::html;

/// `GET /`: the dashboard for agents, raffles for everyone else.
pub(super) async fn start_page(
    State(dashboard): State<Dashboard>,
    context: PageContext,
    who: SignedIn,
) -> Result<Response, Problem> {
    match who.is_agent() {
        true => dashboard.show(context).await,
        false => raffles::home(&dashboard.raffles, context, &who).await,
    }
}

/// The number of days in the chart.
const DAYS: u8 = 14;
/// The number of orders in the list.
const ORDERS: u16 = 6;

impl Dashboard {
    /// Renders the dashboard, or how to start if there are no leads.
    ///
    /// # Errors
    /// [`Problem`] if the store failed.
    async fn show(&self, context: PageContext) -> Result<Response, Problem> {
        let today = calendar::day_of(self.clock.now());
        let (stats, days, caps, newest) = try_join4(
            async { Ok::<_, Problem>(self.statistics.read().await?) },
            async { Ok(self.statistics.days(today, DAYS).await?) },
            async { Ok(self.orders.caps().await?) },
            self.newest(),
        )
        .await?;
        // If another process reads the stream, the data on the page shows whether it is late.
        let changed = newest.orders.iter().map(|order| order.updated_at).max();
        let stats = stats.known_changed(changed, self.clock.now());
        if stats.total == 0 && newest.orders.is_empty() && self.has_no_lead().await? {
            return html(StatusCode::OK, &StartPage { context });
        }
        html(StatusCode::OK, &DashboardPage::new(context, &stats, &days, &caps, &newest.orders))
    }

    async fn newest(&self) -> Result<OrderPage, Problem> {
        let request = orders::ListRequest { limit: ORDERS, ..orders::ListRequest::default() };
        Ok(self.orders.list(&request).await?)
    }

    /// Returns whether there are no leads. The statistics alone may be slightly old.
    async fn has_no_lead(&self) -> Result<bool, Problem> {
        let request = ListRequest { limit: 1, ..ListRequest::default() };
        Ok(self.leads.list(&request).await?.leads.is_empty())
    }
}
