//! The export for programs: CSV in parts.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::error::AppError;
use crate::orders::export::{Part, part};
use crate::orders::period::Period;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::pages::Shell;
use crate::web::respond::csv_part;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get("/api/orders/export/csv", Access::Agent, export)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

async fn export(
    State(app): State<App>,
    shell: Shell,
    InQuery(Parameters { from, to, cursor }): InQuery<Parameters>,
) -> Result<Response, AppError> {
    let period = Period::read(from, to)?;
    let cursor = cursor.filter(|text| !text.is_empty());
    let Part { csv, next, .. } = part(&app, &period, cursor.as_deref()).await?;
    let next = next.map(|cursor| (shell.url(&address(&period, Some(&cursor))), cursor));
    Ok(csv_part("orders.csv", csv, next))
}

/// The address of a part.
pub fn address(period: &Period, cursor: Option<&str>) -> String {
    let days = [("from", period.from), ("to", period.to)];
    let days = days.into_iter().filter_map(|(name, day)| Some((name, day?.to_string())));
    let pairs: Vec<_> = days.chain(cursor.map(|cursor| ("cursor", cursor.to_owned()))).collect();
    match serde_urlencoded::to_string(pairs) {
        Ok(query) if !query.is_empty() => format!("/api/orders/export/csv?{query}"),
        _ => "/api/orders/export/csv".to_owned(),
    }
}
