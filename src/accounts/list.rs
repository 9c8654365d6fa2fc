//! The list of accounts, by name, and its search.
//!
//! Invariant: a page takes at most two calls, one for the keys and one consistent read of the accounts.

use super::AccountError;
use super::domain::Account;
use super::items::{Filter, SearchItem, WORDS, account_key, list_sort, search_filter};
use crate::accounts::Accounts;
use crate::base::identity::AccountId;
use crate::shared::cursors::{next_in_index, start_in_index};
use crate::shared::search::SearchQuery;
use crate::store::schema::PK;
use crate::store::{Item, Key, Select, StoreError, from_item};
use crate::web::lists::Listed;

/// The name of the list in cursors.
const LIST: &str = "accounts";

impl Accounts {
    /// Returns a page of accounts by name, or of those that a query finds.
    ///
    /// # Errors
    /// [`AccountError::Cursor`] if the cursor belongs to another list.
    pub async fn list(
        &self,
        query: Option<&SearchQuery>,
        filter: Filter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Account>, AccountError> {
        let (ids, next) = match query {
            Some(query) => self.find_ids(query, filter, limit, cursor).await?,
            None => self.list_ids(filter, limit, cursor).await?,
        };
        let mut items = self.read_all(&ids).await?;
        // The index may lag slightly behind the accounts.
        items.retain(|account| filter.admits(account));
        Ok(Listed { items, next })
    }

    async fn list_ids(
        &self,
        filter: Filter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<(Vec<AccountId>, Option<String>), AccountError> {
        let (index, partition) = filter.list();
        let select = Select::index(index, partition, i32::from(limit));
        let page = self.dynamo.select(&start_in_index(select, LIST, cursor, account_key)?).await?;
        let ids = page.items.iter().filter_map(id_in).collect();
        Ok((ids, next_in_index(LIST, index, &page, id_in)))
    }

    async fn find_ids(
        &self,
        query: &SearchQuery,
        filter: Filter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<(Vec<AccountId>, Option<String>), AccountError> {
        let filter = search_filter(filter)?;
        let (found, next) = WORDS.find::<AccountError>(&self.dynamo, query, filter, limit, cursor).await?;
        let ids = found.into_iter().map(from_item::<SearchItem>).collect::<Result<Vec<_>, _>>()?;
        Ok((ids.into_iter().map(|found| found.account_id).collect(), next))
    }

    /// Reads these accounts consistently. Deleted ones are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn read_all(&self, ids: &[AccountId]) -> Result<Vec<Account>, StoreError> {
        let keys: Vec<Key> = ids.iter().map(|id| account_key(*id)).collect();
        self.dynamo.get_all(&keys).await?.into_iter().map(from_item).collect()
    }

    /// Returns the agents and administrators, at most a hundred of each, to choose one of.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn agents(&self) -> Result<Vec<Account>, AccountError> {
        use super::domain::AccountStatus;
        use crate::base::identity::Role;
        let mut agents = Vec::new();
        for role in [Role::Agent, Role::Administrator] {
            let filter = Filter { role: Some(role), status: Some(AccountStatus::Active) };
            agents.extend(self.list(None, filter, 100, None).await?.items);
        }
        agents.sort_by_key(list_sort);
        Ok(agents)
    }
}

fn id_in(item: &Item) -> Option<AccountId> {
    item.get(PK)?.as_s().ok()?.strip_prefix("ACCOUNT#")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::identity::Role;

    #[test]
    fn a_list_is_sorted_by_name_regardless_of_case_and_accents() {
        let named = |name: &str| {
            let email = "ann@example.com".parse().unwrap();
            let id = AccountId::new(Timestamp::UNIX_EPOCH, &[1; 10]);
            Account::new(id, name.parse().unwrap(), email, Role::Agent, None, Timestamp::UNIX_EPOCH)
        };
        let mut accounts = ["Zoe", "émile", "Eve", "ann"].map(named);
        accounts.sort_by_key(list_sort);
        assert_eq!(accounts.map(|account| account.name.to_string()), ["ann", "émile", "Eve", "Zoe"]);
    }
}
