//! Signing up: people create their own accounts.
//!
//! Invariant: the answer never says whether an address has an account. An existing account stays as it is, and signing
//! up starts no session.

use super::AccountError;
use super::change::{Description, Operator};
use super::domain::Account;
use super::password::{Password, PasswordHash};
use super::requester::Requester;
use super::sign_in_audit::SignInSubject;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name};
use crate::shared::audit_log::AuditKind;

/// The input for signing up.
#[derive(Debug)]
pub struct SignUpDraft {
    /// The name.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// The password.
    pub password: Password,
}

impl Accounts {
    /// Creates a participant's account for a person who signs up, unless the address has an account. `code` is the
    /// invitation code that the person typed. Neither the result nor its timing reveals which of the two happened.
    ///
    /// # Errors
    /// [`AccountError::SignUpOff`], [`AccountError::NewPassword`], [`AccountError::Busy`],
    /// [`AccountError::TooManyAttempts`], [`AccountError::WrongInvitationCode`].
    pub async fn sign_up(
        &self,
        draft: SignUpDraft,
        code: &str,
        from: &Requester,
    ) -> Result<(), AccountError> {
        if self.sign_up.is_off() {
            return Err(AccountError::SignUpOff);
        }
        let SignUpDraft { name, email, password } = draft;
        password.check_new(&name, &email).map_err(AccountError::NewPassword)?;
        let permit = self.hashing.enter(from.queue())?;
        let subject = SignInSubject::stranger(email.as_str(), None, from);
        let counted = self.count_attempt(from.budgets(&email, None), &subject).await?;
        if !self.sign_up.admits(code) {
            self.record_failure(&subject, "Incorrect invitation code.").await;
            return Err(AccountError::WrongInvitationCode);
        }
        let hash = self.hash(&permit, password).await?;
        match self.create_participant(name, email, hash, from).await {
            Ok(id) => tracing::info!(account = %id, "signed up"),
            Err(AccountError::EmailTaken(_)) => {
                self.record_failure(&subject, "Sign-up with an email that has an account.").await;
            }
            Err(error) => return Err(error),
        }
        // Done in both cases, so the number of attempts left reveals nothing.
        self.return_attempt(counted).await
    }

    /// Creates the account, unless another one has its address.
    async fn create_participant(
        &self,
        name: Name,
        email: Email,
        password: PasswordHash,
        from: &Requester,
    ) -> Result<AccountId, AccountError> {
        let now = self.clock.now();
        let id = AccountId::new(now, &self.rng.bytes());
        let account = Account::new(id, name, email, Role::Participant, Some(password), now);
        let actor = from.actor(&account);
        let what = Description::new(AuditKind::AccountCreated, "Signed up as a participant.");
        let write = self.creation_write(&account, Operator::Link(&actor), &what)?;
        // A write that is refused takes less time than one that is made, so a taken address gets a write of its own.
        match self.by_email(&account.email).await? {
            None => self.make(write, &account).await.map(|()| id),
            Some(_) => Err(AccountError::EmailTaken(account.email)),
        }
    }
}
