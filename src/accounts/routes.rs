//! Every route of this feature, with who may use it.

use super::service::Accounts;
use super::{api, pages};
use crate::web::routes::Routes;

/// The routes of accounts, and the start page.
pub fn routes(accounts: Accounts) -> Routes {
    pages::routes().and(api::routes()).with_state(accounts)
}
