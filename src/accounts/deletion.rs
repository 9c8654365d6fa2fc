//! The deletion of an account in steps, because its leads get another owner first.
//!
//! Invariants: the transaction that records the deletion also disables the account, so it gets no further lead. Any
//! administrator can continue it, with what was recorded. Enabling the account cancels it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::administer::{AccountChanges, changed};
use super::change::{Description, Operator};
use super::domain::Account;
use super::items::deletion_key;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Actor};
use crate::base::values::Version;
use crate::shared::audit_log::AuditKind;
use crate::store::idempotency::Idempotency;
use crate::store::{Condition, StoreError, from_item, to_item};

/// A deletion that began and is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingDeletion {
    /// The agent who gets the leads of the account, or `None` if they have no owner afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<AccountId>,
    /// Who began it.
    pub by: Actor,
    /// The time at which it began.
    pub at: Timestamp,
    /// The version of the account that the administrator saw.
    #[serde(rename = "seen")]
    pub expected: Version,
}

impl Accounts {
    /// Begins to delete an account: disables it and records the deletion. Another choice replaces the recorded one.
    ///
    /// # Errors
    /// [`AccountError::Conflict`]; [`AccountError::LastAdministrator`]; [`AccountError::NoSuchAccount`];
    /// [`AccountError::NoLongerAllowed`].
    pub async fn begin_deletion(
        &self,
        id: AccountId,
        expected: Version,
        leads_to: Option<AccountId>,
        operator: Operator<'_>,
    ) -> Result<Account, AccountError> {
        let (before, now) = (self.find_version(id, expected).await?, self.clock.now());
        let disable = AccountChanges { disabled: Some(true), ..AccountChanges::default() };
        let after = changed(before.clone(), disable).changed(now);
        let detail = match leads_to {
            Some(_) => "Deletion started. The leads get another owner.",
            None => "Deletion started. The leads stay without an owner.",
        };
        let what = Description::new(AuditKind::AccountChanged, detail);
        let pending = PendingDeletion { leads_to, by: operator.actor().by, at: now, expected };
        let write = self.change_write(&before, &after, operator, &what)?;
        let write = write.put_derived("deletion", to_item(&deletion_key(id), &pending)?);
        self.make(write, &after).await?;
        Ok(after)
    }

    /// Returns the deletion of an account that began and is not done.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn pending_deletion(&self, id: AccountId) -> Result<Option<PendingDeletion>, StoreError> {
        self.dynamo.get(&deletion_key(id)).await?.map(from_item).transpose()
    }

    /// Finishes the deletion of an account that began. Administrators who delete themselves are disabled since it began,
    /// so their role is not checked again.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if the deletion was canceled at the same time; [`AccountError::NoSuchAccount`];
    /// [`AccountError::NoLongerAllowed`].
    pub async fn finish_deletion(
        &self,
        id: AccountId,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Account, AccountError> {
        let (before, actor) = (self.find_for_change(id).await?, operator.actor());
        let operator = match operator {
            Operator::Administrator(who) if who.id == id => Operator::Continued(&actor),
            operator => operator,
        };
        let what = Description::new(AuditKind::AccountDeleted, "Account deleted.");
        let write = self.deletion_write(&before, operator, &what)?;
        let write = write.delete("deletion", &deletion_key(id), Condition::Exists);
        self.make(Idempotency::record(idempotency, write, &before)?, &before).await?;
        Ok(before)
    }
}
