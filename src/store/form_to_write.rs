//! Asks the table which form of items this process writes.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::versions::UNSAID;
use super::{Dynamo, Key, StoreError};

/// How long what the table says is believed, before it is finished.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// The key of the item that says which form is to be written.
pub(super) fn schema_key() -> Key {
    Key::new("SCHEMA", "SCHEMA")
}

impl Dynamo {
    /// The form in which items are written.
    pub(super) fn form_to_write(&self) -> u32 {
        self.form.number.load(Ordering::Relaxed)
    }

    /// Asks the table which form is to be written, where it can be another one and was not asked for a minute.
    pub(super) async fn ask_for_form(&self) -> Result<(), StoreError> {
        if self.form_to_write() == self.forms.present || !self.is_to_be_asked() {
            return Ok(());
        }
        let said = self.raw(&schema_key()).await?;
        let said = said.and_then(|item| item.get("writes")?.as_n().ok()?.parse().ok()).unwrap_or(UNSAID);
        let form = said.clamp(self.forms.present - 1, self.forms.present);
        self.form.number.store(form, Ordering::Relaxed);
        Ok(())
    }

    fn is_to_be_asked(&self) -> bool {
        let now = self.clock.ticks();
        let mut asked = self.form.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked.is_none_or(|asked| now.saturating_sub(asked) >= BELIEVED_FOR);
        if is_due {
            *asked = Some(now);
        }
        is_due
    }
}
