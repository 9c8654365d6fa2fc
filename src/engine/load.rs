//! Imports data from another store. Items are not recorded in the stream, and recorded changes do not change items.

use jiff::Timestamp;

use super::action::{Action, Effects, Request, find_table};
use super::codec::{self, Attributes};
use super::error::EngineError;
use super::handle::Engine;
use super::stream::LoggedChange;

impl Engine {
    /// Puts items without recording them in the stream.
    ///
    /// # Errors
    /// [`EngineError`] if an item is invalid or storage fails. No item is put in that case.
    pub fn load(&self, table: &str, items: Vec<Attributes>) -> Result<(), EngineError> {
        let table = table.to_owned();
        self.write(move |context| {
            let mut effects = Effects::default();
            let request = Request { table: &table, ..Request::default() };
            for item in &items {
                let action = Action::put(&context.state.catalog, &request, item)?;
                action.commit(action.evaluate(context.read)??, false, false, &mut effects);
            }
            effects.changes.clear();
            context.commit(effects);
            Ok(())
        })
    }

    /// Records a change of an item in the stream, with the given time. Does not change the item.
    ///
    /// # Errors
    /// [`EngineError`] if an image is not a valid item or storage fails.
    pub fn log_change(
        &self,
        table: &str,
        at: Timestamp,
        old: Option<&Attributes>,
        new: Option<&Attributes>,
    ) -> Result<(), EngineError> {
        let encoded = |image: Option<&Attributes>| image.map(codec::encode_item).transpose();
        let (old, new) = (encoded(old)?, encoded(new)?);
        let table = table.to_owned();
        self.write(move |context| {
            let table = find_table(&context.state.catalog, &table)?.id;
            let change = LoggedChange { table, old, new, by_service: false };
            context.changes.log.append(&[change], at, &mut context.changes.batch);
            Ok(())
        })
    }
}
