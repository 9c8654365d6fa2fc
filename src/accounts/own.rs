//! What people do with their own accounts.

use super::AccountError;
use super::change::{Description, Operator, change_sentence};
use super::domain::Account;
use super::hashing::Queue;
use super::items::session_key;
use super::login_throttle::Budget;
use super::password::Password;
use super::requester::Requester;
use super::session_cookie::SessionCookie;
use super::sign_in::SessionCookies;
use super::sign_in_audit::SignInSubject;
use super::two_factor::{RecoveryCodes, SecondFactorCode, TwoFactorError};
use crate::accounts::Accounts;
use crate::base::calendar::ZoneName;
use crate::base::identity::{Role, SignedIn};
use crate::base::values::{Email, Name, Version};
use crate::shared::audit_log::AuditKind;
use crate::store::{Condition, Update, to_attribute};

impl Accounts {
    /// Changes the person's own password, which ends all other sessions and unused sign-in links and, if wanted,
    /// revokes all tokens. `current` must be the current password if there is one. Returns the cookies of a new
    /// session.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`], [`AccountError::Busy`];
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub(super) async fn change_password(
        &self,
        who: &SignedIn,
        current: Option<Password>,
        new: Password,
        revoke_tokens: bool,
        from: &Requester,
    ) -> Result<SessionCookies, AccountError> {
        let before = self.find_for_change(who.id).await?;
        self.confirm(who, &before, current).await?;
        let after = self.with_new_password(before.clone(), new).await?;
        let (after, detail) = match revoke_tokens {
            true => (after.without_tokens(), "Password changed, other sessions ended, tokens revoked."),
            false => (after, "Password changed and other sessions ended."),
        };
        let what = Description::new(AuditKind::PasswordChanged, detail);
        let write = self.change_write(&before, &after, Operator::Owner(who), &what)?;
        let (write, session) = self.add_session(write, &after, from)?;
        self.make(write, &after).await.map_err(as_changed)?;
        Ok(self.session_cookies(&session, from).await)
    }

    /// Changes the person's own name and, confirmed by the password, the address. Each address that another account has
    /// uses up an attempt, because the answer shows that it exists.
    ///
    /// # Errors
    /// [`AccountError::Conflict`], [`AccountError::EmailTaken`], [`AccountError::WrongPassword`],
    /// [`AccountError::TooManyAttempts`], [`AccountError::Busy`].
    pub async fn change_profile(
        &self,
        who: &SignedIn,
        expected: Version,
        (name, email): (Name, Email),
        current: Option<Password>,
        from: &Requester,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(who.id, expected).await?;
        let mut counted = None;
        if before.email != email {
            self.confirm(who, &before, current).await?;
            let subject = SignInSubject::person(who, &before);
            counted = Some(self.count_attempt(budgets_of_new_address(&before, from), &subject).await?);
        }
        let mut sentences = Vec::new();
        if before.name != name {
            sentences.push(change_sentence("Name", before.name.as_str(), name.as_str()));
        }
        if before.email != email {
            sentences.push(change_sentence("Email", before.email.as_str(), email.as_str()));
        }
        if sentences.is_empty() {
            return Ok(before);
        }
        let after = Account { name, email, ..before.clone() }.changed(self.clock.now());
        let what = Description::new(AuditKind::AccountChanged, sentences.join(" "));
        let made = self.make(self.change_write(&before, &after, Operator::Owner(who), &what)?, &after).await;
        match (&made, counted) {
            (Err(AccountError::EmailTaken(email)), _) => self.record_taken(who, &before, email).await,
            (_, Some(counted)) => self.return_attempt(counted).await?,
            (_, None) => {}
        }
        made.map(|()| after)
    }

    /// Writes the audit entry of an address that another account has. The answer does not depend on it.
    async fn record_taken(&self, who: &SignedIn, account: &Account, email: &Email) {
        let detail = format!("Email not changed to {email}: another account has it.");
        let entry = self.audit_entry(account, &who.into(), AuditKind::AccountChanged, detail);
        if let Err(error) = self.dynamo.write_audit(&entry).await {
            tracing::warn!(%error, "a refused email address was not recorded");
        }
    }

    /// Changes the time zone in which a person sees times. `None` is the workspace's.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub async fn change_time_zone(
        &self,
        who: &SignedIn,
        zone: Option<ZoneName>,
    ) -> Result<Account, AccountError> {
        let before = self.find_for_change(who.id).await?;
        if before.time_zone == zone {
            return Ok(before);
        }
        let named = zone.as_ref().map_or("the workspace's", ZoneName::as_str);
        let what = Description::new(AuditKind::AccountChanged, format!("Time zone changed to {named}."));
        let after = Account { time_zone: zone.clone(), ..before.clone() }.changed(self.clock.now());
        self.change(&before, after, Operator::Owner(who), &what, None).await.map_err(as_changed)
    }

    /// Ends all sessions of a person except this one.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub(super) async fn end_other_sessions(
        &self,
        who: &SignedIn,
        this: &SessionCookie,
    ) -> Result<Account, AccountError> {
        let before = self.find_for_change(who.id).await?;
        let after = before.clone().without_sessions().changed(self.clock.now());
        let what = Description::new(AuditKind::SessionsEnded, "All other sessions ended.");
        let write = self.change_write(&before, &after, Operator::Owner(who), &what)?;
        // This session continues in the new epoch.
        let continued = Update::default().set("epoch", to_attribute(after.epoch)?);
        let key = session_key(who.id, &this.secret.hash());
        self.make(write.update("session", &key, &continued, Condition::Exists), &after)
            .await
            .map_err(as_changed)?;
        Ok(after)
    }

    /// Sets up two-factor authentication, confirmed by the password and by a code of the new secret. Returns the recovery
    /// codes, which the person sees once.
    ///
    /// # Errors
    /// [`AccountError::TwoFactor`], [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`];
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub(super) async fn set_up_two_factor(
        &self,
        who: &SignedIn,
        current: Option<Password>,
        sealed: String,
        code: &SecondFactorCode,
    ) -> Result<RecoveryCodes, AccountError> {
        let before = self.find_for_change(who.id).await?;
        self.confirm(who, &before, current).await?;
        let subject = SignInSubject::person(who, &before);
        let counted = self.count_attempt([Budget::Code(who.id)], &subject).await?;
        let (two_factor, codes) = self.confirmed(&before, sealed, code, &subject).await?;
        let after = before.clone().with_two_factor(Some(two_factor));
        self.change_two_factor(who, &before, after, "Two-factor authentication set up.").await?;
        self.refund_attempt(counted).await?;
        Ok(codes)
    }

    /// Replaces the recovery codes, confirmed by the password. Returns the new ones, which the person sees once.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`]; [`AccountError::Changed`] if there is no
    /// second factor, or if another request changed the account at the same time; [`AccountError::NoDataKey`].
    pub(super) async fn new_recovery_codes(
        &self,
        who: &SignedIn,
        current: Option<Password>,
    ) -> Result<RecoveryCodes, AccountError> {
        let before = self.find_for_change(who.id).await?;
        self.confirm(who, &before, current).await?;
        let two_factor = before.two_factor.as_ref().ok_or(AccountError::Changed)?;
        let keys = self.data_keys().await.ok_or(AccountError::NoDataKey)?;
        let renewed = two_factor.with_new_recovery_codes(&self.rng.bytes(), who.id, &keys);
        let (two_factor, codes) = renewed.map_err(TwoFactorError::from)?;
        let after = before.clone().with_two_factor(Some(two_factor));
        self.change_two_factor(who, &before, after, "Recovery codes replaced.").await?;
        Ok(codes)
    }

    /// Switches two-factor authentication off, confirmed by the password.
    ///
    /// # Errors
    /// [`AccountError::TwoFactorRequired`]; [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`];
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub(super) async fn switch_two_factor_off(
        &self,
        who: &SignedIn,
        current: Option<Password>,
    ) -> Result<(), AccountError> {
        let before = self.find_for_change(who.id).await?;
        self.confirm(who, &before, current).await?;
        if self.security().await?.requires(before.role) {
            return Err(AccountError::TwoFactorRequired);
        }
        let after = before.clone().with_two_factor(None);
        self.change_two_factor(who, &before, after, "Two-factor authentication turned off.").await
    }

    async fn change_two_factor(
        &self,
        who: &SignedIn,
        before: &Account,
        after: Account,
        detail: &str,
    ) -> Result<(), AccountError> {
        let after = after.changed(self.clock.now());
        let what = Description::new(AuditKind::TwoFactorChanged, detail);
        let changed = self.change(before, after, Operator::Owner(who), &what, None).await;
        changed.map(drop).map_err(as_changed)
    }

    /// Checks a person's current password, if there is one, before a change that needs it.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`], [`AccountError::Busy`].
    pub(super) async fn confirm(
        &self,
        who: &SignedIn,
        account: &Account,
        current: Option<Password>,
    ) -> Result<(), AccountError> {
        if account.password.is_none() {
            return Ok(());
        }
        let permit = self.hashing.enter(Queue::Known)?;
        // A separate budget, so that strangers who guess passwords cannot block a change.
        let subject = SignInSubject::person(who, account);
        let counted = self.count_attempt([Budget::SignedIn(account.id)], &subject).await?;
        let is_right = match current {
            Some(current) => self.verify_password(&permit, account.password.clone(), current).await?,
            None => false,
        };
        if !is_right {
            self.record_failure(&subject, "Incorrect current password.").await;
            return Err(AccountError::WrongPassword);
        }
        self.refund_attempt(counted).await
    }
}

/// Returns the budgets that a new address uses. Participants may have signed up many times to get more attempts, but not
/// from as many networks.
fn budgets_of_new_address(account: &Account, from: &Requester) -> impl Iterator<Item = Budget> {
    let network = from.network.filter(|_| account.role == Role::Participant);
    std::iter::once(Budget::NewAddress(account.id)).chain(network.map(Budget::Network))
}

/// Returns the error of a form that does not show the version: there is nothing to merge, so the person tries again.
pub(super) fn as_changed(error: AccountError) -> AccountError {
    match error {
        AccountError::Conflict(_) | AccountError::NoSuchAccount => AccountError::Changed,
        other => other,
    }
}
