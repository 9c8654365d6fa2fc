//! Ending the sessions of an account: all of them, one, or those of a lost second factor.

use crate::accounts::auth_cache::AuthKey;
use crate::accounts::change::{Description, Operator};
use crate::accounts::domain::Account;
use crate::accounts::items::session_key;
use crate::accounts::sessions::SessionId;
use crate::accounts::{AccountError, Accounts};
use crate::base::identity::{AccountId, Role};
use crate::base::values::Version;
use crate::shared::audit_log::AuditKind;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, Update, to_attribute};

impl Accounts {
    /// Ends all sessions and unused sign-in links of an account and, if wanted, revokes its tokens.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::KeyReused`].
    pub async fn end_sessions(
        &self,
        id: AccountId,
        expected: Version,
        with_tokens: bool,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Done<Account>, AccountError> {
        let end = async {
            let before = self.find_version(id, expected).await?;
            let after = before.clone().without_sessions().changed(self.clock.now());
            let (after, detail) = match with_tokens {
                true => (after.without_tokens(), "All sessions ended and all tokens revoked."),
                false => (after, "All sessions ended."),
            };
            let what = Description::new(AuditKind::SessionsEnded, detail);
            self.change(&before, after, operator, &what, idempotency).await
        };
        Idempotency::run(idempotency, &self.dynamo, end).await
    }

    /// Switches two-factor authentication off for a person who lost the app and the recovery codes. It ends all sessions.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`]; [`AccountError::KeyReused`].
    pub async fn reset_two_factor(
        &self,
        id: AccountId,
        expected: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Done<Account>, AccountError> {
        let reset = self.reset_two_factor_now(id, expected, operator, idempotency);
        Idempotency::run(idempotency, &self.dynamo, reset).await
    }

    async fn reset_two_factor_now(
        &self,
        id: AccountId,
        expected: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(id, expected).await?;
        if before.role == Role::Administrator {
            operator.require_session()?;
        }
        if before.two_factor.is_none() {
            return Ok(before);
        }
        let after = before.clone().with_two_factor(None).without_sessions().changed(self.clock.now());
        let detail = "Two-factor authentication reset and all sessions ended.";
        let what = Description::new(AuditKind::TwoFactorChanged, detail);
        self.change(&before, after, operator, &what, idempotency).await
    }

    /// Ends one session of a person. Returns false if it had ended before.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`].
    pub async fn end_session_of(
        &self,
        id: AccountId,
        session: &SessionId,
        operator: Operator<'_>,
    ) -> Result<bool, AccountError> {
        self.end_one_session(&self.find(id).await?, session, operator).await
    }

    /// Ends one session of an account, with an audit entry. Returns false if it had ended before.
    ///
    /// # Errors
    /// [`AccountError::NoLongerAllowed`].
    pub(in crate::accounts) async fn end_one_session(
        &self,
        account: &Account,
        session: &SessionId,
        operator: Operator<'_>,
    ) -> Result<bool, AccountError> {
        let detail = match operator {
            Operator::SignedOut(_) => "Signed out.",
            _ => "One session ended.",
        };
        let entry = self.audit_entry(account, &operator.actor(), AuditKind::SessionsEnded, detail);
        let ended = Update::default().set("ended", to_attribute(true)?);
        let current = Condition::Exists.and(Condition::NotEquals("ended", to_attribute(true)?));
        let key = session_key(account.id, session.as_str());
        let write = self.dynamo.guarded_write().update("session", &key, &ended, current);
        let written = self.write_authorized(operator.authorize(write.audit(&entry)?, None)).await;
        // Done even after an error: a write whose answer was lost may have happened.
        self.auth_cache.invalidate(&AuthKey::Session(account.id, session.clone()));
        written
    }
}
