//! The routes of this feature, with their access.

use super::http::{self, api};
use super::service::Commands;
use crate::web::routes::Routes;

/// Returns the routes of automation.
pub fn routes(commands: Commands) -> Routes {
    api::routes().and(http::routes()).with_state(commands)
}
