//! Deletes what is left of a lead when it leaves the trash: its history, its notes and its custom fields, and those of
//! the leads that were merged into it.
//!
//! Invariants: only a lead that cannot be restored any more is deleted, whether its place in the trash expired or was
//! removed otherwise. Each step deletes some items, so that an interrupted deletion continues when it is repeated.

use super::domain::{Lead, LeadId};
use super::items::{HISTORY, NOTE, TRASH, fields_key, lead_key, merged_key, text, trash_key};
use crate::leads::Leads;
use crate::store::schema::SK;
use crate::store::stream::Change;
use crate::store::{GuardedWrite, Item, Key, Select, StoreError, WriteError, from_item};

/// How many items one transaction deletes. An entry of the history has up to 32 KB, and a transaction up to 4 MB.
const AT_ONCE: i32 = 50;

/// Whether a change of this key may mean that a lead left the trash.
pub fn is_trash(key: &Key) -> bool {
    key.sk == TRASH
}

impl Leads {
    /// Deletes what is left of a lead if the change removed it from the trash for ever.
    ///
    /// # Errors
    /// [`StoreError`]; it is safe to repeat the call.
    pub async fn purge(&self, change: &Change) -> Result<(), StoreError> {
        let (Some(before), None) = (&change.before, &change.after) else { return Ok(()) };
        let gone: Lead = from_item(before.clone())?;
        // A restored lead left the trash too.
        if !self
            .dynamo
            .get_all(&[lead_key(gone.id), trash_key(gone.id), merged_key(gone.id)])
            .await?
            .is_empty()
        {
            return Ok(());
        }
        for id in gone.merged.iter().chain([&gone.id]) {
            self.purge_items(*id).await?;
        }
        Ok(())
    }

    async fn purge_items(&self, id: LeadId) -> Result<(), StoreError> {
        for prefix in [HISTORY, NOTE] {
            let range = Select::partition(lead_key(id).pk, AT_ONCE).begins_with(prefix);
            loop {
                let items = self.dynamo.select(&range).await?.items;
                if items.is_empty() {
                    break;
                }
                let keys = items.iter().filter_map(|item| key_in(item, id));
                let write =
                    keys.fold(self.dynamo.guarded_write(), |write, key| write.delete_derived("part", &key));
                self.write_purge(id, write).await?;
            }
        }
        let write = self.dynamo.guarded_write();
        let write =
            write.delete_derived("fields", &fields_key(id)).delete_derived("pointer", &merged_key(id));
        self.write_purge(id, write).await
    }

    async fn write_purge(&self, id: LeadId, write: GuardedWrite) -> Result<(), StoreError> {
        self.dynamo.write(write).await.map_err(|error| match error {
            WriteError::Store(error) => error,
            WriteError::Refused(_) => StoreError::invariant_violation("TransactWriteItems", &lead_key(id)),
        })
    }
}

fn key_in(item: &Item, id: LeadId) -> Option<Key> {
    Some(Key::new(lead_key(id).pk, text(item, SK)?))
}
