//! The start page of agents: the day's numbers, the pipeline, the stock, what is out against its cap, and the newest
//! orders. Five reads at most, whatever the desk holds; what the stream counted says which time it stands for.

mod views;

use axum::response::Response;
use futures_util::future::try_join4;
use http::StatusCode;

use crate::app::App;
use crate::calendar;
use crate::error::AppError;
use crate::leads::list::{self as leads, ListRequest};
use crate::leads::stats;
use crate::orders::list::{self as orders, OrderPage};
use crate::orders::store;
use crate::web::pages::Shell;
use crate::web::respond::html;

use views::{Dashboard, StartPage};

/// Days that the chart shows.
const DAYS: u8 = 14;
/// The newest orders that it lists.
const ORDERS: u16 = 6;

/// The dashboard, or for a desk without leads, how to begin.
///
/// # Errors
/// [`AppError`] if the store failed.
pub async fn show(app: &App, shell: Shell) -> Result<Response, AppError> {
    let today = calendar::day_of(app.clock.now());
    let (stats, days, caps, newest) = try_join4(
        async { Ok::<_, AppError>(stats::read(app).await?) },
        async { Ok(stats::days(app, today, DAYS).await?) },
        async { Ok(store::caps(app).await?) },
        newest(app),
    )
    .await?;
    // Where the reader of the stream is another process, what is on the page shows whether it is late.
    let changed = newest.orders.iter().map(|order| order.updated_at).max();
    let stats = stats.known_changed(changed, app.clock.now());
    if stats.total == 0 && newest.orders.is_empty() && has_no_lead(app).await? {
        return html(StatusCode::OK, &StartPage { shell });
    }
    html(StatusCode::OK, &Dashboard::new(shell, &stats, &days, &caps, &newest.orders))
}

async fn newest(app: &App) -> Result<OrderPage, AppError> {
    let request = orders::ListRequest { limit: ORDERS, ..orders::ListRequest::default() };
    Ok(orders::list(app, &request).await?)
}

/// Whether there is no lead: the statistics alone are a moment old.
async fn has_no_lead(app: &App) -> Result<bool, AppError> {
    let request = ListRequest { limit: 1, ..ListRequest::default() };
    Ok(leads::list(app, &request).await?.leads.is_empty())
}
