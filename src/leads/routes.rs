//! All routes of this feature, with the access that each requires.

use super::http::{self, api, notes_api};
use super::service::Leads;
use crate::web::routes::Routes;

/// Returns all routes of leads.
pub fn routes(leads: Leads) -> Routes {
    api::routes().and(notes_api::routes()).and(http::routes()).with_state(leads)
}
