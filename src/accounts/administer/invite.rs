//! Adding accounts: invitations of people, and services. Invitations and password resets are links.

use crate::accounts::change::{Description, Operator};
use crate::accounts::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Secret};
use crate::accounts::links::{add_link, with_link};
use crate::accounts::{AccountError, Accounts};
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name, Version};
use crate::shared::audit_log::AuditKind;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{GuardedWrite, StoreError};

/// The input for a new account.
#[derive(Debug, Clone)]
pub struct AccountDraft {
    /// The name.
    pub name: Name,
    /// The address to sign in with, or `None` for a service, which gets one that receives no mail.
    pub email: Option<Email>,
    /// The role.
    pub role: Role,
    /// Who will use it.
    pub kind: AccountKind,
}

/// An account with the secret of a new link.
#[derive(Debug)]
pub struct WithLink {
    /// The account.
    pub account: Account,
    /// The link's secret. [`link_path`](crate::accounts::link_path) gives its address.
    pub secret: Secret,
}

impl Accounts {
    /// Adds an account. A person is invited by a link, which only the result contains; a service has none and is
    /// active at once.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`]; [`AccountError::EmailNeeded`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`]; [`AccountError::KeyReused`].
    pub async fn invite(
        &self,
        draft: AccountDraft,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, (Account, Option<Secret>)>>,
    ) -> Result<Done<(Account, Option<Secret>)>, AccountError> {
        Idempotency::run(idempotency, &self.dynamo, self.invite_now(draft, operator, idempotency)).await
    }

    async fn invite_now(
        &self,
        draft: AccountDraft,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, (Account, Option<Secret>)>>,
    ) -> Result<(Account, Option<Secret>), AccountError> {
        if draft.role == Role::Administrator {
            operator.require_session()?;
        }
        let account = self.new_account(draft)?;
        let (write, made) = match account.kind {
            AccountKind::Service => self.service_write(account, operator)?,
            AccountKind::Person => self.invitation_write(account, operator)?,
        };
        let write = Idempotency::record(idempotency, write, &made)?;
        self.make(write, &made.0).await?;
        Ok(made)
    }

    fn new_account(&self, draft: AccountDraft) -> Result<Account, AccountError> {
        let now = self.clock.now();
        let id = AccountId::new(now, &self.rng.bytes());
        let email = match (draft.email, draft.kind) {
            (Some(email), _) => email,
            (None, AccountKind::Service) => service_email(id)?,
            (None, AccountKind::Person) => return Err(AccountError::EmailNeeded),
        };
        let account = Account::new(id, draft.name, email, draft.role, None, now);
        Ok(Account { kind: draft.kind, ..account })
    }

    fn service_write(
        &self,
        account: Account,
        operator: Operator<'_>,
    ) -> Result<(GuardedWrite, (Account, Option<Secret>)), StoreError> {
        let detail = format!("Service added as {}.", account.role);
        let what = Description::new(AuditKind::AccountCreated, detail);
        let write = self.creation_write(&account, operator, &what)?;
        Ok((write, (account, None)))
    }

    /// Returns the write that adds a person and the link of the invitation.
    fn invitation_write(
        &self,
        account: Account,
        operator: Operator<'_>,
    ) -> Result<(GuardedWrite, (Account, Option<Secret>)), StoreError> {
        let (now, purpose) = (account.created_at, LinkPurpose::Invitation);
        let account = Account { status: AccountStatus::Invited, ..account };
        let (account, expires_at) = with_link(account, purpose, now);
        let what = Description::new(AuditKind::AccountCreated, format!("Invited as {}.", account.role));
        let write = self.creation_write(&account, operator, &what)?;
        let secret = Secret::new(self.rng.bytes());
        let write = add_link(write, &account, purpose, &secret, expires_at)?;
        Ok((write, (account, Some(secret))))
    }

    /// Creates a new invitation for an invited account, or a password reset for an active one. It replaces the former
    /// one.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NotActive`] if the account is disabled or a service;
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`]; [`AccountError::KeyReused`].
    pub async fn renew_link(
        &self,
        id: AccountId,
        expected: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, WithLink>>,
    ) -> Result<Done<WithLink>, AccountError> {
        let renew = self.renew_link_now(id, expected, operator, idempotency);
        Idempotency::run(idempotency, &self.dynamo, renew).await
    }

    async fn renew_link_now(
        &self,
        id: AccountId,
        expected: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, WithLink>>,
    ) -> Result<WithLink, AccountError> {
        let before = self.find_version(id, expected).await?;
        if before.role == Role::Administrator {
            operator.require_session()?;
        }
        let (purpose, detail) = match before.status {
            _ if before.kind == AccountKind::Service => return Err(AccountError::NotActive),
            AccountStatus::Invited => (LinkPurpose::Invitation, "Invitation renewed."),
            AccountStatus::Active => (LinkPurpose::Reset, "Password reset created."),
            AccountStatus::Disabled => return Err(AccountError::NotActive),
        };
        let now = self.clock.now();
        let (after, expires_at) = with_link(before.clone().changed(now), purpose, now);
        let what = Description::new(AuditKind::LinkChanged, detail);
        let write = self.change_write(&before, &after, operator, &what)?;
        let secret = Secret::new(self.rng.bytes());
        let write = add_link(write, &after, purpose, &secret, expires_at)?;
        let made = WithLink { account: after, secret };
        self.make(Idempotency::record(idempotency, write, &made)?, &made.account).await?;
        Ok(made)
    }

    /// Withdraws the invitation or reset that was not used yet.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::KeyReused`].
    pub async fn withdraw_link(
        &self,
        id: AccountId,
        expected: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Done<Account>, AccountError> {
        let withdraw = async {
            let before = self.find_version(id, expected).await?;
            let after = before.clone().changed(self.clock.now());
            let after = Account { link: None, link_number: before.link_number + 1, ..after };
            let what = Description::new(AuditKind::LinkChanged, "Link withdrawn.");
            self.change(&before, after, operator, &what, idempotency).await
        };
        Idempotency::run(idempotency, &self.dynamo, withdraw).await
    }
}

/// Returns an address for a service, which receives no mail (RFC 2606).
fn service_email(id: AccountId) -> Result<Email, AccountError> {
    let email = format!("service-{id}@holdfast.invalid");
    email.parse().map_err(|_| AccountError::EmailNeeded)
}
