//! Every route of this feature, with who may use it.

use super::service::Leads;
use super::{api, pages};
use crate::web::routes::Routes;

/// All routes of leads.
pub fn routes(leads: Leads) -> Routes {
    api::routes().and(pages::routes()).with_state(leads)
}
