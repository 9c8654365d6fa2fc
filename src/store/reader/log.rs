//! The embedded engine's log, which keeps each change until every reader has acknowledged it.

use std::fmt::Display;
use std::sync::Arc;

use super::look::{Audience, Look, Seen};
use crate::base::values::Invalid;
use crate::engine::{Engine, EngineError, StreamRecord};
use crate::store::item::key_of;
use crate::store::line::CallError;
use crate::store::stream::{Batch, Change, Raw, Sequence, Unreadable, readable};
use crate::store::{Embedded, Item, StoreError};

const READ: &str = "ReadStream";
/// About how many changes are read, handed over and acknowledged together. While requests write, this is also about how
/// many are counted in a second.
const PAGE: usize = 2_000;

/// A reader's place in the log.
pub(super) struct Log {
    audience: Audience,
    engine: Embedded,
    /// Up to here everything was handled; not known before the reader is registered.
    place: Option<u64>,
    /// Read, and not yet handled as a whole.
    page: Option<Page>,
}

/// What was read at once.
struct Page {
    /// What is relevant of it.
    batch: Arc<Batch>,
    /// Where it ends.
    last: u64,
}

impl Log {
    pub(super) fn new(audience: Audience, engine: Embedded) -> Self {
        Self { audience, engine, place: None, page: None }
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Hands over what was read, and notes that it was handled.
    pub(super) async fn look<H, F, E>(&mut self, handle: &mut H, seen: &mut Seen) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let place = self.place().await?;
        let page = match &mut self.page {
            Some(page) => page,
            None => match self.read(place).await? {
                Some(page) => self.page.insert(page),
                None => return Ok(Look::Nothing),
            },
        };
        let (last, batch) = (page.last, page.batch.clone());
        if !batch.is_empty()
            && let Err(error) = handle(batch.clone()).await
        {
            seen.unhandled(error.to_string());
            return Ok(Look::Later);
        }
        seen.handled(&batch);
        self.acknowledge(last).await?;
        (self.page, self.place) = (None, Some(last));
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

    /// What comes behind a place, if there is something new.
    async fn read(&self, place: u64) -> Result<Option<Page>, StoreError> {
        let (table, relevant) = (self.audience.dynamo.table.clone(), self.audience.relevant);
        let wanted = move |keys: &Item| key_of(keys).is_none_or(|key| relevant(&key));
        let read = move |engine: &Engine| Ok(engine.read_stream(&table, place, PAGE, &wanted)?);
        let page = self.ask(READ, read).await?;
        if page.last <= place {
            return Ok(None);
        }
        let mut batch = Batch::default();
        for record in page.records {
            batch.push(change(record));
        }
        Ok(Some(Page { batch: Arc::new(batch), last: page.last }))
    }

    /// Records the reader's place without waiting for the disk. If the record is lost, the changes are handed over again.
    async fn acknowledge(&self, place: u64) -> Result<(), StoreError> {
        let consumer = self.audience.consumer;
        let note = move |answer: Result<(), EngineError>| {
            if let Err(error) = answer {
                // The next acknowledgement covers it.
                tracing::warn!(consumer, %error, "the reader's place was not recorded");
            }
        };
        self.ask("Acknowledge", move |engine| Ok(engine.acknowledge(consumer, place, note)?)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&Engine) -> Result<T, CallError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let attempt = || self.engine.blocking(work.clone());
        let answer = self.audience.dynamo.retry(operation, attempt, CallError::passes).await?;
        answer.map_err(|error| error.into_store_error(operation))
    }
}

fn change(record: StreamRecord) -> Result<Change, Box<Unreadable>> {
    let StreamRecord { sequence, at, keys, old_image: before, new_image: after, .. } = record;
    let (key, numbered) = (key_of(&keys), numbered(sequence));
    match (key, numbered) {
        (Some(key), Ok(sequence)) => {
            readable(Raw { id: sequence.as_issued().to_owned(), at, sequence, key, before, after })
        }
        (key, numbered) => Err(Box::new(Unreadable {
            id: format!("2{sequence:020}"),
            at: Some(at),
            sequence: numbered.ok(),
            key,
            cause: "has another key than pk and sk, both text".to_owned(),
            schema: None,
            before,
            after,
        })),
    }
}

/// The engine's number as one of DynamoDB's form. The leading 2 puts it behind all numbers of the engine that Holdfast
/// had before, which begin with 1 and 20 more digits and stand in what was counted.
fn numbered(sequence: u64) -> Result<Sequence, Invalid> {
    format!("2{sequence:020}").parse()
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
