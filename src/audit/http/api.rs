//! The JSON API of the audit log, and its export.

use jiff::civil::Date;

use crate::audit::Audit;
use crate::audit::filter::AuditFilter;
use crate::audit::read::AuditPage;
use crate::shared::api::*;
use crate::shared::audit_log::{AuditActor, AuditEntry};
use crate::shared::exports::{ExportCursor, ExportPart};
use crate::web::query;
use crate::web::respond::csv_part;

pub(super) fn routes() -> Routes<Audit> {
    Routes::default().get("/api/audit", Access::Administrator, list).get(
        "/audit.csv",
        Access::Administrator,
        export,
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    person: Option<String>,
    kind: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(audit): State<Audit>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<AuditEntry>>, Problem> {
    let ListParameters { person, kind, from, to, limit: most, cursor } = parameters;
    let filter = AuditFilter::read(person, kind, from, to)?;
    let cursor = cursor.filter(|text| !text.is_empty());
    let AuditPage { entries, next, .. } = audit.list(&filter, limit(most)?, cursor.as_deref()).await?;
    Ok(Json(Listed { items: entries, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportParameters {
    person: Option<String>,
    kind: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

async fn export(
    State(audit): State<Audit>,
    context: PageContext,
    who: SignedIn,
    Query(parameters): Query<ExportParameters>,
) -> Result<Response, Problem> {
    let ExportParameters { person, kind, from, to, cursor } = parameters;
    let filter = AuditFilter::read(person, kind, from, to)?;
    let cursor = ExportCursor::read(cursor);
    let ExportPart { csv, next } = audit.export_part(&filter, &cursor, &AuditActor::from(&who)).await?;
    let next = next.map(|cursor| (context.url(&address("/audit.csv", &filter, Some(&cursor))), cursor));
    Ok(csv_part("audit.csv", csv, next))
}

/// Returns the address of a list with this filter, after a cursor if there is one.
pub(super) fn address(path: &str, filter: &AuditFilter, cursor: Option<&str>) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let parameters = [
        ("person", filter.person.as_ref().map(|person| person.typed().to_owned()).unwrap_or_default()),
        ("kind", filter.kind.map(|kind| kind.to_string()).unwrap_or_default()),
        ("from", day(filter.from)),
        ("to", day(filter.to)),
        ("cursor", cursor.unwrap_or_default().to_owned()),
    ];
    query::address(path, parameters)
}
