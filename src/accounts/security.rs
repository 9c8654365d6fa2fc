//! The workspace's settings for signing in: which roles need two-factor authentication.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::AccountError;
use super::authority::AUTHORITY;
use super::change::Operator;
use crate::accounts::Accounts;
use crate::base::identity::Role;
use crate::base::values::Version;
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::store::{Condition, Key, WriteError, from_item, to_item};

/// The settings for signing in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// The roles that need two-factor authentication.
    #[serde(default)]
    pub required_for: BTreeSet<Role>,
    /// The version, or `None` before the first change.
    pub version: Option<Version>,
}

impl Security {
    /// Returns whether people with this role need two-factor authentication.
    pub fn requires(&self, role: Role) -> bool {
        self.required_for.contains(&role)
    }
}

fn security_key() -> Key {
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
    ///
    /// # Errors
    /// [`AccountError::Changed`] if the settings have another version than the sender saw;
    /// [`AccountError::NoDataKey`] if this host cannot encrypt secrets; [`AccountError::NoLongerAllowed`].
    pub async fn require_two_factor(
        &self,
        seen: Option<Version>,
        required_for: BTreeSet<Role>,
        operator: Operator<'_>,
    ) -> Result<Security, AccountError> {
        if self.data_keys.is_none() && !required_for.is_empty() {
            return Err(AccountError::NoDataKey);
        }
        let version = seen.map_or(Version::FIRST, Version::next);
        let roles: Vec<&str> = required_for.iter().map(Role::as_str).collect();
        let named = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
        let detail = format!("Two-factor authentication is required for {named}.");
        let after = Security { required_for, version: Some(version) };
        let unchanged = match seen {
            Some(version) => Condition::is_number("version", version.get()),
            None => Condition::Absent,
        };
        let (kind, now) = (AuditKind::SettingChanged, self.clock.now());
        let entry = AuditEntry::new(&self.rng, now, &operator.actor(), kind, "Sign-in", detail);
        let write = self.dynamo.guarded_write();
        let write = write.put("security", to_item(&security_key(), &after)?, unchanged);
        let write = operator.authorize(write.audit(&entry.at_path("/people"))?, None);
        match self.dynamo.write(write).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) if refusal.of(AUTHORITY) => Err(AccountError::NoLongerAllowed),
            Err(WriteError::Refused(_)) => Err(AccountError::Changed),
        }
    }
}
