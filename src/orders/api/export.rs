//! The export for programs: CSV in parts.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

use crate::app::App;
use crate::error::AppError;
use crate::orders::export::{Part, part};
use crate::orders::period::Period;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::pages::Shell;
use crate::web::respond::header_text;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get("/api/orders/export/csv", Access::Agent, export)
}

/// Where the next part begins, for programs that read no links.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

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
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header_text("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, header_text("attachment; filename=\"orders.csv\""));
    if let Some(next) = next {
        let address = shell.url(&address(&period, Some(&next)));
        headers.insert(header::LINK, header_text(&format!("<{address}>; rel=\"next\"")));
        headers.insert(NEXT_CURSOR, header_text(&next));
    }
    Ok((headers, csv).into_response())
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
