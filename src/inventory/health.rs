//! The progress of consumers, which each consumer reports from time to time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::InventoryError;
use crate::inventory::Inventory;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::schema::{SK, TTL};
use crate::store::{Key, Select, WriteError, from_item, to_attribute, to_item};
use crate::web::lists::Listed;

const LIST: &str = "consumers";
const PARTITION: &str = "CONSUMERS";
/// The seconds after which an unreported partition expires: 30 days.
const KEPT_FOR: i64 = 30 * 24 * 60 * 60;

/// The progress of a consumer group in one partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The consumer group, or the Lambda function.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the last finished message.
    pub offset: i64,
    /// How many messages wait after it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
    /// The time the last message was finished.
    pub at: Timestamp,
}

impl Inventory {
    /// Reports the progress of a consumer. The latest report wins.
    ///
    /// # Errors
    /// [`InventoryError::Store`].
    pub async fn report_progress(&self, progress: &[Progress]) -> Result<(), InventoryError> {
        for some in progress.chunks(50) {
            let mut write = self.dynamo.guarded_write();
            for one in some {
                let sort = format!("{}#{}#{:05}", one.group, one.topic, one.partition);
                let mut item = to_item(&Key::new(PARTITION, sort), one)?;
                let expires = self.clock.now().as_second().saturating_add(KEPT_FOR);
                item.insert(TTL.to_owned(), to_attribute(expires)?);
                write = write.put_derived("progress", item);
            }
            match self.dynamo.write(write).await {
                Ok(()) | Err(WriteError::Refused(_)) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lists the progress of consumers, ordered by group, topic and partition. One call.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn list_progress(
        &self,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Progress>, InventoryError> {
        let mut select = Select::partition(PARTITION, i32::from(limit));
        if let Some(sort) = start_after::<String>(LIST, cursor)? {
            select = select.after(&sort, &Key::new(PARTITION, &sort));
        }
        let page = self.dynamo.select(&select).await?;
        let last = page.last.as_ref().and_then(|key| key.get(SK)?.as_s().ok());
        let next = last.map(|sort| cursor_after(LIST, sort));
        let items = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Listed { items, next })
    }
}
