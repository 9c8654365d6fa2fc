//! The owners of leads: looks them up, lists their leads, and gives all leads of one to another.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::change::Alteration;
use super::domain::{Action, Lead, LeadChange, LeadId, Owner};
use super::error::LeadError;
use super::items::Filter;
use super::list::{LeadPage, ListRequest};
use crate::accounts::AccountError;
use crate::accounts::agents::AccountReference;
use crate::accounts::domain::Account;
use crate::base::identity::{AccountId, Actor};
use crate::base::values::Invalid;
use crate::leads::Leads;

impl Leads {
    /// Returns the agent as the owner of leads.
    ///
    /// # Errors
    /// [`LeadError::Invalid`] if there is no such agent.
    pub async fn owner(&self, reference: &AccountReference) -> Result<Owner, LeadError> {
        match self.accounts.agent(reference).await? {
            Some(account) => Ok(Owner { id: account.id, name: account.name }),
            None => Err(LeadError::Invalid(
                "owner",
                Invalid::new("This account isn't an agent or administrator."),
            )),
        }
    }

    /// Returns the agents and administrators to choose an owner from, by name, at most a hundred of each role.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed.
    pub async fn agents(&self) -> Result<Vec<Account>, LeadError> {
        self.accounts.agents().await.map_err(agents_error)
    }

    /// Returns the agents and administrators for a look-up by name, at most a thousand of each role.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed.
    pub async fn all_agents(&self) -> Result<Vec<Account>, LeadError> {
        self.accounts.all_agents().await.map_err(agents_error)
    }

    /// Returns the account whose leads are listed. An id is not looked up, because leads may have an owner whose account
    /// no longer exists.
    ///
    /// # Errors
    /// [`LeadError::Invalid`] if no account has the email address.
    pub async fn owner_id(&self, reference: &AccountReference) -> Result<AccountId, LeadError> {
        let missing = || LeadError::Invalid("owner", Invalid::new("No account has this email."));
        self.accounts.id_of(reference).await?.ok_or_else(missing)
    }

    /// Returns a page of the leads that an account owns, newest first, with two calls.
    ///
    /// # Errors
    /// [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn owned_by(
        &self,
        owner: AccountId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<LeadPage, LeadError> {
        let filter = Filter { owner: Some(owner), ..Filter::default() };
        let cursor = cursor.map(str::to_owned);
        self.list(&ListRequest { filter, limit, cursor, ..ListRequest::default() }).await
    }
}

/// Returns why the agents could not be listed.
fn agents_error(error: AccountError) -> LeadError {
    match error {
        AccountError::Store(error) => error.into(),
        other => LeadError::Invalid("owner", Invalid::new(other.to_string())),
    }
}

/// The result of one step of giving all leads of an owner to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reassigned {
    /// How many leads this step changed.
    pub changed: u64,
    /// The leads that this step could not change. A later step tries them again, so the last step has all of them.
    pub kept: Vec<KeptLead>,
    /// Whether another step is needed. A step that changed nothing is the last one: it also shows that the owner got no
    /// lead during the others.
    pub more: bool,
}

/// A lead that keeps its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLead {
    /// The lead.
    pub id: LeadId,
    /// Why it could not be changed.
    pub reason: String,
}

/// The outcome for one lead of a step.
enum Outcome {
    Changed,
    /// Another request deleted the lead or gave it to another owner.
    NotOwned,
    Kept(KeptLead),
}

/// How many leads a step changes at once.
const AT_ONCE: usize = 8;
/// The most pages that a step reads to find a lead that it can change.
const MOST_PAGES: u32 = 10;
/// The most attempts to change one lead that others change at the same time.
const ATTEMPTS: u32 = 20;

impl Leads {
    /// Gives at most `limit` leads of an owner to another one, or clears their owner. This is one step: repeat it until
    /// [`Reassigned::more`] is false. Each lead changes by a separate guarded write, regardless of its status and stock. It is safe to repeat a
    /// step that was interrupted. Leads in the trash keep the owner that they had.
    ///
    /// # Errors
    /// [`LeadError::Invalid`] if both owners are the same; [`LeadError::Store`] if the store failed.
    pub async fn reassign_owned(
        &self,
        from: AccountId,
        to: Option<&Owner>,
        by: &Actor,
        limit: u16,
    ) -> Result<Reassigned, LeadError> {
        if to.is_some_and(|to| to.id == from) {
            return Err(LeadError::Invalid("owner", Invalid::new("Choose another agent as the new owner.")));
        }
        let mut step = Reassigned::default();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let (ids, next) = self.owned_ids(from, limit, cursor.as_deref()).await?;
            let reassignments = ids.into_iter().map(|id| self.reassign(id, from, to, by));
            let outcomes: Vec<Outcome> =
                stream::iter(reassignments).buffer_unordered(AT_ONCE).try_collect().await?;
            for outcome in outcomes {
                match outcome {
                    Outcome::Changed => step.changed += 1,
                    Outcome::NotOwned => {}
                    Outcome::Kept(kept) => step.kept.push(kept),
                }
            }
            cursor = next;
            if step.changed > 0 || cursor.is_none() {
                break;
            }
        }
        step.more = step.changed > 0;
        Ok(step)
    }

    /// Gives one lead to another owner, if it still has this one.
    async fn reassign(
        &self,
        id: LeadId,
        from: AccountId,
        to: Option<&Owner>,
        by: &Actor,
    ) -> Result<Outcome, LeadError> {
        let mut attempt = 1;
        loop {
            match self.try_to_reassign(id, from, to, by).await {
                Ok(outcome) => return Ok(outcome),
                Err(LeadError::NotFound(_) | LeadError::Deleted(_) | LeadError::Merged(_)) => {
                    return Ok(Outcome::NotOwned);
                }
                Err(LeadError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(LeadError::Store(error)) if error.is_outage() => return Err(error.into()),
                // A damaged lead does not keep the others from their new owner.
                Err(error) => return Ok(Outcome::Kept(KeptLead { id, reason: error.to_string() })),
            }
        }
    }

    async fn try_to_reassign(
        &self,
        id: LeadId,
        from: AccountId,
        to: Option<&Owner>,
        by: &Actor,
    ) -> Result<Outcome, LeadError> {
        let lead = self.find(id).await?;
        if lead.owner.as_ref().is_none_or(|owner| owner.id != from) {
            return Ok(Outcome::NotOwned);
        }
        let change = LeadChange { owner: Some(to.cloned()), ..LeadChange::default() };
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let alteration = Alteration::of(Action::Updated, &apply);
        // No rule is about the owner.
        self.alter(id, lead.version, &alteration, None, |_| None).await?;
        Ok(Outcome::Changed)
    }
}
