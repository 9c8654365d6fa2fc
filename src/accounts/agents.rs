//! Looks up the agents whom records are given to.

use std::str::FromStr;

use super::domain::{Account, AccountStatus};
use super::items::Filter;
use super::{AccountError, Accounts};
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Invalid};
use crate::store::StoreError;

/// An account as people and programs name it: by its email address or by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountReference {
    /// By its id.
    Id(AccountId),
    /// By its email address.
    Email(Email),
}

impl FromStr for AccountReference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let message = "Give the email or ID of an account.";
        text.parse().map(Self::Email).map_err(|_| Invalid::new(message))
    }
}

impl Accounts {
    /// Returns an agent or administrator, or `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn agent(&self, reference: &AccountReference) -> Result<Option<Account>, StoreError> {
        let Some(id) = self.id_of(reference).await? else { return Ok(None) };
        Ok(self.read(id).await?.filter(|account| account.role >= Role::Agent && account.is_active()))
    }

    /// Returns the agents and administrators for a look-up by name, at most a thousand of each role.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn all_agents(&self) -> Result<Vec<Account>, AccountError> {
        const PAGES: usize = 10;
        let mut agents = Vec::new();
        for role in [Role::Agent, Role::Administrator] {
            let filter = Filter { role: Some(role), status: Some(AccountStatus::Active) };
            let mut cursor = None;
            for _ in 0..PAGES {
                let page = self.list(None, filter, 100, cursor.as_deref()).await?;
                agents.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(agents)
    }

    /// Returns the id of an account, or `None` if no account has the email address. An id is returned as it is, whether
    /// or not there is such an account.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn id_of(&self, reference: &AccountReference) -> Result<Option<AccountId>, StoreError> {
        match reference {
            AccountReference::Id(id) => Ok(Some(*id)),
            AccountReference::Email(email) => self.by_email(email).await,
        }
    }
}
