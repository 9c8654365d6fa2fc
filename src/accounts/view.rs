//! An account as the JSON API shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::domain::{Account, AccountKind, AccountLink, AccountStatus};
use crate::base::calendar::ZoneName;
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name, Version};

/// An account as the JSON API shows it: without hashes and epochs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The id.
    pub id: AccountId,
    /// The name.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// The role.
    pub role: Role,
    /// Whether it is invited, active or disabled.
    pub state: AccountStatus,
    /// Whether it is that of a person or a service.
    pub kind: AccountKind,
    /// Whether it has a password.
    pub has_password: bool,
    /// Whether the person has set up two-factor authentication.
    pub two_factor: bool,
    /// The invitation or reset that was not used yet, or null.
    pub link: Option<AccountLink>,
    /// The time zone in which the person sees times, or null for the workspace's.
    pub time_zone: Option<ZoneName>,
    /// The last sign-in, or null.
    pub last_sign_in_at: Option<Timestamp>,
    /// The creation time.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The version.
    pub version: Version,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            email: account.email.clone(),
            role: account.role,
            state: account.status,
            kind: account.kind,
            has_password: account.password.is_some(),
            two_factor: account.two_factor.is_some(),
            link: account.link.clone(),
            time_zone: account.time_zone.clone(),
            last_sign_in_at: account.last_sign_in_at,
            created_at: account.created_at,
            updated_at: account.updated_at,
            version: account.version,
        }
    }
}
