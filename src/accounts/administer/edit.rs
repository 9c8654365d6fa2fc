//! Changes of an account: its name, its address, its role, and whether it is disabled.

use crate::accounts::change::{Description, Operator, change_sentence};
use crate::accounts::domain::{Account, AccountKind, AccountStatus};
use crate::accounts::items::deletion_key;
use crate::accounts::{AccountError, Accounts};
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name, Version};
use crate::shared::audit_log::AuditKind;
use crate::store::GuardedWrite;
use crate::store::idempotency::{Done, Idempotency};

/// How often a change is tried if the settings for signing in are changed at the same time.
const MAX_TRIES: usize = 3;

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

impl Accounts {
    /// Changes an account. Disabling it ends its sessions and links. The tokens of a person are revoked, and those of a
    /// service do not work until it is enabled. Enabling an account cancels its
    /// [deletion](crate::accounts::deletion). A role that requires a second factor ends the sessions of a person who
    /// has none.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::EmailTaken`]; [`AccountError::LastAdministrator`];
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`];
    /// [`AccountError::SessionNeededForAdministrator`]; [`AccountError::KeyReused`].
    pub async fn edit(
        &self,
        id: AccountId,
        expected: Version,
        changes: AccountChanges,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Done<Account>, AccountError> {
        let edit = self.edit_now(id, expected, changes, operator, idempotency);
        Idempotency::run(idempotency, &self.dynamo, edit).await
    }

    async fn edit_now(
        &self,
        id: AccountId,
        expected: Version,
        changes: AccountChanges,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        for _ in 0..MAX_TRIES {
            let before = self.find_version(id, expected).await?;
            let edited = self.edit_write(&before, changes.clone(), operator).await?;
            let Some((after, write)) = edited else { return Ok(before) };
            match self.make(Idempotency::record(idempotency, write, &after)?, &after).await {
                // The roles that require a second factor were changed at the same time.
                Err(AccountError::Changed) => {}
                made => return made.map(|()| after),
            }
        }
        Err(AccountError::Changed)
    }

    /// Returns an account after a change, and the write of the change. Returns `None` if nothing changes.
    async fn edit_write(
        &self,
        before: &Account,
        changes: AccountChanges,
        operator: Operator<'_>,
    ) -> Result<Option<(Account, GuardedWrite)>, AccountError> {
        let after = changed(before.clone(), changes);
        let Some(mut detail) = differences(before, &after) else { return Ok(None) };
        if makes_administrator(before, &after) {
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
        let mut write = self.change_write(before, &after, operator, &what)?;
        if let Some(security) = &security {
            write = security.still_applies(write);
        }
        if enables(before, &after) {
            write = write.delete_derived("deletion", &deletion_key(before.id));
        }
        Ok(Some((after, write)))
    }
}

/// Returns an account with new values.
pub(in crate::accounts) fn changed(account: Account, changes: AccountChanges) -> Account {
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
    let is_another = before.role != after.role || before.email != after.email || enables(before, after);
    after.role == Role::Administrator && is_another
}

/// Returns whether a change enables a disabled account.
fn enables(before: &Account, after: &Account) -> bool {
    before.status == AccountStatus::Disabled && after.status != AccountStatus::Disabled
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
