//! All routes of this feature, with the access that each requires.

use super::service::Leads;
use super::{api, pages};
use crate::web::routes::Routes;

/// Returns all routes of leads.
pub fn routes(leads: Leads) -> Routes {
    api::routes().and(pages::routes()).with_state(leads)
}
