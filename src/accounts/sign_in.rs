//! Signs people in by their password, and starts and ends sessions of browsers.

use axum_extra::extract::CookieJar;
use http::HeaderMap;
use jiff::SignedDuration;

use super::AccountError;
use super::authority::is_active_with;
use super::change::Operator;
use super::device::{Device, DeviceId};
use super::domain::Account;
use super::hashing::Permit;
use super::items::account_key;
use super::login_throttle::Budget;
use super::password::{Password, PasswordHash};
use super::requester::Requester;
use super::session_cookie::{SessionCookie, cookie, open, signed};
use super::sessions::SessionId;
use super::sign_in_audit::SignInSubject;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role};
use crate::base::values::Email;
use crate::store::{Condition, GuardedWrite, StoreError, Update, to_attribute};

/// What the page and the audit log say about a wrong email address or password.
pub(super) const INCORRECT: &str = "Incorrect email or password.";

/// The cookies of a new session and of its device, which the answer must set.
pub(super) type SessionCookies = (CookieJar, CookieJar);

impl Accounts {
    /// Returns the account with this address and password, or `None`. Neither the result nor its timing reveals which
    /// of the two is wrong, or that the account may not sign in.
    ///
    /// # Errors
    /// [`AccountError::Busy`]; [`AccountError::TooManyAttempts`] if too many passwords were tried.
    pub async fn sign_in(
        &self,
        email: &Email,
        password: Password,
        from: &Requester,
    ) -> Result<Option<Account>, AccountError> {
        let permit = self.hashing.enter(from.queue())?;
        let id = self.by_email(email).await?;
        let subject = SignInSubject::stranger(email.as_str(), id, from);
        let counted = self.count_attempt(from.budgets(email, id), &subject).await?;
        let account = self.by_password(id, password, &permit).await?;
        let Some(account) = account.filter(Account::is_active) else {
            self.record_failure(&subject, INCORRECT).await;
            return Ok(None);
        };
        self.refund_attempt(counted).await?;
        Ok(Some(account))
    }

    /// Returns the account with this id if it has this password. A missing account takes equally long.
    async fn by_password(
        &self,
        id: Option<AccountId>,
        password: Password,
        permit: &Permit,
    ) -> Result<Option<Account>, AccountError> {
        let account = self.read(id.unwrap_or(AccountId::NONE)).await?;
        let hash = account.as_ref().and_then(|account| account.password.clone());
        let is_right = self.verify_password(permit, hash, password).await?;
        Ok(account.filter(|_| is_right))
    }

    /// Counts and records an attempt with an email address or a password that no account can have.
    ///
    /// # Errors
    /// [`AccountError::TooManyAttempts`] if the network has no attempts left.
    pub(super) async fn refuse_malformed(
        &self,
        email: Option<&Email>,
        from: &Requester,
    ) -> Result<(), AccountError> {
        // Not what was typed instead of an address, because that may be a password.
        let subject = email.map_or_else(|| "an invalid email".to_owned(), ToString::to_string);
        let subject = SignInSubject::stranger(subject, None, from);
        // It guesses no password, so it uses no attempt of an account. The network limits how many entries are written.
        if let Some(network) = from.network {
            self.count_attempt([Budget::Network(network)], &subject).await?;
        }
        self.record_failure(&subject, INCORRECT).await;
        Ok(())
    }
}

impl Accounts {
    /// Starts a session, unless the account was changed so that it may not sign in. Returns the cookies, which the
    /// answer must set. `how` is a sentence for the audit log.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if the account was disabled or its sessions were ended at the same time.
    pub(super) async fn begin_session(
        &self,
        account: &Account,
        from: &Requester,
        how: &str,
    ) -> Result<SessionCookies, AccountError> {
        let write = self.signed_in_write(self.dynamo.guarded_write(), account, from, how)?;
        let (write, session) = self.add_session(write, account, from)?;
        if self.write_session(write, from).await? {
            Ok(self.session_cookies(&session, from).await)
        } else {
            Err(AccountError::Changed)
        }
    }

    /// Adds the time of the sign-in and its audit entry to a write. The write is refused if the account may not sign
    /// in any more.
    pub(super) fn signed_in_write(
        &self,
        write: GuardedWrite,
        account: &Account,
        from: &Requester,
        how: &str,
    ) -> Result<GuardedWrite, StoreError> {
        let (key, update) = (account_key(account.id), self.sign_in_update()?);
        let write = write.update("account", &key, &update, Self::may_sign_in(account));
        self.audit_sign_in(write, account, from, how)
    }

    /// Returns the change of an account that signs in.
    pub(super) fn sign_in_update(&self) -> Result<Update, StoreError> {
        Ok(Update::default().set("lastSignInAt", to_attribute(self.clock.now())?))
    }

    /// Returns the condition that an account may still sign in as it was read.
    pub(super) fn may_sign_in(account: &Account) -> Condition {
        Condition::is_number("epoch", account.epoch).and(is_active_with(Role::Participant))
    }

    /// Returns the cookies of a session that was just written.
    pub(super) async fn session_cookies(&self, session: &SessionCookie, from: &Requester) -> SessionCookies {
        let now = self.clock.now();
        let device =
            Device::signed_in(from.device.clone(), DeviceId::new(self.rng.bytes()), session.account, now);
        let keys = self.cookies.keys.at(now).await;
        let device = CookieJar::new().add(device.cookie(&self.cookies, &keys, now));
        (signed(&self.cookies, keys.signing(now), session, self.session_limits.absolute), device)
    }

    /// Returns the session that a browser's cookie names, whether or not it has ended.
    pub(super) async fn session_of(&self, headers: &HeaderMap) -> Option<SessionCookie> {
        let now = self.clock.now();
        let opened = open(&self.cookies, &*self.cookies.keys.at(now).await, headers, now)?;
        Some(opened.content.session())
    }

    /// Ends this browser's session in the table, also that of a disabled account. Returns the expired cookie, which the
    /// answer must set.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed; then the session may continue.
    pub(super) async fn sign_out(
        &self,
        headers: &HeaderMap,
        from: &Requester,
    ) -> Result<CookieJar, AccountError> {
        // The sessions of a deleted account ended with it.
        if let Some(session) = self.session_of(headers).await
            && let Some(account) = self.read(session.account).await?
        {
            let actor = from.actor(&account);
            let id = SessionId::of(&session.secret);
            if !self.end_one_session(&account, &id, Operator::SignedOut(&actor)).await? {
                // A cookie of version 0.1 whose session is not in the table must start none later.
                let written =
                    self.dynamo.try_write(self.put_ended(self.dynamo.guarded_write(), &session)?).await;
                self.forget_session(&session);
                written?;
            }
        }
        Ok(CookieJar::new().add(cookie(&self.cookies, String::new(), SignedDuration::ZERO)))
    }
}

impl Accounts {
    pub(super) async fn hash(
        &self,
        permit: &Permit,
        password: Password,
    ) -> Result<PasswordHash, AccountError> {
        let salt = self.rng.bytes();
        let hashed =
            self.hashing.run(&self.blocking, permit, move |memory| password.hash(&salt, memory)).await;
        let failed = |error: &dyn std::error::Error| AccountError::Hashing(error.to_string());
        hashed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// Returns whether this is the hash of the password. A missing hash takes equally long.
    pub(super) async fn verify_password(
        &self,
        permit: &Permit,
        hash: Option<PasswordHash>,
        password: Password,
    ) -> Result<bool, AccountError> {
        let hash = hash.unwrap_or_else(PasswordHash::of_no_account);
        let compared =
            self.hashing.run(&self.blocking, permit, move |memory| hash.is_of(&password, memory)).await;
        compared.map_err(|error| AccountError::Hashing(error.to_string()))
    }
}
