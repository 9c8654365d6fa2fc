//! The CSV export in parts, for programs.

use crate::orders::Orders;
use crate::orders::export::CsvPart;
use crate::orders::period::Period;
use crate::shared::api::*;
use crate::shared::audit_log::AuditActor;
use crate::shared::exports::ExportCursor;
use crate::web::query;
use crate::web::respond::csv_part;

pub fn routes() -> Routes<Orders> {
    Routes::default().get("/api/orders/export/csv", Access::Agent, export)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

async fn export(
    State(orders): State<Orders>,
    context: PageContext,
    who: SignedIn,
    Query(Parameters { from, to, cursor }): Query<Parameters>,
) -> Result<Response, Problem> {
    let period = Period::read(from, to)?;
    let cursor = ExportCursor::read(cursor);
    let CsvPart { csv, next, .. } = orders.export_part(&period, cursor.position()).await?;
    let entry = orders.record_export(&period, &cursor, &AuditActor::from(&who)).await?;
    let next = next.map(|position| ExportCursor::next(entry, &position));
    let next = next.map(|cursor| (context.url(&address(&period, Some(&cursor))), cursor));
    Ok(csv_part("orders.csv", csv, next))
}

/// Returns the URL of a part.
pub fn address(period: &Period, cursor: Option<&str>) -> String {
    let (from, to) = period.texts();
    let parameters = [("from", from.as_str()), ("to", to.as_str()), ("cursor", cursor.unwrap_or_default())];
    query::address("/api/orders/export/csv", parameters)
}
