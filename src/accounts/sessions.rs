//! Sessions in the table.
//!
//! Invariants:
//! - A session is stored under the hash of its secret, which only the browser's cookie contains.
//! - It ends when it was not used for [`SessionLimits::idle`], at [`SessionLimits::absolute`] after it began, when its
//!   person signs out or ends it, when its browser signs in again, and when the account's epoch changes.
//! - A cookie of version 0.1 starts one session. That session stays in the table until the cookie itself ends, also if
//!   it ended before or never began, so that the cookie cannot start it again.
//! - Recognizing a session takes one call, which reads the account and the session together.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::AccountError;
use super::auth_cache::AuthKey;
use super::domain::{Account, AccountStatus, Secret, Session};
pub use super::domain::{ListedSession, SessionId, SessionLimits};
use super::items::{SESSIONS, account_key, session_key};
use super::requester::Requester;
use super::session_cookie::{FORMER_LIFETIME, FormerSession, SessionCookie};
use crate::accounts::Accounts;
use crate::base::identity::{SignedIn, Via};
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::schema::SK;
use crate::store::{
    Condition, GuardedWrite, Item, RetryPolicy, Select, StoreError, Update, from_item, to_attribute, to_item,
};
use crate::web::lists::Listed;

/// How often the last use of a session or token is written.
pub(super) const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How long writing the last use may take. The request continues without it.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// The name of the list in cursors.
const LIST: &str = "sessions";

/// The most reads for one page of the list. Ended sessions stay in the table for days and are read, but not listed.
const READS: usize = 4;

/// The number of sessions that one read returns, current or ended.
const AT_ONCE: i32 = 100;

impl Accounts {
    /// Adds a new session of the account to a write. The session that the browser had before ends in the same write,
    /// because its cookie is replaced and only a copy of it could still use it.
    pub(super) fn add_session(
        &self,
        write: GuardedWrite,
        account: &Account,
        from: &Requester,
    ) -> Result<(GuardedWrite, SessionCookie), StoreError> {
        let cookie = SessionCookie { account: account.id, secret: Secret::new(self.rng.bytes()) };
        let session =
            Session::begin(account, from.device_and_address(), self.session_limits, self.clock.now());
        let key = session_key(account.id, &cookie.secret.hash());
        let write = write.put("session", to_item(&key, &session)?, Condition::Absent);
        let write = match &from.session {
            Some(replaced) => self.put_ended(write, replaced)?,
            None => write,
        };
        Ok((write, cookie))
    }

    /// Adds the end of a session to a write, whether or not the session is in the table.
    pub(super) fn put_ended(
        &self,
        write: GuardedWrite,
        session: &SessionCookie,
    ) -> Result<GuardedWrite, StoreError> {
        let now = self.clock.now();
        // A cookie of version 0.1 must find that its session has ended.
        let kept = self.session_limits.absolute.max(FORMER_LIFETIME);
        let key = session_key(session.account, &session.secret.hash());
        let ended = Session::ended(now, now.saturating_add(kept).unwrap_or(Timestamp::MAX));
        Ok(write.put_derived("ended session", to_item(&key, &ended)?))
    }

    /// Sends a write that adds a session. Returns whether its conditions held.
    pub(super) async fn write_session(
        &self,
        write: GuardedWrite,
        from: &Requester,
    ) -> Result<bool, StoreError> {
        let written = self.dynamo.try_write(write).await;
        self.forget_replaced(from);
        written
    }

    /// Checks the session that a new one replaces again from now on. This is called after every answer of the write,
    /// because a write whose answer was lost may have happened.
    pub(super) fn forget_replaced(&self, from: &Requester) {
        if let Some(replaced) = &from.session {
            self.forget_session(replaced);
        }
    }

    pub(super) fn forget_session(&self, session: &SessionCookie) {
        self.auth_cache.invalidate(&AuthKey::Session(session.account, SessionId::of(&session.secret)));
    }

    /// Returns the person of a session, if it has not ended.
    ///
    /// # Errors
    /// [`AccountError::Disabled`] if the account was disabled, which is the reason that its person should see.
    pub(super) async fn by_session(&self, cookie: &SessionCookie) -> Result<Option<SignedIn>, AccountError> {
        let Some((account, session)) = self.read_session(cookie).await? else { return Ok(None) };
        let now = self.clock.now();
        if account.status == AccountStatus::Disabled && session.as_ref().is_some_and(|session| !session.ended)
        {
            return Err(AccountError::Disabled);
        }
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
        self.write_last_use(write()).await;
    }

    /// Sends the write of the last use of a session or a token. The request does not depend on it.
    pub(super) async fn write_last_use(&self, write: Result<GuardedWrite, StoreError>) {
        let hasty = self.dynamo.clone().with_policy(RetryPolicy::new(SEEN_WITHIN, SEEN_WITHIN));
        let written = match write {
            // Its own time: the request's would let a failing store hold up the request until its deadline.
            Ok(write) => hasty.within(None, hasty.try_write(write)).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::debug!(%error, "the last use of a session or token was not written");
        }
    }

    /// Replaces a session of version 0.1 by a session in the table. Returns its person, if neither has ended.
    pub(super) async fn exchange(
        &self,
        former: &FormerSession,
        from: &Requester,
    ) -> Result<Option<SignedIn>, AccountError> {
        let cookie = former.successor();
        if self.clock.now() >= former.ends_at(self.session_limits) {
            return Ok(None);
        }
        let Some((account, session)) = self.read_session(&cookie).await? else { return Ok(None) };
        if session.is_none() {
            if account.epoch != former.epoch || !account.is_active() {
                return Ok(None);
            }
            let begun =
                Session::begin(&account, from.device_and_address(), self.session_limits, self.clock.now());
            // The limits can end it earlier. It stays in the table as long as its cookie could start it again.
            let expires_at = former.cookie_ends_at().as_second();
            let session = Session { created_at: former.began, expires_at, ..begun };
            let key = session_key(account.id, &cookie.secret.hash());
            let write =
                self.dynamo.guarded_write().put("session", to_item(&key, &session)?, Condition::Absent);
            // Another request with the same cookie may have created it.
            self.dynamo.try_write(write).await?;
        }
        self.by_session(&cookie).await
    }

    /// Returns a page of the current sessions of an account. It takes at most four reads, so it can be shorter
    /// than its limit although more sessions follow.
    ///
    /// # Errors
    /// [`AccountError::Cursor`] if the cursor belongs to another list.
    pub async fn sessions(
        &self,
        account: &Account,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<ListedSession>, AccountError> {
        let (mut items, mut more) = (Vec::new(), true);
        let mut last = start_after::<SessionId>(LIST, cursor)?;
        for _ in 0..READS {
            let mut range = Select::partition(account_key(account.id).pk, AT_ONCE).begins_with(SESSIONS);
            if let Some(id) = &last {
                let key = session_key(account.id, id.as_str());
                range = range.after(&key.sk, &key);
            }
            let page = self.dynamo.select(&range).await?;
            more = page.more;
            for item in page.items {
                if items.len() == usize::from(limit) {
                    more = true;
                    break;
                }
                let Some(id) = id_of(&item) else { continue };
                last = Some(id.clone());
                items.extend(self.listed(account, id, from_item(item)?));
            }
            if !more || items.len() == usize::from(limit) {
                break;
            }
        }
        items.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
        let next = last.filter(|_| more).map(|last| cursor_after(LIST, last));
        Ok(Listed { items, next })
    }

    /// Returns one session of an account, if it has not ended.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn session(
        &self,
        account: &Account,
        id: SessionId,
    ) -> Result<Option<ListedSession>, AccountError> {
        let item = self.dynamo.get(&session_key(account.id, id.as_str())).await?;
        let session = item.map(from_item).transpose()?;
        Ok(session.and_then(|session| self.listed(account, id, session)))
    }

    /// Returns a session as lists show it, or `None` if it has ended.
    fn listed(&self, account: &Account, id: SessionId, session: Session) -> Option<ListedSession> {
        let is_current = session.is_current(account, self.session_limits, self.clock.now());
        let Session { created_at, last_seen_at, device, address, .. } = session;
        is_current.then_some(ListedSession { id, created_at, last_seen_at, device, address })
    }
}

fn id_of(item: &Item) -> Option<SessionId> {
    item.get(SK)?.as_s().ok()?.strip_prefix(SESSIONS)?.parse().ok()
}

fn is_session(item: &Item) -> bool {
    id_of(item).is_some()
}
