//! Finds the agent whom a lead is given to.

use super::domain::Owner;
use super::error::LeadError;
use crate::accounts::agents::AccountReference;
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
            None => Err(LeadError::Invalid("owner", Invalid::new("No agent has this account."))),
        }
    }
}
