//! Deletes an account in steps: each gives some of its leads to another owner, and the last one deletes it.
//!
//! Invariants: the choice of what happens with the leads is recorded before the first step. A step can be repeated and can
//! be made by any administrator or command. The account is deleted when it owns no lead any more.

use super::PeopleError;
use crate::accounts::AccountError;
use crate::accounts::agents::AccountReference;
use crate::accounts::change::Operator;
use crate::accounts::domain::Account;
use crate::base::identity::AccountId;
use crate::base::values::Version;
use crate::leads::domain::Owner;
use crate::leads::{KeptLead, LeadError};
use crate::people::People;
use crate::store::idempotency::{Done, Idempotency, replayed_answer};

/// The number of leads that one step gives to another owner.
pub const STEP_LEADS: u16 = 50;

/// What happens with the leads of a deleted account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadsChoice {
    /// They stay without an owner.
    Clear,
    /// They are given to this agent.
    GiveTo(AccountReference),
}

/// The state of a deletion after a step.
#[derive(Debug)]
pub enum DeletionProgress {
    /// Another step must be made.
    Remaining(Remaining),
    /// The account is deleted.
    Done(Box<Account>),
}

/// What the steps of a deletion did that is not done.
#[derive(Debug, Default)]
pub struct Remaining {
    /// How many leads got another owner.
    pub changed: u64,
    /// The leads that could not be changed, if there are no others.
    pub kept: Vec<KeptLead>,
}

impl People {
    /// Begins a deletion and makes its steps until it is done or the request's time is short. The same request
    /// continues it, and gets the stored answer when it is done. With `anyway`, leads that cannot be changed keep the
    /// deleted owner.
    ///
    /// # Errors
    /// As [`begin_deletion`](Self::begin_deletion) and [`deletion_step`](Self::deletion_step);
    /// [`AccountError::KeyReused`].
    pub async fn delete(
        &self,
        id: AccountId,
        expected: Version,
        choice: &LeadsChoice,
        anyway: bool,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<Done<DeletionProgress>, PeopleError> {
        let stored = Idempotency::look_up(idempotency, &self.dynamo).await?;
        if let Some(answer) = replayed_answer(stored)? {
            return Ok(Done::Replayed(answer));
        }
        let delete = async {
            self.begin_deletion(id, expected, choice, operator).await?;
            self.continue_deletion(id, anyway, operator, idempotency).await
        };
        match delete.await {
            Ok(progress) => Ok(Done::Now(progress)),
            Err(error) => {
                let stored = Idempotency::look_up(idempotency, &self.dynamo).await?;
                replayed_answer(stored)?.map(Done::Replayed).ok_or(error)
            }
        }
    }

    /// Begins a deletion, or does nothing if the same request began it before.
    ///
    /// # Errors
    /// [`AccountError::Conflict`], [`AccountError::LastAdministrator`], [`AccountError::NoSuchAccount`],
    /// [`AccountError::NoLongerAllowed`]; [`PeopleError::NoSuchAgent`].
    pub async fn begin_deletion(
        &self,
        id: AccountId,
        expected: Version,
        choice: &LeadsChoice,
        operator: Operator<'_>,
    ) -> Result<(), PeopleError> {
        let leads_to = match choice {
            LeadsChoice::Clear => None,
            LeadsChoice::GiveTo(reference) => Some(self.new_owner(id, reference).await?.id),
        };
        if let Some(pending) = self.accounts.pending_deletion(id).await? {
            let version = self.accounts.find(id).await?.version;
            let is_begun =
                version == expected || (pending.expected == expected && version == expected.next());
            if is_begun && pending.leads_to == leads_to {
                return Ok(());
            }
        }
        self.accounts.begin_deletion(id, expected, leads_to, operator).await?;
        Ok(())
    }

    /// Makes one step of a deletion that began. With `anyway`, the account is deleted although some leads cannot be
    /// changed.
    ///
    /// # Errors
    /// [`PeopleError::NotPending`] if it was canceled; [`AccountError::NoSuchAccount`] if it is done;
    /// [`AccountError::NoLongerAllowed`]; [`PeopleError::NoSuchAgent`] if the agent who gets the leads is no agent any
    /// more.
    pub async fn deletion_step(
        &self,
        id: AccountId,
        anyway: bool,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<DeletionProgress, PeopleError> {
        let Some(pending) = self.accounts.pending_deletion(id).await? else {
            self.accounts.find(id).await?;
            return Err(PeopleError::NotPending);
        };
        let to = match pending.leads_to {
            Some(agent) => Some(self.new_owner(id, &AccountReference::Id(agent)).await?),
            None => None,
        };
        let step = self.leads.reassign_owned(id, to.as_ref(), &operator.actor().by, STEP_LEADS).await?;
        if step.more || !(step.kept.is_empty() || anyway) {
            return Ok(DeletionProgress::Remaining(Remaining { changed: step.changed, kept: step.kept }));
        }
        match self.accounts.finish_deletion(id, operator, idempotency).await {
            Ok(account) => Ok(DeletionProgress::Done(Box::new(account))),
            Err(AccountError::Changed) => Err(PeopleError::NotPending),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes steps of a deletion that began until it is done or the request's time is short.
    ///
    /// # Errors
    /// The same as [`deletion_step`](Self::deletion_step).
    pub async fn continue_deletion(
        &self,
        id: AccountId,
        anyway: bool,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Account>>,
    ) -> Result<DeletionProgress, PeopleError> {
        let mut changed = 0;
        loop {
            let step = match self.deletion_step(id, anyway, operator, idempotency).await? {
                DeletionProgress::Remaining(step) => step,
                done @ DeletionProgress::Done(_) => return Ok(done),
            };
            changed += step.changed;
            if step.changed == 0 || self.dynamo.time_is_short() {
                return Ok(DeletionProgress::Remaining(Remaining { changed, ..step }));
            }
        }
    }

    /// Returns the agent who gets the leads of a deleted account.
    async fn new_owner(&self, deleted: AccountId, to: &AccountReference) -> Result<Owner, PeopleError> {
        match self.leads.owner(to).await {
            Ok(owner) if owner.id != deleted => Ok(owner),
            Ok(_) | Err(LeadError::Invalid(..)) => Err(PeopleError::NoSuchAgent),
            Err(error) => Err(error.into()),
        }
    }
}
