//! Dead letters in the table, and their lists by status.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DeadLetterId, DeadLetterStatus};
use crate::shared::cursors::{cursor_in_index, next_in_index, start_in_index};
use crate::store::schema::{PK, STATUS_NEWEST};
use crate::store::{CursorError, Dynamo, Item, Key, Select, StoreError, from_item, to_item};
use crate::web::lists::Listed;

/// The dead letters of one kind, in one list for each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetterList {
    /// The sort key of a dead letter. Its partition key begins with the same text.
    pub sort_key: &'static str,
    /// The beginning of the index partitions.
    pub partition: &'static str,
    /// The name of the list in cursors.
    pub name: &'static str,
    /// Whether pages begin with the oldest dead letter.
    pub oldest_first: bool,
}

impl DeadLetterList {
    /// Returns the key of a dead letter.
    pub fn key(self, id: DeadLetterId) -> Key {
        Key::new(format!("{}#{id}", self.sort_key), self.sort_key)
    }

    /// Returns the id in the partition key of an item.
    pub fn id_of(self, item: &Item) -> Option<DeadLetterId> {
        text(item, PK)?.strip_prefix(self.sort_key)?.strip_prefix('#')?.parse().ok()
    }

    /// Creates the item of a dead letter, with its place in a list.
    ///
    /// # Errors
    /// [`StoreError::Malformed`], which does not happen in practice.
    pub fn item(
        self,
        dead_letter: &impl Serialize,
        id: DeadLetterId,
        status: DeadLetterStatus,
        created_at: Timestamp,
    ) -> Result<Item, StoreError> {
        let mut item = to_item(&self.key(id), dead_letter)?;
        let place = [
            (STATUS_NEWEST.partition, self.partition_of(status)),
            (STATUS_NEWEST.sort, sort(id, created_at)),
        ];
        item.extend(place.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))));
        Ok(item)
    }

    /// Returns the cursor after a dead letter.
    pub fn cursor_after(self, id: DeadLetterId, created_at: Timestamp) -> String {
        cursor_in_index(self.name, &sort(id, created_at), id)
    }

    /// Reads a page of the dead letters with a status. Two calls.
    ///
    /// # Errors
    /// [`CursorError`] for a cursor of another list, [`StoreError`] if the store failed.
    pub async fn page<L: DeserializeOwned, E: From<StoreError> + From<CursorError>>(
        self,
        dynamo: &Dynamo,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<L>, E> {
        let partition = self.partition_of(status);
        let mut select = Select::index(STATUS_NEWEST, &partition, i32::from(limit));
        if !self.oldest_first {
            select = select.backwards();
        }
        let select = start_in_index(select, self.name, cursor, |id| self.key(id))?;
        let page = dynamo.select(&select).await?;
        let next = next_in_index(self.name, STATUS_NEWEST, &page, |item| self.id_of(item));
        let ids = page.items.iter().filter_map(|item| self.id_of(item));
        let keys: Vec<Key> = ids.map(|id| self.key(id)).collect();
        let mut items = dynamo.get_all(&keys).await?;
        // The index can lag behind the items.
        items.retain(|item| text(item, STATUS_NEWEST.partition) == Some(partition.as_str()));
        let items = items.into_iter().map(from_item).collect::<Result<_, StoreError>>()?;
        Ok(Listed { items, next })
    }

    fn partition_of(self, status: DeadLetterStatus) -> String {
        format!("{}#{status}", self.partition)
    }
}

/// Returns the sort key in a list: by time, then by id.
fn sort(id: DeadLetterId, created_at: Timestamp) -> String {
    format!("{:015}#{id}", created_at.as_millisecond().max(0))
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}
