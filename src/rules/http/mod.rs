//! The pages of rules and their runs.

pub(super) mod api;
mod form;
mod parts;
mod rule;
mod rules;

use crate::rules::Rules;
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Rules> {
    rules::routes().and(rule::routes())
}
