//! Moves the search words of earlier versions into the current index.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::domain::StoredLead;
use super::error::LeadError;
use super::items::{CURRENT_INDEX, STORED, WORD_INDEX, lead_key, list_partition, stored_lead};
use super::list::IndexPage;
use super::word_index::reindex;
use crate::leads::{Filter, Leads, Sort};
use crate::store::{Condition, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item};

/// How many leads are changed at once.
const AT_ONCE: usize = 8;

/// The number of the search index that has the words of all leads.
#[derive(Serialize, Deserialize)]
struct Marker {
    index: u32,
}

fn marker_key() -> Key {
    Key::new("SEARCHINDEX", "LEADS")
}

impl Leads {
    /// Whether a search has to look for words of version 0.1 too. It asks the table at most once a minute.
    pub(super) async fn has_former_words(&self) -> Result<bool, StoreError> {
        if let Some(known) = self.former_words.known(self.clock.now()) {
            return Ok(known);
        }
        let gone = self.upgraded_to().await?.is_some();
        self.former_words.record(gone, self.clock.now());
        Ok(!gone)
    }

    /// Returns the number of the search index that has the words of all leads, if it is known.
    async fn upgraded_to(&self) -> Result<Option<u32>, StoreError> {
        let marker = self.dynamo.get(&marker_key()).await?;
        Ok(marker.map(from_item::<Marker>).transpose()?.map(|marker| marker.index))
    }

    /// Moves the words of earlier versions into the current index, some leads at once, while requests continue. `report`
    /// gets the number of leads so far. It reads all leads, so only a command or the start of a server calls it; once it
    /// is done, another call takes one read.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed. It is safe to repeat the call.
    pub async fn upgrade_words(&self, mut report: impl FnMut(u64)) -> Result<u64, LeadError> {
        if self.upgraded_to().await? >= Some(CURRENT_INDEX) {
            return Ok(0);
        }
        let (index, partition) = list_partition(Filter::default(), Sort::Newest);
        let list = Sort::Newest.as_str();
        let page = IndexPage { index, partition, list, key: lead_key, limit: 100 };
        let (mut moved, mut cursor) = (0, None);
        loop {
            let (ids, next) = self.index_ids(&page, cursor.as_deref()).await?;
            let keys: Vec<_> = ids.into_iter().map(lead_key).collect();
            let items = self.dynamo.get_parts(&keys, &STORED).await?;
            let stored = items.into_iter().map(stored_lead).collect::<Result<Vec<_>, _>>()?;
            let upgrades: Vec<_> = stored.iter().map(|stored| self.upgrade_words_of(stored)).collect();
            let done: Vec<bool> = stream::iter(upgrades).buffer_unordered(AT_ONCE).try_collect().await?;
            moved += done.into_iter().map(u64::from).sum::<u64>();
            report(moved);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let marker = to_item(&marker_key(), &Marker { index: CURRENT_INDEX })?;
        match self.dynamo.write(self.dynamo.guarded_write().put_derived("marker", marker)).await {
            Ok(()) => self.former_words.record(true, self.clock.now()),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(_)) => {
                return Err(StoreError::invariant_violation("TransactWriteItems", &marker_key()).into());
            }
        }
        Ok(moved)
    }

    /// Moves the words of one lead. A lead that changes at the same time moves them by itself.
    async fn upgrade_words_of(&self, stored: &StoredLead) -> Result<bool, StoreError> {
        if stored.word_index == CURRENT_INDEX {
            return Ok(false);
        }
        let lead = &stored.lead;
        let update = Update::default().set(WORD_INDEX, to_attribute(CURRENT_INDEX)?);
        let unchanged = Condition::is_number("version", lead.version.get());
        let write = self.dynamo.guarded_write().update("lead", &lead_key(lead.id), &update, unchanged);
        match self.dynamo.write(reindex(write, Some(stored), Some(lead))?).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
