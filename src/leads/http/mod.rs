//! The pages of leads.
//!
//! Invariants: one address serves the page, or only a part of it if htmx asks. Every form works without JavaScript.

mod actions;
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
mod notes;
pub(super) mod notes_api;
mod parse;
mod parts;
mod target;
mod timeline;
mod trash;

use axum::extract::DefaultBodyLimit;

use super::Leads;
use crate::web::routes::Routes;

/// The largest form of a lead or a note: 16 KB of custom fields, once as they were seen and once as they were typed, or
/// 10,000 characters of a note, both three times as long in percent encoding.
const FORM_BYTES: usize = 256 * 1024;

/// Returns the limit of forms with long texts, instead of the limit of other requests.
fn form_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(FORM_BYTES)
}

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Leads> {
    list::routes()
        .and(trash::routes())
        .and(create::routes())
        .and(detail::routes())
        .and(actions::routes())
        .and(edit::routes())
        .and(notes::routes())
        .and(timeline::routes())
        .and(merge::routes())
}
