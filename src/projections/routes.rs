//! The routes of this feature, with their access.

use super::dead_letters::{api, pages};
use super::service::Projections;
use crate::web::routes::Routes;

/// Returns the routes of dead letters.
pub fn routes(projections: Projections) -> Routes {
    api::routes().and(pages::routes()).with_state(projections)
}
