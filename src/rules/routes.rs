//! The routes of this feature, with their access.

use super::http::{self, api};
use super::service::Rules;
use crate::web::routes::Routes;

/// Returns the routes of rules.
pub fn routes(rules: Rules) -> Routes {
    api::routes().and(http::routes()).with_state(rules)
}
