//! All routes of this feature, with the access that each requires.

use super::service::Accounts;
use super::{api, pages};
use crate::web::routes::Routes;

/// Returns all routes of accounts.
pub fn routes(accounts: Accounts) -> Routes {
    pages::routes().and(api::routes()).with_state(accounts)
}
