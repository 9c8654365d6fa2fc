//! The second step of signing in: a code of the authenticator app, a recovery code, or setting up two-factor
//! authentication if the person's role requires it.
//!
//! Invariant: a person who needs a second step has no session before it succeeds, after any first step: a password, a
//! link or an invitation.

use super::AccountError;
use super::change::{Description, Operator};
use super::data_keys::{DataKey, Encrypted, NONCE};
use super::domain::Account;
use super::items::account_key;
use super::keys::KeyRing;
use super::login_throttle::Budget;
use super::requester::Requester;
use super::sign_in::SessionCookies;
use super::sign_in_audit::SignInSubject;
use super::ticket::Ticket;
use super::two_factor::{Enrollment, RecoveryCodes, SecondFactorCode, TwoFactor, TwoFactorError, Used};
use crate::accounts::Accounts;
use crate::shared::audit_log::AuditKind;
use crate::store::{Condition, to_attribute};

/// What follows after the first step of signing in.
#[derive(Debug)]
pub(super) enum NextStep {
    /// The person is signed in by these cookies.
    SignedIn(SessionCookies),
    /// The person types a code. The form carries this ticket.
    Code(String),
    /// The person sets up two-factor authentication.
    Enroll(Enrolling),
}

/// A secret that a person adds to an authenticator app before signing in.
#[derive(Debug)]
pub(super) struct Enrolling {
    /// The ticket that the form carries.
    pub(super) ticket: String,
    /// The secret that the form carries, encrypted.
    pub(super) sealed: String,
    /// The address for the QR code.
    pub(super) uri: String,
    /// The secret for people who type it.
    pub(super) typed: String,
}

impl Accounts {
    /// Returns the second step that an account needs before it gets a session, or `None`.
    pub(super) async fn second_step(&self, account: &Account) -> Result<Option<NextStep>, AccountError> {
        if account.two_factor.is_some() {
            return Ok(Some(NextStep::Code(self.ticket(account).await)));
        }
        if !self.security().await?.requires(account.role) {
            return Ok(None);
        }
        let enrollment = Enrollment::new(self.rng.bytes());
        Ok(Some(NextStep::Enroll(self.enrolling(account, &enrollment).await?)))
    }

    /// Returns the forms' fields for a secret that the person has not confirmed yet.
    pub(super) async fn enrolling(
        &self,
        account: &Account,
        enrollment: &Enrollment,
    ) -> Result<Enrolling, AccountError> {
        let keys = self.data_keys().await.ok_or(AccountError::NoDataKey)?;
        let nonce: [u8; NONCE] = self.rng.bytes();
        let sealed = enrollment.seal(account.id, &keys, &nonce, self.clock.now());
        Ok(Enrolling {
            ticket: self.ticket(account).await,
            sealed: sealed.map_err(TwoFactorError::from)?.as_str().to_owned(),
            uri: enrollment.uri(&account.email),
            typed: enrollment.grouped_secret(),
        })
    }

    /// Returns the fields of a form that was sent and is shown again, or `None` if its secret cannot be read.
    pub(super) async fn shown_again(
        &self,
        account: &Account,
        sealed: String,
    ) -> Result<Option<Enrolling>, AccountError> {
        let keys = self.data_keys().await.ok_or(AccountError::NoDataKey)?;
        match Enrollment::open(&Encrypted::new(sealed), account.id, &keys) {
            Ok(enrollment) => Ok(Some(self.enrolling(account, &enrollment).await?)),
            Err(_) => Ok(None),
        }
    }

    async fn ticket(&self, account: &Account) -> String {
        let now = self.clock.now();
        let keys = self.cookies.keys.at(now).await;
        Ticket::new(account.id, account.epoch, now).sign(keys.signing(now))
    }

    /// Returns the account of a ticket, if the ticket is valid.
    pub(super) async fn of_ticket(&self, signed: &str) -> Result<Option<Account>, AccountError> {
        let now = self.clock.now();
        let keys = self.cookies.keys.at(now).await;
        let Some(ticket) = Ticket::open(signed, &keys, now) else { return Ok(None) };
        let account = self.read(ticket.account).await?;
        Ok(account.filter(|account| account.is_active() && account.epoch == ticket.epoch))
    }

    /// Signs a person in by a code, after the first step.
    ///
    /// # Errors
    /// [`AccountError::TwoFactor`] for a wrong code, or one that was used, also at the same time;
    /// [`AccountError::TooManyAttempts`]; [`AccountError::Changed`] if the account was changed so that the first step does
    /// not count any more; [`AccountError::NoDataKey`].
    pub(super) async fn sign_in_by_code(
        &self,
        account: &Account,
        code: &SecondFactorCode,
        from: &Requester,
    ) -> Result<SessionCookies, AccountError> {
        let Some(before) = &account.two_factor else { return Err(AccountError::Changed) };
        let keys = self.data_keys().await.ok_or(AccountError::NoDataKey)?;
        let subject = SignInSubject::stranger(account.label(), Some(account.id), from);
        let counted = self.count_attempt([Budget::Code(account.id)], &subject).await?;
        let accepted = before.accept(code, account.id, &keys, &self.rng.bytes(), self.clock.now());
        let (after, used) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                self.record_failure(&subject, "Incorrect two-factor code.").await;
                return Err(error.into());
            }
        };
        let how = match used {
            Used::Totp => "Signed in by password or link and a code with",
            Used::Recovery { .. } => "Signed in by password or link and a recovery code with",
        };
        let used = Condition::Equals("twoFactor", to_attribute(before)?);
        let update = self.sign_in_update()?.set("twoFactor", to_attribute(&after)?);
        let condition = Self::may_sign_in(account).and(used);
        let write =
            self.dynamo.guarded_write().update("account", &account_key(account.id), &update, condition);
        let write = self.audit_sign_in(write, account, from, how)?;
        let (write, session) = self.add_session(write, account, from)?;
        if !self.write_session(write, from).await? {
            return Err(self.why_refused(account).await?);
        }
        self.refund_attempt(counted).await?;
        Ok(self.session_cookies(&session, from).await)
    }

    /// Returns why a right code did not sign in: a code was used at the same time, or the account was changed.
    async fn why_refused(&self, before: &Account) -> Result<AccountError, AccountError> {
        let account = self.read(before.id).await?;
        let current = account.filter(|account| account.is_active() && account.epoch == before.epoch);
        Ok(match current.and_then(|account| account.two_factor) {
            Some(factor) if before.two_factor.as_ref() != Some(&factor) => TwoFactorError::UsedCode.into(),
            _ => AccountError::Changed,
        })
    }

    /// Sets up two-factor authentication and signs the person in, after the first step. Returns the recovery codes,
    /// which the person sees once.
    ///
    /// # Errors
    /// [`AccountError::TwoFactor`] for a wrong code; [`AccountError::Changed`] if the account was changed at the same
    /// time; [`AccountError::NoDataKey`].
    pub(super) async fn enroll_and_sign_in(
        &self,
        account: &Account,
        sealed: String,
        code: &SecondFactorCode,
        from: &Requester,
    ) -> Result<(SessionCookies, RecoveryCodes), AccountError> {
        if account.two_factor.is_some() {
            return Err(AccountError::Changed);
        }
        let subject = SignInSubject::stranger(account.label(), Some(account.id), from);
        let counted = self.count_attempt([Budget::Code(account.id)], &subject).await?;
        let (two_factor, codes) = self.confirmed(account, sealed, code, &subject).await?;
        let before = self.find_for_change(account.id).await?;
        if before.version != account.version {
            // It may have been disabled since the ticket was checked.
            return Err(AccountError::Changed);
        }
        let now = self.clock.now();
        let after = before.clone().with_two_factor(Some(two_factor)).changed(now);
        let after = Account { last_sign_in_at: Some(now), ..after };
        let actor = from.actor(&after);
        let what = Description::new(AuditKind::TwoFactorChanged, "Two-factor authentication set up.");
        let write = self.change_write(&before, &after, Operator::Link(&actor), &what)?;
        let how = "Signed in by password or link and a new second factor with";
        let write = self.audit_sign_in(write, &after, from, how)?;
        let (write, session) = self.add_session(write, &after, from)?;
        let made = self.make(write, &after).await;
        self.forget_replaced(from);
        made.map_err(super::own::as_changed)?;
        self.refund_attempt(counted).await?;
        Ok((self.session_cookies(&session, from).await, codes))
    }

    /// Checks the code of a new secret. Returns the second factor and its recovery codes.
    pub(super) async fn confirmed(
        &self,
        account: &Account,
        sealed: String,
        code: &SecondFactorCode,
        subject: &SignInSubject,
    ) -> Result<(TwoFactor, RecoveryCodes), AccountError> {
        let keys: std::sync::Arc<KeyRing<DataKey>> = self.data_keys().await.ok_or(AccountError::NoDataKey)?;
        let enrollment = Enrollment::open(&Encrypted::new(sealed), account.id, &keys);
        let enrollment = enrollment.map_err(|_| AccountError::Changed)?;
        let random = (&self.rng.bytes(), &self.rng.bytes());
        let confirmed = enrollment.confirm(code, account.id, &keys, random, self.clock.now());
        if matches!(confirmed, Err(TwoFactorError::WrongCode)) {
            self.record_failure(subject, "Incorrect code while setting up two-factor authentication.").await;
        }
        Ok(confirmed?)
    }
}
