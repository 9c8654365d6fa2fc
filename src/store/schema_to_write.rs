//! Reads from the table which schema this process writes.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::versions::DEFAULT_SCHEMA;
use super::{Dynamo, Key, StoreError};

/// How long the table's answer is used while an upgrade is not finished.
const VALID_FOR: Duration = Duration::from_secs(60);

/// Returns the key of the item that names the schema to write.
pub(super) fn schema_key() -> Key {
    Key::new("SCHEMA", "SCHEMA")
}

impl Dynamo {
    /// Returns the schema in which items are written.
    pub(super) fn schema_to_write(&self) -> u32 {
        self.schema_to_write.number.load(Ordering::Relaxed)
    }

    /// Reads from the table which schema to write, unless it can no longer change or was read within the last minute.
    pub(super) async fn refresh_schema_to_write(&self) -> Result<(), StoreError> {
        if self.schema_to_write() == self.schema_versions.current || !self.is_refresh_due() {
            return Ok(());
        }
        let stored = self.raw(&schema_key()).await?;
        let stored = stored.and_then(|item| item.get("writes")?.as_n().ok()?.parse().ok());
        let version = stored
            .unwrap_or(DEFAULT_SCHEMA)
            .clamp(self.schema_versions.current - 1, self.schema_versions.current);
        self.schema_to_write.number.store(version, Ordering::Relaxed);
        Ok(())
    }

    fn is_refresh_due(&self) -> bool {
        let now = self.clock.ticks();
        let mut last_read = self.schema_to_write.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last_read.is_none_or(|last_read| now.saturating_sub(last_read) >= VALID_FOR);
        if is_due {
            *last_read = Some(now);
        }
        is_due
    }
}
