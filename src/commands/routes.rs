//! The routes of this feature, with their access.

use super::service::Commands;
use super::{api, pages};
use crate::web::routes::Routes;

/// Returns the routes of automation.
pub fn routes(commands: Commands) -> Routes {
    api::routes().and(pages::routes()).with_state(commands)
}
