//! All routes of this feature, with the access that each requires.

use super::http::{self, api};
use super::service::Accounts;
use crate::web::routes::Routes;

/// Returns all routes of accounts.
pub fn routes(accounts: Accounts) -> Routes {
    http::routes().and(api::routes()).with_state(accounts)
}
