//! The guarded write of a change of an account, for all use cases.
//!
//! One transaction writes the account, its sign-in name, its search words, the number of administrators, its history and
//! the audit entry. It checks the version, that the address is free, that an administrator is left, and that the sender
//! may still make the change.

use super::AccountError;
use super::authority::{AUTHORITY, is_active_with};
use super::domain::Account;
use super::items::{
    ADMINISTRATORS, HistoryEntry, LISTED, LoginItem, account_item, account_key, administrators_key,
    history_key, is_active_administrator, is_listed, login_key, reindex,
};
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::Version;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::store::idempotency::Idempotency;
use crate::store::{
    Condition, GuardedWrite, Refusal, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

/// Returns the sentence of the audit log about a changed value.
pub(super) fn change_sentence(what: &str, old: &str, new: &str) -> String {
    format!("{what} changed from {old} to {new}.")
}

/// Who changes an account.
#[derive(Debug, Clone, Copy)]
pub enum Operator<'a> {
    /// A signed-in administrator, who must still be one when the change is written.
    Administrator(&'a SignedIn),
    /// The account's owner, who must still be active when the change is written.
    Owner(&'a SignedIn),
    /// The holder of a link.
    Link(&'a AuditActor),
    /// The holder of a session, who signs out, also of a disabled account.
    SignedOut(&'a AuditActor),
    /// A command of the `holdfast` program, or its start.
    Command,
    /// An administrator who is disabled by an action of their own, and finishes it. The write checks that it is still
    /// recorded.
    Continued(&'a AuditActor),
}

impl Operator<'_> {
    /// Returns the person or program that audit entries name.
    pub fn actor(&self) -> AuditActor {
        match self {
            Self::Administrator(who) | Self::Owner(who) => (*who).into(),
            Self::Link(actor) | Self::SignedOut(actor) | Self::Continued(actor) => (*actor).clone(),
            Self::Command => AuditActor::command(),
        }
    }

    /// Requires a session of an administrator who makes or takes over an administrator. With a token, a leaked token
    /// could get an administrator of its own, who stays when the token is revoked.
    ///
    /// # Errors
    /// [`AccountError::SessionNeededForAdministrator`]
    pub(super) fn require_session(&self) -> Result<(), AccountError> {
        match self {
            Self::Administrator(who) if who.via != Via::Session => {
                Err(AccountError::SessionNeededForAdministrator)
            }
            _ => Ok(()),
        }
    }

    /// Adds the condition that the operator may still make the change, unless the write itself checks this account.
    pub(super) fn authorize(&self, write: GuardedWrite, checked: Option<AccountId>) -> GuardedWrite {
        match self.authority() {
            Some((id, role)) if Some(id) != checked => {
                write.check(AUTHORITY, &account_key(id), is_active_with(role))
            }
            _ => write,
        }
    }

    /// Returns the condition on the changed account: that it still has the version that was read and, if it is that of
    /// the operator, that it may still make the change.
    fn condition(&self, before: &Account) -> Condition {
        let unchanged = Condition::is_number("version", before.version.get());
        match self.authority() {
            Some((id, role)) if id == before.id => unchanged.and(is_active_with(role)),
            _ => unchanged,
        }
    }

    /// Returns the account that must still have this role.
    pub(super) fn authority(&self) -> Option<(AccountId, Role)> {
        match self {
            Self::Administrator(who) => Some((who.id, Role::Administrator)),
            Self::Owner(who) => Some((who.id, Role::Participant)),
            Self::Link(_) | Self::SignedOut(_) | Self::Command | Self::Continued(_) => None,
        }
    }
}

/// What a change is called in the audit log, and what changed, in sentences.
#[derive(Debug, Clone)]
pub(super) struct Description {
    /// The kind of its audit entry, or `None` if the entry of a bulk action covers it.
    kind: Option<AuditKind>,
    pub(super) detail: String,
}

impl Description {
    pub(super) fn new(kind: AuditKind, detail: impl Into<String>) -> Self {
        Self { kind: Some(kind), detail: detail.into() }
    }

    /// Describes a part of a bulk action, which has one audit entry for all parts.
    pub(super) fn in_bulk(detail: impl Into<String>) -> Self {
        Self { kind: None, detail: detail.into() }
    }
}

/// The labels of the conditions in a refusal.
const ACCOUNT: &str = "account";
const LOGIN: &str = "login";
const LAST: &str = "administrators";

impl Accounts {
    /// Returns the write that turns one state of an account into another.
    pub(super) fn change_write(
        &self,
        before: &Account,
        after: &Account,
        operator: Operator<'_>,
        what: &Description,
    ) -> Result<GuardedWrite, StoreError> {
        let key = account_key(after.id);
        let update = Update::between(&account_item(before)?, &account_item(after)?);
        let write = self.dynamo.guarded_write().update(ACCOUNT, &key, &update, operator.condition(before));
        let write = operator.authorize(write, Some(after.id));
        let write = keep_consistent(write, Some(before), Some(after))?;
        self.record(write, after, operator, what)
    }

    /// Returns the write that creates an account.
    pub(super) fn creation_write(
        &self,
        account: &Account,
        operator: Operator<'_>,
        what: &Description,
    ) -> Result<GuardedWrite, StoreError> {
        let write = self.dynamo.guarded_write();
        let write = write.put(ACCOUNT, account_item(account)?, Condition::Absent);
        let write = operator.authorize(write, Some(account.id));
        let write = keep_consistent(write, None, Some(account))?;
        self.record(write, account, operator, what)
    }

    /// Returns the write that deletes an account. Its history stays.
    pub(super) fn deletion_write(
        &self,
        before: &Account,
        operator: Operator<'_>,
        what: &Description,
    ) -> Result<GuardedWrite, StoreError> {
        let write = self.dynamo.guarded_write();
        let write = write.delete(ACCOUNT, &account_key(before.id), operator.condition(before));
        let write = operator.authorize(write, Some(before.id));
        let write = keep_consistent(write, Some(before), None)?;
        self.record(write, &before.clone().changed(self.clock.now()), operator, what)
    }

    /// Adds the history entry of the account's version and its audit entry.
    fn record(
        &self,
        write: GuardedWrite,
        account: &Account,
        operator: Operator<'_>,
        Description { kind, detail }: &Description,
    ) -> Result<GuardedWrite, StoreError> {
        let (actor, at) = (operator.actor(), self.clock.now());
        let entry =
            HistoryEntry { version: account.version, at, by: actor.by.clone(), detail: detail.clone() };
        let key = history_key(account.id, account.version);
        let write = write.put("history", to_item(&key, &entry)?, Condition::Absent);
        let Some(kind) = *kind else { return Ok(write) };
        write.audit(&self.audit_entry(account, &actor, kind, detail))
    }

    /// Returns an audit entry about an account.
    pub(super) fn audit_entry(
        &self,
        account: &Account,
        actor: &AuditActor,
        kind: AuditKind,
        detail: impl Into<String>,
    ) -> AuditEntry {
        let entry = AuditEntry::new(&self.rng, self.clock.now(), actor, kind, account.label(), detail);
        entry.at_path(format!("/people/{}", account.id))
    }

    /// Makes a change that needs no condition or item of its own. Returns the account after it.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub(super) async fn change(
        &self,
        before: &Account,
        after: Account,
        operator: Operator<'_>,
        what: &Description,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let write = self.change_write(before, &after, operator, what)?;
        self.make(Idempotency::record(idempotency, write, &after)?, &after).await?;
        Ok(after)
    }

    /// Makes a change. Sessions and tokens of the account are checked again by this process at once.
    ///
    /// # Errors
    /// [`AccountError::Conflict`], [`AccountError::NoSuchAccount`], [`AccountError::EmailTaken`],
    /// [`AccountError::LastAdministrator`], [`AccountError::NoLongerAllowed`].
    pub(super) async fn make(&self, write: GuardedWrite, account: &Account) -> Result<(), AccountError> {
        let written = self.dynamo.write(write).await;
        // Done even after an error: a write whose answer was lost may have happened.
        self.auth_cache.invalidate_account(account.id);
        match written {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => Err(self.refused(&refusal, account).await?),
        }
    }

    /// Sends a write with the condition that its operator may still make it. Returns whether its other conditions held.
    ///
    /// # Errors
    /// [`AccountError::NoLongerAllowed`].
    pub(super) async fn write_authorized(&self, write: GuardedWrite) -> Result<bool, AccountError> {
        match self.dynamo.write(write).await {
            Ok(()) => Ok(true),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) if refusal.of(AUTHORITY) => Err(AccountError::NoLongerAllowed),
            Err(WriteError::Refused(_)) => Ok(false),
        }
    }

    /// Returns why a change was refused. A change that is stale and breaks a rule is stale.
    async fn refused(&self, refusal: &Refusal, wanted: &Account) -> Result<AccountError, AccountError> {
        if refusal.of(ACCOUNT) {
            let Some(stored) = self.read(wanted.id).await? else { return Ok(AccountError::NoSuchAccount) };
            // The owner lost the role or was disabled, which also changes the version.
            return Ok(AccountError::Conflict(Box::new(stored)));
        }
        if refusal.of(AUTHORITY) {
            return Ok(AccountError::NoLongerAllowed);
        }
        if refusal.of(LAST) {
            return Ok(AccountError::LastAdministrator);
        }
        if refusal.of(LOGIN) {
            return Ok(AccountError::EmailTaken(wanted.email.clone()));
        }
        Ok(AccountError::Changed)
    }
}

/// Adds what must agree with an account to the write of its change: its sign-in name, the number of administrators and
/// its search words.
fn keep_consistent(
    write: GuardedWrite,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<GuardedWrite, StoreError> {
    let write = move_login(write, before, after)?;
    let write = count_administrators(write, before, after)?;
    reindex(write, before, after)
}

/// Moves the sign-in name if the address changes.
fn move_login(
    mut write: GuardedWrite,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<GuardedWrite, StoreError> {
    let (old, new) = (before.map(|account| account.email.key()), after.map(|account| account.email.key()));
    if old == new {
        return Ok(write);
    }
    if let Some(before) = before {
        write = write.delete_derived("former login", &login_key(&before.email));
    }
    if let Some(after) = after {
        let login = LoginItem { account_id: after.id };
        write = write.put(LOGIN, to_item(&login_key(&after.email), &login)?, Condition::Absent);
    }
    Ok(write)
}

/// Counts an administrator who is added or removed. The last one cannot be removed.
fn count_administrators(
    write: GuardedWrite,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<GuardedWrite, StoreError> {
    let (was, is) = (before.is_some_and(is_active_administrator), after.is_some_and(is_active_administrator));
    let key = administrators_key();
    Ok(match (was, is) {
        (false, true) => write.update_derived(LAST, &key, &Update::default().add(ADMINISTRATORS, 1)),
        (true, false) => {
            let others = Condition::AtLeast(ADMINISTRATORS, to_attribute(2)?);
            write.update(LAST, &key, &Update::default().add(ADMINISTRATORS, -1), others)
        }
        _ => write,
    })
}

impl Accounts {
    /// Reads an account for a change. An account that was stored before there were lists and the number of
    /// administrators is added to them first.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`] if it does not exist.
    pub(super) async fn find_for_change(&self, id: AccountId) -> Result<Account, AccountError> {
        let item = self.dynamo.get(&account_key(id)).await?.ok_or(AccountError::NoSuchAccount)?;
        if is_listed(&item) {
            return Ok(from_item(item)?);
        }
        let account: Account = from_item(item)?;
        self.add_to_lists(&account).await?;
        self.find(id).await
    }

    /// Reads an account for a change that expects this version.
    ///
    /// # Errors
    /// [`AccountError::Conflict`] if it has another version; [`AccountError::NoSuchAccount`].
    pub(super) async fn find_version(
        &self,
        id: AccountId,
        expected: Version,
    ) -> Result<Account, AccountError> {
        let account = self.find_for_change(id).await?;
        if account.version == expected { Ok(account) } else { Err(AccountError::Conflict(Box::new(account))) }
    }

    /// Adds an account to the lists, the search and the number of administrators. Its version stays. Returns false if
    /// it was changed or added at the same time.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub(super) async fn add_to_lists(&self, account: &Account) -> Result<bool, StoreError> {
        let key = account_key(account.id);
        let update = Update::between(&to_item(&key, account)?, &account_item(account)?);
        let not_listed = Condition::Same(vec![(LISTED.to_owned(), None)]);
        let same = Condition::is_number("version", account.version.get()).and(not_listed);
        let write = self.dynamo.guarded_write().update(ACCOUNT, &key, &update, same);
        let write = count_administrators(write, None, Some(account))?;
        let write = reindex(write, None, Some(account))?;
        self.dynamo.try_write(write).await
    }
}
