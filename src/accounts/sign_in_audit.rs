//! The audit entries of people who sign in, and of attempts that are refused.

use super::domain::Account;
use super::requester::Requester;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Actor, SignedIn};
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::store::{GuardedWrite, StoreError};

/// Who attempts to sign in or to confirm a change, and as whom.
#[derive(Debug, Clone)]
pub(super) struct SignInSubject {
    actor: AuditActor,
    subject: String,
}

impl SignInSubject {
    /// Returns a person who is not signed in. `subject` is what they typed or the account that they reached.
    pub(super) fn stranger(subject: impl Into<String>, account: Option<AccountId>, from: &Requester) -> Self {
        let actor = AuditActor { by: Actor::new("not signed in"), account, address: from.address };
        Self { actor, subject: subject.into() }
    }

    /// Returns a signed-in person who confirms a change of the own account.
    pub(super) fn person(who: &SignedIn, account: &Account) -> Self {
        Self { actor: who.into(), subject: account.label() }
    }
}

impl Accounts {
    /// Returns the audit entry of a refused attempt.
    pub(super) fn failure_entry(&self, of: &SignInSubject, detail: impl Into<String>) -> AuditEntry {
        let kind = AuditKind::SignInFailed;
        AuditEntry::new(&self.rng, self.clock.now(), &of.actor, kind, &of.subject, detail)
    }

    /// Writes the audit entry of a refused attempt. The answer does not depend on it.
    pub(super) async fn record_failure(&self, of: &SignInSubject, detail: &str) {
        self.record_refusal(self.dynamo.guarded_write().audit(&self.failure_entry(of, detail))).await;
    }

    /// Sends a write with the audit entry of a refused attempt. The answer does not depend on it.
    pub(super) async fn record_refusal(&self, write: Result<GuardedWrite, StoreError>) {
        let written = match write {
            Ok(write) => self.dynamo.try_write(write).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a refused sign-in was not recorded");
        }
    }

    /// Adds the audit entry of a sign-in. `how` is the beginning of its sentence, before the device.
    pub(super) fn audit_sign_in(
        &self,
        write: GuardedWrite,
        account: &Account,
        from: &Requester,
        how: &str,
    ) -> Result<GuardedWrite, StoreError> {
        let (kind, detail) = (AuditKind::SignedIn, format!("{how} {}.", from.device_name));
        write.audit(&self.audit_entry(account, &from.actor(account), kind, detail))
    }
}
