//! The routes of this feature, with their access.

use super::service::Rules;
use super::{api, pages};
use crate::web::routes::Routes;

/// Returns the routes of rules.
pub fn routes(rules: Rules) -> Routes {
    api::routes().and(pages::routes()).with_state(rules)
}
