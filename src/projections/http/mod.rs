//! The page and the JSON API of dead letters.

pub(super) mod api;
mod dead_letters;

use crate::projections::Projections;
use crate::web::routes::Routes;

/// Returns the routes of the page.
pub(super) fn routes() -> Routes<Projections> {
    dead_letters::routes()
}
