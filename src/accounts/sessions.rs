//! Sessions in the table.
//!
//! Invariants:
//! - A session is stored under the hash of its secret, which only the browser's cookie contains.
//! - It ends when it was not used for [`SessionLimits::idle`], at [`SessionLimits::absolute`] after it began, when its
//!   person signs out or ends it, and when the account's epoch changes.
//! - An ended session stays in the table until it would have ended, so that a cookie of version 0.1 cannot start it
//!   again.
//! - Recognizing a session takes one call, which reads the account and the session together.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::auth_cache::AuthKey;
use super::domain::{Account, Secret};
use super::items::{SESSIONS, account_key, session_key};
use super::requester::Requester;
use super::session::{FormerSession, SessionCookie};
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, SignedIn, Via};
use crate::shared::lists::{cursor_after, start_after};
use crate::store::schema::SK;
use crate::store::{
    Condition, GuardedWrite, Item, RetryPolicy, Select, StoreError, Update, from_item, to_attribute, to_item,
};
use crate::web::lists::Listed;

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

/// How often the last use of a session or token is written.
pub(super) const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How long writing the last use may take. The request continues without it.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// A session, as stored and as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The epoch of the account in which it began.
    #[serde(rename = "epoch")]
    pub(super) epoch: u64,
    /// The time at which it began.
    pub created_at: Timestamp,
    /// The last time that it was used, up to ten minutes late.
    pub last_seen_at: Timestamp,
    /// The browser and the system in words, for example "Firefox on Windows".
    pub device: String,
    /// The address that it was used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The time at which it ends, in seconds.
    pub(super) expires_at: i64,
    /// Whether it was ended before.
    #[serde(default)]
    pub(super) ended: bool,
}

impl Session {
    fn begin(account: &Account, from: &Requester, limits: SessionLimits, now: Timestamp) -> Self {
        let expires_at = now.saturating_add(limits.absolute).unwrap_or(Timestamp::MAX).as_second();
        let (device, address) = (from.device_name.clone(), from.address);
        let (epoch, ended) = (account.epoch, false);
        Self { epoch, created_at: now, last_seen_at: now, device, address, expires_at, ended }
    }

    /// Returns whether the session of this account has not ended.
    pub(super) fn is_current(&self, account: &Account, limits: SessionLimits, now: Timestamp) -> bool {
        !self.ended
            && account.is_active()
            && self.epoch == account.epoch
            && now.as_second() < self.expires_at
            && now.duration_since(self.last_seen_at) < limits.idle
    }
}

/// The id of a session: the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    pub(super) fn of(secret: &Secret) -> Self {
        Self(secret.hash())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SessionId {
    type Err = crate::base::values::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash {
            Ok(Self(text.to_owned()))
        } else {
            Err(crate::base::values::Invalid::new("The id of a session is 64 hexadecimal digits."))
        }
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

impl Accounts {
    /// Adds a new session of the account to a write.
    pub(super) fn add_session(
        &self,
        write: GuardedWrite,
        account: &Account,
        from: &Requester,
    ) -> Result<(GuardedWrite, SessionCookie), StoreError> {
        let cookie = SessionCookie { account: account.id, secret: Secret::new(self.rng.bytes()) };
        let session = Session::begin(account, from, self.session_limits, self.clock.now());
        let key = session_key(account.id, &cookie.secret.hash());
        Ok((write.put("session", to_item(&key, &session)?, Condition::Absent), cookie))
    }

    /// Returns the person of a session, if it has not ended.
    pub(super) async fn by_session(&self, cookie: &SessionCookie) -> Result<Option<SignedIn>, AccountError> {
        let Some((account, session)) = self.read_session(cookie).await? else { return Ok(None) };
        let now = self.clock.now();
        let Some(session) = session.filter(|session| session.is_current(&account, self.session_limits, now))
        else {
            return Ok(None);
        };
        if now.duration_since(session.last_seen_at) >= SEEN_EVERY {
            self.saw_session(cookie, &session, now).await;
        }
        Ok(Some(account.signed_in(Via::Session)))
    }

    /// Reads the account and the session of a cookie with one call.
    async fn read_session(
        &self,
        cookie: &SessionCookie,
    ) -> Result<Option<(Account, Option<Session>)>, StoreError> {
        let keys = [account_key(cookie.account), session_key(cookie.account, &cookie.secret.hash())];
        let (mut account, mut session) = (None, None);
        for item in self.dynamo.get_all(&keys).await? {
            if is_session(&item) {
                session = Some(from_item(item)?);
            } else {
                account = Some(from_item(item)?);
            }
        }
        Ok(account.map(|account| (account, session)))
    }

    /// Writes the last use of a session. The request does not depend on it.
    async fn saw_session(&self, cookie: &SessionCookie, session: &Session, now: Timestamp) {
        let write = || {
            let seen = Update::default().set("lastSeenAt", to_attribute(now)?);
            let unchanged = Condition::Equals("lastSeenAt", to_attribute(session.last_seen_at)?);
            let key = session_key(cookie.account, &cookie.secret.hash());
            Ok::<_, StoreError>(self.dynamo.guarded_write().update("session", &key, &seen, unchanged))
        };
        let hasty = self.dynamo.clone().with_policy(RetryPolicy::new(SEEN_WITHIN, SEEN_WITHIN));
        let written = match write() {
            Ok(write) => hasty.try_write(write).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::debug!(%error, "the last use of a session was not written");
        }
    }

    /// Replaces a session of version 0.1 by a session in the table. Returns its person, if neither has ended.
    pub(super) async fn exchange(
        &self,
        former: &FormerSession,
        from: &Requester,
    ) -> Result<Option<SignedIn>, AccountError> {
        let cookie = former.successor();
        let Some((account, session)) = self.read_session(&cookie).await? else { return Ok(None) };
        if session.is_none() {
            if account.epoch != former.epoch || !account.is_active() {
                return Ok(None);
            }
            let begun = Session::begin(&account, from, self.session_limits, self.clock.now());
            let expires_at = begun.expires_at.min(former.ends_at().as_second());
            let session = Session { created_at: former.began, expires_at, ..begun };
            let key = session_key(account.id, &cookie.secret.hash());
            let write =
                self.dynamo.guarded_write().put("session", to_item(&key, &session)?, Condition::Absent);
            // Another request with the same cookie may have created it.
            self.dynamo.try_write(write).await?;
        }
        self.by_session(&cookie).await
    }

    /// Returns the current sessions of an account.
    ///
    /// # Errors
    /// [`AccountError::Cursor`] if the cursor belongs to another list.
    pub async fn sessions(
        &self,
        account: &Account,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<ListedSession>, AccountError> {
        const LIST: &str = "sessions";
        let mut range = Select::partition(account_key(account.id).pk, i32::from(limit)).begins_with(SESSIONS);
        if let Some(id) = start_after::<SessionId>(LIST, cursor)? {
            let key = session_key(account.id, id.as_str());
            range = range.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&range).await?;
        let more = page.more;
        let (mut items, mut last, now) = (Vec::new(), None, self.clock.now());
        for item in page.items {
            let Some(id) = id_of(&item) else { continue };
            let session: Session = from_item(item)?;
            last = Some(id.clone());
            if session.is_current(account, self.session_limits, now) {
                let Session { created_at, last_seen_at, device, address, .. } = session;
                items.push(ListedSession { id, created_at, last_seen_at, device, address });
            }
        }
        items.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
        let next = last.filter(|_| more).map(|last| cursor_after(LIST, last));
        Ok(Listed { items, next })
    }

    /// Ends one session of an account. Returns false if it had ended before.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn end_session(&self, account: AccountId, id: &SessionId) -> Result<bool, AccountError> {
        let ended = Update::default().set("ended", to_attribute(true)?);
        let current = Condition::Exists.and(Condition::NotEquals("ended", to_attribute(true)?));
        let key = session_key(account, id.as_str());
        let written =
            self.dynamo.try_write(self.dynamo.guarded_write().update("session", &key, &ended, current)).await;
        // In any case, because a write whose answer was lost may have happened.
        self.auth_cache.invalidate(&AuthKey::Session(account, id.clone()));
        Ok(written?)
    }
}

fn id_of(item: &Item) -> Option<SessionId> {
    item.get(SK)?.as_s().ok()?.strip_prefix(SESSIONS)?.parse().ok()
}

fn is_session(item: &Item) -> bool {
    id_of(item).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::identity::Role;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn account() -> Account {
        let (name, email) = ("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        Account::new(AccountId::new(NOW, &[1; 10]), name, email, Role::Agent, None, NOW)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_old_ended_or_of_a_former_epoch() {
        let limits = SessionLimits::default();
        let session = Session::begin(&account(), &Requester::default(), limits, NOW);
        let hours = SignedDuration::from_hours;
        let second = SignedDuration::from_secs(1);
        let used_at = |at: Timestamp| Session { last_seen_at: at, ..session.clone() };
        let is_current = |session: &Session, now: Timestamp| session.is_current(&account(), limits, now);
        assert!(is_current(&session, NOW + hours(12) - second));
        assert!(!is_current(&session, NOW + hours(12)));
        let late = NOW + hours(7 * 24) - second;
        assert!(is_current(&used_at(late), late));
        assert!(!is_current(&used_at(late), late + second));
        assert!(!is_current(&Session { ended: true, ..session.clone() }, NOW));
        assert!(!session.is_current(&account().without_sessions(), limits, NOW));
        let disabled = Account { status: crate::accounts::domain::AccountStatus::Disabled, ..account() };
        assert!(!session.is_current(&disabled, limits, NOW));
    }
}
