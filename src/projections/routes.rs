//! Every route of this feature, with who may use it.

use super::dead_letters::{api, pages};
use super::service::Projections;
use crate::web::routes::Routes;

/// All routes of projections.
pub fn routes(projections: Projections) -> Routes {
    api::routes().and(pages::routes()).with_state(projections)
}
