//! What administrators and commands do with accounts. Every change is one guarded write with a version.

use super::AccountError;
use super::auth_cache::AuthKey;
use super::authority::AUTHORITY;
use super::change::{Description, Operator, change_sentence};
use super::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Secret};
use super::items::{deletion_key, session_key};
use super::links::{add_link, with_link};
use super::sessions::SessionId;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name, Version};
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::store::idempotency::Idempotency;
use crate::store::{Condition, Update, WriteError, to_attribute};

/// How often a change is tried if the settings for signing in are changed at the same time.
const MAX_TRIES: usize = 3;

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

/// New values of an account. `None` keeps a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChanges {
    /// The name.
    pub name: Option<Name>,
    /// The address to sign in with.
    pub email: Option<Email>,
    /// The role.
    pub role: Option<Role>,
    /// Whether the account is disabled. `false` enables it.
    pub disabled: Option<bool>,
}

/// An account with the secret of a new link.
#[derive(Debug)]
pub struct WithLink {
    /// The account.
    pub account: Account,
    /// The link's secret. [`super::link_path`] gives its address.
    pub secret: Secret,
}

impl Accounts {
    /// Adds an account. A person is invited by a link, which only the result contains; a service has none and is
    /// active at once.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`]; [`AccountError::EmailNeeded`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`].
    pub async fn invite(
        &self,
        draft: AccountDraft,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, (Account, Option<Secret>)>>,
    ) -> Result<(Account, Option<Secret>), AccountError> {
        if draft.role == Role::Administrator {
            operator.require_session()?;
        }
        let now = self.clock.now();
        let id = AccountId::new(now, &self.rng.bytes());
        let email = match (draft.email, draft.kind) {
            (Some(email), _) => email,
            (None, AccountKind::Service) => service_email(id)?,
            (None, AccountKind::Person) => return Err(AccountError::EmailNeeded),
        };
        let account = Account::new(id, draft.name, email, draft.role, None, now);
        let account = Account { kind: draft.kind, ..account };
        let role = account.role;
        let (account, write, secret) = match account.kind {
            AccountKind::Service => {
                let what = Description::new(AuditKind::AccountCreated, format!("Service added as {role}."));
                let write = self.creation_write(&account, operator, &what)?;
                (account, write, None)
            }
            AccountKind::Person => {
                let account = Account { status: AccountStatus::Invited, ..account };
                let (account, expires_at) = with_link(account, LinkPurpose::Invitation, now);
                let what = Description::new(AuditKind::AccountCreated, format!("Invited as {role}."));
                let (write, secret) =
                    (self.creation_write(&account, operator, &what)?, Secret::new(self.rng.bytes()));
                let write = add_link(write, &account, LinkPurpose::Invitation, &secret, expires_at)?;
                (account, write, Some(secret))
            }
        };
        let made = (account, secret);
        let write = Idempotency::record(idempotency, write, &made)?;
        self.make(write, &made.0).await?;
        Ok(made)
    }

    /// Creates a new invitation for an invited account, or a password reset for an active one. It replaces the former
    /// one.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NotActive`] if the account is disabled or a service;
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`].
    pub async fn renew_link(
        &self,
        id: AccountId,
        seen: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, WithLink>>,
    ) -> Result<WithLink, AccountError> {
        let before = self.find_version(id, seen).await?;
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
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`].
    pub async fn withdraw_link(
        &self,
        id: AccountId,
        seen: Version,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(id, seen).await?;
        let after = before.clone().changed(self.clock.now());
        let after = Account { link: None, link_number: before.link_number + 1, ..after };
        let what = Description::new(AuditKind::LinkChanged, "Link withdrawn.");
        let write = self.change_write(&before, &after, operator, &what)?;
        self.make(Idempotency::record(idempotency, write, &after)?, &after).await?;
        Ok(after)
    }

    /// Changes an account. Disabling it ends its sessions and links. The tokens of a person are revoked, and those of a
    /// service do not work until it is enabled. Enabling an account cancels its [deletion](super::deletion). A role
    /// that requires a second factor ends the sessions of a person who has none.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::EmailTaken`]; [`AccountError::LastAdministrator`];
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`].
    pub async fn edit(
        &self,
        id: AccountId,
        seen: Version,
        changes: AccountChanges,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        for _ in 0..MAX_TRIES {
            match self.try_to_edit(id, seen, changes.clone(), operator, idempotency).await {
                // The roles that require a second factor were changed at the same time.
                Err(AccountError::Changed) => {}
                done => return done,
            }
        }
        Err(AccountError::Changed)
    }

    async fn try_to_edit(
        &self,
        id: AccountId,
        seen: Version,
        changes: AccountChanges,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(id, seen).await?;
        let after = changed(before.clone(), changes);
        let Some(mut detail) = differences(&before, &after) else { return Ok(before) };
        if makes_administrator(&before, &after) {
            operator.require_session()?;
        }
        let security = if after.role == before.role { None } else { Some(self.security().await?) };
        let must_enroll = security.as_ref().is_some_and(|security| security.ends_sessions_of(&after));
        let after = if must_enroll { after.without_sessions() } else { after };
        if must_enroll {
            detail.push_str(" All sessions ended, because this role requires two-factor authentication.");
        }
        let after = after.changed(self.clock.now());
        let what = Description::new(AuditKind::AccountChanged, detail);
        let mut write = self.change_write(&before, &after, operator, &what)?;
        if let Some(security) = &security {
            write = security.still_applies(write);
        }
        if before.status == AccountStatus::Disabled && after.status != AccountStatus::Disabled {
            write = write.delete_derived("deletion", &deletion_key(id));
        }
        self.make(Idempotency::record(idempotency, write, &after)?, &after).await?;
        Ok(after)
    }

    /// Ends all sessions and unused sign-in links of an account and, if wanted, revokes its tokens.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`].
    pub async fn end_sessions(
        &self,
        id: AccountId,
        seen: Version,
        with_tokens: bool,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(id, seen).await?;
        let after = before.clone().without_sessions().changed(self.clock.now());
        let (after, detail) = match with_tokens {
            true => (after.without_tokens(), "All sessions ended and all tokens revoked."),
            false => (after, "All sessions ended."),
        };
        let what = Description::new(AuditKind::SessionsEnded, detail);
        let write = self.change_write(&before, &after, operator, &what)?;
        self.make(Idempotency::record(idempotency, write, &after)?, &after).await?;
        Ok(after)
    }

    /// Switches two-factor authentication off for a person who lost the app and the recovery codes. It ends all sessions.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`].
    pub async fn reset_two_factor(
        &self,
        id: AccountId,
        seen: Version,
        operator: Operator<'_>,
    ) -> Result<Account, AccountError> {
        let before = self.find_version(id, seen).await?;
        if before.role == Role::Administrator {
            operator.require_session()?;
        }
        if before.two_factor.is_none() {
            return Ok(before);
        }
        let after = before.clone().with_two_factor(None).without_sessions().changed(self.clock.now());
        let detail = "Two-factor authentication reset and all sessions ended.";
        let what = Description::new(AuditKind::TwoFactorChanged, detail);
        self.make(self.change_write(&before, &after, operator, &what)?, &after).await?;
        Ok(after)
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
    pub(super) async fn end_one_session(
        &self,
        account: &Account,
        session: &SessionId,
        operator: Operator<'_>,
    ) -> Result<bool, AccountError> {
        let (id, kind) = (account.id, AuditKind::SessionsEnded);
        let detail = match operator {
            Operator::SignedOut(_) => "Signed out.",
            _ => "One session ended.",
        };
        let (now, actor) = (self.clock.now(), operator.actor());
        let entry = AuditEntry::new(&self.rng, now, &actor, kind, account.label(), detail);
        let ended = Update::default().set("ended", to_attribute(true)?);
        let current = Condition::Exists.and(Condition::NotEquals("ended", to_attribute(true)?));
        let write = self.dynamo.guarded_write();
        let write = write.update("session", &session_key(id, session.as_str()), &ended, current);
        let write = operator.authorize(write.audit(&entry.at_path(format!("/people/{id}")))?, None);
        let written = self.dynamo.write(write).await;
        // In any case, because a write whose answer was lost may have happened.
        self.auth_cache.invalidate(&AuthKey::Session(id, session.clone()));
        match written {
            Ok(()) => Ok(true),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) if refusal.of(AUTHORITY) => Err(AccountError::NoLongerAllowed),
            Err(WriteError::Refused(_)) => Ok(false),
        }
    }
}

/// Returns an address for a service, which receives no mail (RFC 2606).
fn service_email(id: AccountId) -> Result<Email, AccountError> {
    let email = format!("service-{id}@holdfast.invalid");
    email.parse().map_err(|_| AccountError::EmailNeeded)
}

/// Returns an account with new values.
pub(super) fn changed(account: Account, changes: AccountChanges) -> Account {
    let AccountChanges { name, email, role, disabled } = changes;
    let account = Account {
        name: name.unwrap_or(account.name),
        email: email.unwrap_or(account.email),
        role: role.unwrap_or(account.role),
        ..account
    };
    match (disabled, account.status) {
        (Some(true), AccountStatus::Active | AccountStatus::Invited) => {
            let link_number = account.link_number + 1;
            let account = Account { link: None, link_number, ..account.without_sessions() };
            Account { status: AccountStatus::Disabled, ..without_own_tokens(account) }
        }
        (Some(false), AccountStatus::Disabled) => {
            // A person who never joined needs a new invitation.
            let joined = account.password.is_some()
                || account.last_sign_in_at.is_some()
                || account.kind == AccountKind::Service;
            let status = if joined { AccountStatus::Active } else { AccountStatus::Invited };
            // An account that an earlier version disabled still has its tokens.
            Account { status, ..without_own_tokens(account) }
        }
        _ => account,
    }
}

/// Returns whether a change makes another person an administrator: by the role, by enabling the account, or by an address
/// of another person.
fn makes_administrator(before: &Account, after: &Account) -> bool {
    let enables = before.status == AccountStatus::Disabled && after.status != AccountStatus::Disabled;
    after.role == Role::Administrator && (before.role != after.role || before.email != after.email || enables)
}

/// Returns an account whose tokens are revoked, unless it is that of a service, which has nothing else. A person who left
/// may come back after years, when no one knows any more who has the tokens of that time.
fn without_own_tokens(account: Account) -> Account {
    if account.kind == AccountKind::Service { account } else { account.without_tokens() }
}

/// Returns the differences of two states of an account in sentences, or `None` if there are none.
fn differences(before: &Account, after: &Account) -> Option<String> {
    let mut sentences = Vec::new();
    let mut compare = |what: &str, old: &str, new: &str| {
        if old != new {
            sentences.push(change_sentence(what, old, new));
        }
    };
    compare("Name", before.name.as_str(), after.name.as_str());
    compare("Email", before.email.as_str(), after.email.as_str());
    compare("Role", before.role.as_str(), after.role.as_str());
    compare("Status", before.status.as_str(), after.status.as_str());
    if after.status == AccountStatus::Disabled && after.token_epoch != before.token_epoch {
        sentences.push("All tokens revoked.".to_owned());
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn account(status: AccountStatus) -> Account {
        let now = Timestamp::UNIX_EPOCH;
        let (name, email) = ("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        let account = Account::new(AccountId::new(now, &[1; 10]), name, email, Role::Agent, None, now);
        Account { status, ..account }
    }

    fn disable(disabled: bool) -> AccountChanges {
        AccountChanges { disabled: Some(disabled), ..AccountChanges::default() }
    }

    #[test]
    fn disabling_ends_sessions_and_links_and_enabling_does_not_bring_them_back() {
        let before = account(AccountStatus::Active);
        let disabled = changed(before.clone(), disable(true));
        assert_eq!(disabled.status, AccountStatus::Disabled);
        assert!(disabled.epoch > before.epoch && disabled.link_number > before.link_number);
        assert!(disabled.token_epoch > before.token_epoch);
        let joined = Account { last_sign_in_at: Some(Timestamp::UNIX_EPOCH), ..disabled.clone() };
        let enabled = changed(joined, disable(false));
        assert_eq!((enabled.status, enabled.epoch), (AccountStatus::Active, disabled.epoch));
        assert!(enabled.token_epoch > before.token_epoch);
    }

    #[test]
    fn a_service_keeps_its_tokens() {
        let before = Account { kind: AccountKind::Service, ..account(AccountStatus::Active) };
        let disabled = changed(before.clone(), disable(true));
        assert_eq!(disabled.token_epoch, before.token_epoch);
        assert_eq!(changed(disabled, disable(false)).token_epoch, before.token_epoch);
    }

    #[test]
    fn a_person_who_never_joined_is_invited_again_when_enabled() {
        let disabled = changed(account(AccountStatus::Invited), disable(true));
        assert_eq!(changed(disabled, disable(false)).status, AccountStatus::Invited);
    }

    #[test]
    fn differences_name_the_old_and_the_new_value() {
        let before = account(AccountStatus::Active);
        let changes = AccountChanges { role: Some(Role::Viewer), ..AccountChanges::default() };
        let after = changed(before.clone(), changes);
        assert_eq!(differences(&before, &after).as_deref(), Some("Role changed from agent to viewer."));
        assert_eq!(differences(&before, &before), None);
    }
}
