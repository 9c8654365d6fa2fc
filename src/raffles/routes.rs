//! Every route of this feature, with who may use it.

use super::service::Raffles;
use super::{api, pages};
use crate::web::routes::Routes;

/// The routes of raffles.
pub fn routes(raffles: Raffles) -> Routes {
    api::routes().and(pages::routes()).with_state(raffles)
}
