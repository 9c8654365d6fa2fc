//! Sessions of browsers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::secret::Secret;
use crate::base::values::Invalid;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// A session ends when it was not used for this time. Its last use is known to ten minutes.
    pub idle: SignedDuration,
    /// A session ends this long after it began.
    pub absolute: SignedDuration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(12), absolute: SignedDuration::from_hours(7 * 24) }
    }
}

/// A session, as stored and as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The epoch of the account in which it began.
    #[serde(rename = "epoch")]
    pub(in crate::accounts) epoch: u64,
    /// The time at which it began.
    pub created_at: Timestamp,
    /// The last time that it was used, up to ten minutes late.
    pub last_seen_at: Timestamp,
    /// The browser and the system in words, for example "Firefox on Windows".
    pub device: String,
    /// The address that it was used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The time from which the table may remove it, in seconds. It has ended then.
    pub(in crate::accounts) expires_at: i64,
    /// Whether it was ended before.
    #[serde(default)]
    pub(in crate::accounts) ended: bool,
}

impl Session {
    /// Returns a session of an account that begins now.
    pub(in crate::accounts) fn begin(
        account: &Account,
        (device, address): (String, Option<IpAddr>),
        limits: SessionLimits,
        now: Timestamp,
    ) -> Self {
        let expires_at = now.saturating_add(limits.absolute).unwrap_or(Timestamp::MAX).as_second();
        let (epoch, ended) = (account.epoch, false);
        Self { epoch, created_at: now, last_seen_at: now, device, address, expires_at, ended }
    }

    /// Returns a session that ended now, of which nothing else is known. It stays in the table until it expires.
    pub(in crate::accounts) fn ended(now: Timestamp, expires_at: Timestamp) -> Self {
        let (device, address, expires_at) = (String::new(), None, expires_at.as_second());
        Self { epoch: 0, created_at: now, last_seen_at: now, device, address, expires_at, ended: true }
    }

    /// Returns whether the session of this account has not ended.
    pub(in crate::accounts) fn is_current(
        &self,
        account: &Account,
        limits: SessionLimits,
        now: Timestamp,
    ) -> bool {
        !self.ended
            && account.is_active()
            && self.epoch == account.epoch
            && now.as_second() < self.expires_at
            && now.duration_since(self.created_at) < limits.absolute
            && now.duration_since(self.last_seen_at) < limits.idle
    }
}

/// The id of a session: the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    pub(in crate::accounts) fn of(secret: &Secret) -> Self {
        Self(secret.hash())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("The ID of a session is 64 hexadecimal digits."))
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSession {
    /// The id.
    #[serde(serialize_with = "as_text")]
    pub id: SessionId,
    /// The time at which it began.
    pub created_at: Timestamp,
    /// The last time that it was used, up to ten minutes late.
    pub last_seen_at: Timestamp,
    /// The browser and the system in words.
    pub device: String,
    /// The address that it was used from.
    pub address: Option<IpAddr>,
}

fn as_text<S: serde::Serializer>(id: &SessionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::domain::AccountStatus;
    use crate::base::identity::{AccountId, Role};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn account() -> Account {
        let (name, email) = ("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        Account::new(AccountId::new(NOW, &[1; 10]), name, email, Role::Agent, None, NOW)
    }

    fn session(limits: SessionLimits) -> Session {
        Session::begin(&account(), (String::new(), None), limits, NOW)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old() {
        let limits = SessionLimits::default();
        let session = session(limits);
        let hours = SignedDuration::from_hours;
        let second = SignedDuration::from_secs(1);
        let used_at = |at: Timestamp| Session { last_seen_at: at, ..session.clone() };
        let is_current = |session: &Session, now: Timestamp| session.is_current(&account(), limits, now);
        assert!(is_current(&session, NOW + hours(12) - second));
        assert!(!is_current(&session, NOW + hours(12)));
        let late = NOW + hours(7 * 24) - second;
        assert!(is_current(&used_at(late), late));
        assert!(!is_current(&used_at(late), late + second));
    }

    #[test]
    fn a_session_ends_when_it_is_ended_or_its_account_changes() {
        let limits = SessionLimits::default();
        let session = session(limits);
        assert!(session.is_current(&account(), limits, NOW));
        assert!(!Session { ended: true, ..session.clone() }.is_current(&account(), limits, NOW));
        assert!(!session.is_current(&account().without_sessions(), limits, NOW));
        let disabled = Account { status: AccountStatus::Disabled, ..account() };
        assert!(!session.is_current(&disabled, limits, NOW));
    }
}
