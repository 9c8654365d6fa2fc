//! The pages of leads.
//!
//! Invariants: one address serves the page, or only a part of it if htmx asks. Every form works without JavaScript.

pub(super) mod api;
mod body;
mod conflict;
mod create;
mod custom_form;
mod detail;
mod edit;
mod edit_form;
mod form;
mod list;
mod merge;
pub(super) mod notes_api;
mod parse;
mod parts;
mod timeline;
mod trash;

use super::Leads;
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Leads> {
    list::routes()
        .and(trash::routes())
        .and(create::routes())
        .and(detail::routes())
        .and(edit::routes())
        .and(timeline::routes())
        .and(merge::routes())
}
