//! The routes of this feature, with their access.

use super::http::{self, api};
use super::service::Projections;
use crate::web::routes::Routes;

/// Returns the routes of dead letters.
pub fn routes(projections: Projections) -> Routes {
    api::routes().and(http::routes()).with_state(projections)
}
