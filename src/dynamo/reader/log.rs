//! The embedded engine's log, which keeps each change until every reader has acknowledged it.

use std::fmt::Display;
use std::sync::Arc;

use super::{Audience, Look};
use crate::dynamo::line::CallError;
use crate::dynamo::read::key_of;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::upgrade::in_present_form;
use crate::dynamo::{Embedded, Item, StoreError};
use crate::engine::StreamRecord;
use crate::values::Invalid;

const READ: &str = "ReadStream";
/// The most changes of a batch.
const BATCH: usize = 100;

/// A reader's place in the log.
pub(super) struct Log {
    audience: Audience,
    engine: Embedded,
    /// Up to here everything was handled; not known before the reader is registered.
    place: Option<u64>,
    /// Read, and not yet handled.
    batch: Option<Batch>,
}

#[derive(Clone)]
struct Batch {
    changes: Arc<[Change]>,
    last: u64,
}

impl Log {
    pub(super) fn new(audience: Audience, engine: Embedded) -> Self {
        Self { audience, engine, place: None, batch: None }
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Reads one batch, hands it over if it holds what is relevant, and notes how far that was.
    pub(super) async fn look<H, F, E>(&mut self, handle: &mut H) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let place = self.place().await?;
        let Some(Batch { changes, last }) = self.batch(place).await? else {
            return Ok(Look::Nothing);
        };
        if !changes.is_empty()
            && let Err(error) = handle(changes.clone()).await
        {
            let (consumer, changes) = (self.audience.consumer, changes.len());
            tracing::warn!(consumer, changes, %error, "changes were not handled and are handed over again");
            return Ok(Look::Later);
        }
        self.batch = None;
        self.place = Some(last);
        self.acknowledge(last).await?;
        Ok(Look::More)
    }

    /// Where the reader stands: where it stood when it was here last, or at the oldest change that there is.
    async fn place(&mut self) -> Result<u64, StoreError> {
        if let Some(place) = self.place {
            return Ok(place);
        }
        let consumer = self.audience.consumer;
        let place = self.ask("RegisterReader", move |engine| Ok(engine.register_reader(consumer)?)).await?;
        self.place = Some(place);
        Ok(place)
    }

    /// The batch in hand, or the next one if there is something new.
    async fn batch(&mut self, place: u64) -> Result<Option<Batch>, StoreError> {
        if self.batch.is_some() {
            return Ok(self.batch.clone());
        }
        let table = self.audience.dynamo.table.clone();
        let page = self.ask(READ, move |engine| Ok(engine.read_stream(&table, place, BATCH)?)).await?;
        let (mut records, mut last) = (page.records, page.last);
        if last <= place {
            return Ok(None);
        }
        // The engine reads transactions as a whole.
        if records.len() > BATCH {
            records.truncate(BATCH);
            last = records.last().map_or(last, |record| record.sequence);
        }
        let changes = records.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
        let changes = changes.into_iter().filter(|change| (self.audience.relevant)(change)).collect();
        self.batch = Some(Batch { changes, last });
        Ok(self.batch.clone())
    }

    async fn acknowledge(&self, place: u64) -> Result<(), StoreError> {
        let consumer = self.audience.consumer;
        self.ask("Acknowledge", move |engine| Ok(engine.acknowledge(consumer, place)?)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&crate::engine::Engine) -> Result<T, CallError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let attempt = || self.engine.aside(work.clone());
        let answer = self.audience.dynamo.retry(operation, attempt, CallError::passes).await?;
        answer.map_err(|error| StoreError::of_call(operation, error))
    }
}

fn change(record: StreamRecord) -> Result<Change, StoreError> {
    let StreamRecord { sequence, at, keys, old_image, new_image, .. } = record;
    let key =
        key_of(&keys).ok_or_else(|| StoreError::failed(READ, "a record has another key than pk and sk"))?;
    let sequence = numbered(sequence)?;
    let read = |image: Option<Item>| image.map(in_present_form).transpose();
    let (before, after) = (read(old_image)?, read(new_image)?);
    Ok(Change { id: sequence.as_issued().to_owned(), at, sequence, key, before, after })
}

/// The engine's number as one of DynamoDB's form. The leading 2 puts it behind all numbers of the engine that Holdfast
/// had before, which begin with 1 and 20 more digits and stand in what was counted.
fn numbered(sequence: u64) -> Result<Sequence, StoreError> {
    format!("2{sequence:020}").parse().map_err(|error: Invalid| StoreError::failed(READ, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_engine_come_after_those_of_the_former_one_and_in_order() {
        let former: Sequence = "0000000000000000000100001795870620391532".parse().unwrap();
        let numbers = [0, 1, 256, u64::MAX].map(|number| numbered(number).unwrap());
        assert!(former < numbers[0] && numbers.is_sorted());
        assert_eq!(numbers[2].as_issued(), "200000000000000000256");
    }
}
