//! All routes of imports, with their access.

use super::pages;
use super::service::Imports;
use crate::web::routes::Routes;

/// Returns all routes of imports.
pub fn routes(imports: Imports) -> Routes {
    pages::routes().with_state(imports)
}
