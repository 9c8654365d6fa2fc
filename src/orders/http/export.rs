//! The export page. Its script downloads all parts as one file; without JavaScript, people download part by
//! part.

use super::api::export_address;
use crate::orders::Orders;
use crate::orders::period::Period;
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default().get("/orders/export", Access::Agent, show)
}

async fn show(
    State(orders): State<Orders>,
    context: PageContext,
    Query(query): Query<ExportQuery>,
) -> PageAnswer {
    let cursor = query.cursor.filter(|text| !text.is_empty());
    // The page asks for the days first. The form sends both, even if they are empty. The link to the next part leaves
    // out empty days.
    let asked = query.from.is_some() || query.to.is_some() || cursor.is_some();
    let period = Period::read(query.from, query.to)?;
    let part = if asked { Some(view(&orders, &period, cursor.as_deref()).await?) } else { None };
    let (from, to) = period.texts();
    html(StatusCode::OK, &ExportPage { context, from, to, part })
}

async fn view(orders: &Orders, period: &Period, cursor: Option<&str>) -> Result<PartView, Problem> {
    let part = orders.export_part(period, cursor).await?;
    let leads = counted(part.leads, "lead", "leads");
    let orders = counted(part.orders, "order", "orders");
    let next = part.next.map(|cursor| {
        let (from, to) = period.texts();
        address("/orders/export", [("from", from), ("to", to), ("cursor", cursor)])
    });
    Ok(PartView {
        words: format!("{leads} of {orders}"),
        is_empty: part.leads == 0,
        download: export_address(period, cursor),
        next,
    })
}

#[derive(Debug, Deserialize)]
struct ExportQuery {
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

/// `GET /orders/export`
#[derive(Template)]
#[template(path = "orders/export.html", config = "templates/askama.toml")]
struct ExportPage {
    context: PageContext,
    from: String,
    to: String,
    part: Option<PartView>,
}

/// A part to download.
struct PartView {
    words: String,
    is_empty: bool,
    download: String,
    next: Option<String>,
}
