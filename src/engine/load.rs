//! Taking over what another store held: items and changes as they are there, past what writes do besides.

use jiff::Timestamp;

use super::action::{Action, Effects, Refusal, Rejection, Request, find_table};
use super::codec::{self, Attributes};
use super::error::EngineError;
use super::handle::Engine;
use super::stream::LoggedChange;

impl Engine {
    /// Puts items, and tells the stream of none of them.
    ///
    /// # Errors
    /// [`EngineError`] if an item cannot be one, or storage fails; then none is put.
    pub fn load(&self, table: &str, items: Vec<Attributes>) -> Result<(), EngineError> {
        let table = table.to_owned();
        self.write(move |writing| {
            let mut effects = Effects::default();
            let request = Request { table: &table, ..Request::default() };
            for item in &items {
                let action = Action::put(&writing.state.catalog, &request, item);
                let action = action.map_err(Rejection::into_error)?;
                match action.judge(writing.read)? {
                    Ok(outcome) => action.commit(outcome, false, false, &mut effects),
                    Err(Refusal::Invalid(message)) => return Err(EngineError::invalid(message)),
                    Err(Refusal::Condition(_)) => return Err(EngineError::invalid("There is no condition")),
                }
            }
            effects.changes.clear();
            writing.commit(effects);
            Ok(())
        })
    }

    /// Tells the stream of a change of an item that happened at this time, and changes nothing.
    ///
    /// # Errors
    /// [`EngineError`] if an image cannot be an item, or storage fails.
    pub fn tell(
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
        self.write(move |writing| {
            let table = find_table(&writing.state.catalog, &table)?.id;
            let change = LoggedChange { table, old, new, by_service: false };
            writing.changes.log.append(&[change], at, &mut writing.changes.batch);
            Ok(())
        })
    }
}
