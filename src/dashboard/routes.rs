//! The routes of this feature, with their access.

use super::page::start_page;
use super::service::Dashboard;
use super::welcome::welcome_page;
use crate::web::access::Access;
use crate::web::routes::Routes;

/// Returns the routes of the start page and of the first steps.
pub fn routes(dashboard: Dashboard) -> Routes {
    Routes::default()
        .get("/", Access::SignedIn, start_page)
        .get("/welcome", Access::Administrator, welcome_page)
        .with_state(dashboard)
}
