//! The routes of this feature, with their access.

use super::page::start_page;
use super::service::Dashboard;
use crate::web::access::Access;
use crate::web::routes::Routes;

/// Returns the route of the start page.
pub fn routes(dashboard: Dashboard) -> Routes {
    Routes::default().get("/", Access::SignedIn, start_page).with_state(dashboard)
}
