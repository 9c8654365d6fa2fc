//! The workspace's settings for signing in: which roles need two-factor authentication.
//!
//! People with such a role must set it up when they sign in. Sessions that began before the requirement can be ended with
//! it: the write of the settings records that, and [`ending`](super::ending) does it in steps.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::AccountError;
use super::change::Operator;
use super::domain::Account;
use crate::accounts::Accounts;
use crate::base::identity::Role;
use crate::base::values::Version;
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::store::{Condition, GuardedWrite, Key, from_item, to_item};

/// The settings for signing in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// The roles that need two-factor authentication.
    #[serde(default)]
    pub required_for: BTreeSet<Role>,
    /// The version, or `None` before the first change.
    pub version: Option<Version>,
    /// The end of sessions that began and is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<EndingSessions>,
}

/// Whose sessions are still to be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndingSessions {
    /// The role whose people are looked at.
    pub(super) role: Role,
    /// Where the list of its people continues. `None` is the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// The roles that follow.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    then: BTreeSet<Role>,
}

impl EndingSessions {
    /// Returns the beginning for these roles, or `None` if there are none.
    fn of(roles: &BTreeSet<Role>) -> Option<Self> {
        let mut then = roles.clone();
        then.pop_last().map(|role| Self { role, cursor: None, then })
    }

    /// Returns what is left after a page of people. `next` is the cursor of the page after it.
    pub(super) fn after(&self, next: Option<String>) -> Option<Self> {
        match next {
            Some(cursor) => Some(Self { cursor: Some(cursor), ..self.clone() }),
            None => Self::of(&self.then),
        }
    }
}

impl Security {
    /// Returns whether people with this role need two-factor authentication.
    pub fn requires(&self, role: Role) -> bool {
        self.required_for.contains(&role)
    }

    /// Returns whether a person may not go on without setting up two-factor authentication.
    pub(super) fn ends_sessions_of(&self, account: &Account) -> bool {
        self.requires(account.role) && account.lacks_two_factor()
    }

    /// Adds the condition that the settings still have the version that was read.
    pub(super) fn still_applies(&self, write: GuardedWrite) -> GuardedWrite {
        write.check("security", &security_key(), has_version(self.version))
    }
}

/// Returns the condition that the settings have this version.
pub(super) fn has_version(version: Option<Version>) -> Condition {
    match version {
        Some(version) => Condition::is_number("version", version.get()),
        None => Condition::Absent,
    }
}

pub(super) fn security_key() -> Key {
    Key::new("WORKSPACE", "SECURITY")
}

impl Accounts {
    /// Reads the settings for signing in.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn security(&self) -> Result<Security, AccountError> {
        let item = self.dynamo.get(&security_key()).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    /// Sets the roles that need two-factor authentication. It is asked for from the next time that a person signs in.
    /// With `end_sessions`, the sessions of people of these roles who have none are to be ended now:
    /// [`end_sessions_without_two_factor`](Self::end_sessions_without_two_factor) does it.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if `expected` is not the version of the settings;
    /// [`AccountError::NoDataKey`] if this host cannot encrypt secrets; [`AccountError::NoLongerAllowed`].
    pub async fn require_two_factor(
        &self,
        expected: Option<Version>,
        required_for: BTreeSet<Role>,
        end_sessions: bool,
        operator: Operator<'_>,
    ) -> Result<Security, AccountError> {
        if self.data_keys.is_none() && !required_for.is_empty() {
            return Err(AccountError::NoDataKey);
        }
        let version = expected.map_or(Version::FIRST, Version::next);
        let roles: Vec<&str> = required_for.iter().map(Role::as_str).collect();
        let named = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
        let ending = end_sessions.then(|| EndingSessions::of(&required_for)).flatten();
        let ended = if ending.is_some() { " Sessions of people without it end." } else { "" };
        let detail = format!("Two-factor authentication is required for {named}.{ended}");
        let after = Security { required_for, version: Some(version), ending };
        let (kind, now) = (AuditKind::SettingChanged, self.clock.now());
        let entry = AuditEntry::new(&self.rng, now, &operator.actor(), kind, "Sign-in", detail);
        let write = self.dynamo.guarded_write();
        let write = write.put("security", to_item(&security_key(), &after)?, has_version(expected));
        let write = operator.authorize(write.audit(&entry.at_path("/people"))?, None);
        if self.write_authorized(write).await? { Ok(after) } else { Err(AccountError::Changed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_follow_each_other_page_by_page() {
        let roles = BTreeSet::from([Role::Agent, Role::Viewer, Role::Administrator]);
        let mut left = EndingSessions::of(&roles);
        let mut seen = Vec::new();
        while let Some(ending) = left {
            seen.push((ending.role, ending.cursor.clone()));
            let next = ending.cursor.is_none().then(|| "next".to_owned());
            left = ending.after(next);
        }
        let expected = [Role::Administrator, Role::Agent, Role::Viewer]
            .into_iter()
            .flat_map(|role| [(role, None), (role, Some("next".to_owned()))]);
        assert_eq!(seen, expected.collect::<Vec<_>>());
        assert_eq!(EndingSessions::of(&BTreeSet::new()), None);
    }
}
