//! What the pages of imports share: the address of an import.

use axum::response::Response;

use crate::imports::domain::Import;
use crate::web::problem::Problem;

/// The answer of a page.
pub(super) type Answer = Result<Response, Problem>;

pub(super) fn address_of(import: &Import) -> String {
    format!("/leads/imports/{}", import.id)
}
