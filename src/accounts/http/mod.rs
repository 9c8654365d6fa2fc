//! The pages for signing up, in and out and for a person's own account.

mod account;
pub(super) mod api;
mod link;
mod parts;
mod sign_in;
mod sign_in_page;
mod sign_up;
mod two_factor;

use super::Accounts;
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Accounts> {
    sign_in::routes()
        .and(link::routes())
        .and(account::routes())
        .and(two_factor::routes())
        .and(sign_up::routes())
}
