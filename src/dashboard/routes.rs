//! The routes of this feature, with their access.

use super::http;
use super::service::Dashboard;
use crate::web::routes::Routes;

/// Returns the routes of the start page and of the first steps.
pub fn routes(dashboard: Dashboard) -> Routes {
    http::routes().with_state(dashboard)
}
