//! The routes of this feature, with their access rules.

use super::http::{self, api};
use super::service::Raffles;
use crate::web::routes::Routes;

/// Builds the routes of raffles.
pub fn routes(raffles: Raffles) -> Routes {
    api::routes().and(http::routes()).with_state(raffles)
}
