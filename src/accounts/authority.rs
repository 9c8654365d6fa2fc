//! Checks inside a transaction that its sender may still make it.
//!
//! Authentication may be ten seconds old, because it is [cached](super::auth_cache). Changes of people, roles, tokens,
//! caps and draws therefore check the account again, as a condition of their own transaction.

use http::StatusCode;

use super::domain::AccountStatus;
use super::items::account_key;
use crate::base::identity::{Role, SignedIn};
use crate::store::{Condition, GuardedWrite, Refusal};
use crate::web::problem::{IntoProblem, Problem};

/// The label of the condition in a [`Refusal`].
pub(super) const AUTHORITY: &str = "authority";

/// Returns the condition that an account is active and has at least this role.
pub(super) fn is_active_with(role: Role) -> Condition {
    let roles = Role::ALL.into_iter().filter(|other| *other >= role);
    let roles = roles.map(|role| Condition::is("role", role.as_str())).collect();
    // Accounts of version 0.1 have no status.
    let active = [AccountStatus::Disabled, AccountStatus::Invited];
    let active = active.map(|status| Condition::is_not("status", status.as_str()));
    Condition::All([Condition::Any(roles)].into_iter().chain(active).collect())
}

impl GuardedWrite {
    /// Adds the condition that the sender's account is active and still has at least this role.
    pub fn authorized(self, who: &SignedIn, role: Role) -> Self {
        self.check(AUTHORITY, &account_key(who.id), is_active_with(role))
    }
}

/// The sender was disabled, or lost the role that the change requires. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account may no longer do this")]
pub struct NoLongerAllowed;

impl IntoProblem for NoLongerAllowed {
    fn into_problem(self) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your account can no longer do this",
            "An administrator changed your role or disabled your account. Nothing was saved.",
        )
    }
}

/// Returns an error if the write was refused because the sender may no longer make it.
///
/// # Errors
/// [`NoLongerAllowed`]
pub fn still_authorized(refusal: &Refusal) -> Result<(), NoLongerAllowed> {
    if refusal.of(AUTHORITY) { Err(NoLongerAllowed) } else { Ok(()) }
}
