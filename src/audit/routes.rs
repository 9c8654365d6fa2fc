//! The routes of this feature, with their access rules.

use super::http;
use super::service::Audit;
use crate::web::routes::Routes;

/// Builds the routes of the audit log.
pub fn routes(audit: Audit) -> Routes {
    http::routes().with_state(audit)
}
