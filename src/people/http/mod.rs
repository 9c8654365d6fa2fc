//! The pages and the JSON API of people.

mod api;
mod deletion;
mod list;
mod parts;
mod person;
mod person_page;
mod profile;
mod security;
mod tokens_api;

use crate::people::People;
use crate::web::routes::Routes;

/// Returns all routes of people.
pub(super) fn routes() -> Routes<People> {
    list::routes()
        .and(person::routes())
        .and(security::routes())
        .and(deletion::routes())
        .and(api::routes())
        .and(tokens_api::routes())
}
