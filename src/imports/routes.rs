//! All routes of imports, with their access.

use super::http;
use super::service::Imports;
use crate::web::routes::Routes;

/// Returns all routes of imports.
pub fn routes(imports: Imports) -> Routes {
    http::routes().with_state(imports)
}
