//! The pages of this feature.

mod start;
mod welcome;

use crate::dashboard::Dashboard;
use crate::web::access::Access;
use crate::web::routes::Routes;

/// Returns the routes of the start page and of the first steps.
pub(super) fn routes() -> Routes<Dashboard> {
    let start = Routes::default().get("/", Access::SignedIn, start::start_page);
    start.get("/welcome", Access::Administrator, welcome::welcome_page)
}
