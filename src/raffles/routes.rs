//! The routes of this feature, with their access rules.

use super::service::Raffles;
use super::{api, pages};
use crate::web::routes::Routes;

/// Builds the routes of raffles.
pub fn routes(raffles: Raffles) -> Routes {
    api::routes().and(pages::routes()).with_state(raffles)
}
