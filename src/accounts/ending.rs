//! Ends the sessions of people whose role requires two-factor authentication and who have none.
//!
//! Invariants: what is to be done is recorded in the write of the [settings](super::security), so that any administrator
//! can continue it after an interruption. A step can be repeated, also by two administrators at once. A person who gets
//! such a role later loses the sessions in the write of the new role, and a person who signs in later is asked then. So
//! when the last step is done, no session of before is left.

use super::AccountError;
use super::change::{Description, Operator};
use super::domain::AccountStatus;
use super::items::Filter;
use super::security::{EndingSessions, Security, has_version, security_key};
use crate::accounts::Accounts;
use crate::base::identity::AccountId;
use crate::store::{Condition, Update, to_attribute};

/// The number of people of one step.
pub const STEP_PEOPLE: u16 = 50;

/// How often a person's sessions are ended if the account is changed at the same time.
const MAX_TRIES: usize = 5;

impl Accounts {
    /// Ends the sessions of the people whose role requires two-factor authentication and who have none, until it is
    /// done or the request's time is short. Returns the settings, which say whether something is left.
    ///
    /// # Errors
    /// [`AccountError::NoLongerAllowed`]; [`AccountError::Changed`] if a person's account is changed all the time.
    pub async fn end_sessions_without_two_factor(
        &self,
        operator: Operator<'_>,
    ) -> Result<Security, AccountError> {
        loop {
            let security = self.security().await?;
            let Some(ending) = &security.ending else { return Ok(security) };
            self.end_some(&security, ending, operator).await?;
            if self.dynamo.time_is_short() {
                return self.security().await;
            }
        }
    }

    /// Ends the sessions of one page of people, and records where to continue.
    async fn end_some(
        &self,
        security: &Security,
        ending: &EndingSessions,
        operator: Operator<'_>,
    ) -> Result<(), AccountError> {
        let filter = Filter { role: Some(ending.role), status: Some(AccountStatus::Active) };
        let page = self.list(None, filter, STEP_PEOPLE, ending.cursor.as_deref()).await?;
        for account in page.items.iter().filter(|account| security.ends_sessions_of(account)) {
            self.end_unless_enrolled(account.id, security, operator).await?;
        }
        let update = match ending.after(page.next) {
            Some(left) => Update::default().set("ending", to_attribute(&left)?),
            None => Update::default().remove("ending"),
        };
        let same = Condition::Equals("ending", to_attribute(ending)?).and(has_version(security.version));
        let write = self.dynamo.guarded_write().update("security", &security_key(), &update, same);
        // If another administrator made this step or changed the settings, those are read next.
        self.dynamo.try_write(write).await?;
        Ok(())
    }

    async fn end_unless_enrolled(
        &self,
        id: AccountId,
        security: &Security,
        operator: Operator<'_>,
    ) -> Result<(), AccountError> {
        let detail = "All sessions ended, because the role requires two-factor authentication.";
        for _ in 0..MAX_TRIES {
            let before = match self.find_for_change(id).await {
                Err(AccountError::NoSuchAccount) => return Ok(()),
                found => found?,
            };
            if !security.ends_sessions_of(&before) {
                return Ok(());
            }
            let after = before.clone().without_sessions().changed(self.clock.now());
            match self.change(&before, after, operator, &Description::in_bulk(detail), None).await {
                Err(AccountError::Conflict(_) | AccountError::NoSuchAccount) => {}
                done => return done.map(drop),
            }
        }
        Err(AccountError::Changed)
    }
}
