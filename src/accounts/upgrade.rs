//! Adds accounts of version 0.1 to the lists, the search and the number of administrators.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::AccountError;
use super::domain::Account;
use super::items::LISTED;
use crate::accounts::Accounts;
use crate::store::{Key, ScanPosition, from_item, to_item};

/// The number of accounts that are added at the same time.
const AT_ONCE: usize = 8;

fn marker_key() -> Key {
    Key::new("ACCOUNTINDEX", "ACCOUNTS")
}

impl Accounts {
    /// Adds all accounts of version 0.1 to the lists, the search and the number of administrators, while requests
    /// continue. Returns how many it added. It reads the whole table, so only a command or the start of a server calls
    /// it; once it is done, another call takes one read.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed. It is safe to repeat the call.
    pub async fn upgrade(&self) -> Result<u64, AccountError> {
        if self.background.get(&marker_key()).await?.is_some() {
            return Ok(0);
        }
        let (mut added, mut position) = (0, Some(ScanPosition::default()));
        while let Some(start) = position {
            let (items, next) = self.background.scan_without("ACCOUNT", LISTED, start).await?;
            let accounts = items.into_iter().map(from_item).collect::<Result<Vec<Account>, _>>()?;
            let adding = stream::iter(accounts).map(async |account| self.add_to_lists(&account).await);
            let done: Vec<bool> = adding.buffer_unordered(AT_ONCE).try_collect().await?;
            added += done.into_iter().filter(|added| *added).count() as u64;
            position = next;
        }
        let marker = to_item(&marker_key(), &json!({ "index": 1 }))?;
        self.background.try_write(self.background.guarded_write().put_derived("marker", marker)).await?;
        Ok(added)
    }
}
