//! The pages of leads.
//!
//! Invariants: one address serves the page, or only a part of it if htmx asks. Every form works without JavaScript.

pub(super) mod api;
mod conflict;
mod create;
mod detail;
mod edit;
mod edit_form;
mod form;
mod list;
mod parts;

use super::Leads;
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Leads> {
    list::routes().and(create::routes()).and(detail::routes()).and(edit::routes())
}
