//! Every route of this feature, with who may use it.

use super::service::Rules;
use super::{api, pages};
use crate::web::routes::Routes;

/// All routes of rules.
pub fn routes(rules: Rules) -> Routes {
    api::routes().and(pages::routes()).with_state(rules)
}
