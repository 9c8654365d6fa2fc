//! Imports data from another store: loads items and stream changes without the other effects of a write.

use jiff::Timestamp;

use super::action::{Action, ActionError, Effects, PrepareError, Request, find_table};
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
                let action = Action::put(&context.state.catalog, &request, item);
                let action = action.map_err(PrepareError::into_error)?;
                match action.evaluate(context.read)? {
                    Ok(outcome) => action.commit(outcome, false, false, &mut effects),
                    Err(ActionError::Invalid(message)) => return Err(EngineError::invalid(message)),
                    Err(ActionError::Condition(_)) => {
                        return Err(EngineError::invalid("A load has no conditions"));
                    }
                }
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
        let encoded = |image: Option<&Attributes>| {
            let bytes = image.map(codec::encode_item).transpose();
            bytes.map_err(|error| EngineError::invalid(error.0))
        };
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
