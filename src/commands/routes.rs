//! Every route of this feature, with who may use it.

use super::service::Commands;
use super::{api, pages};
use crate::web::routes::Routes;

/// All routes of automation.
pub fn routes(commands: Commands) -> Routes {
    api::routes().and(pages::routes()).with_state(commands)
}
