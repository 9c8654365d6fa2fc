//! Every route of this feature, with who may use it.

use super::page::start_page;
use super::service::Dashboard;
use crate::web::access::Access;
use crate::web::routes::Routes;

/// The route of the start page.
pub fn routes(dashboard: Dashboard) -> Routes {
    Routes::default().get("/", Access::SignedIn, start_page).with_state(dashboard)
}
