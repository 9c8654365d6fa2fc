//! The embedded engine's log, which keeps each change until every reader has acknowledged it.

use std::fmt::Display;
use std::sync::Arc;

use super::poll::{Poll, PollReport, Subscription};
use crate::base::values::Invalid;
use crate::engine::{Engine, EngineError, StreamRecord};
use crate::store::item::key_of;
use crate::store::line::CallError;
use crate::store::stream::{Batch, Change, Raw, Sequence, Unreadable, readable};
use crate::store::{Embedded, Item, StoreError};

const READ: &str = "ReadStream";
/// About how many changes are read, handled and acknowledged together. Under load, about this many changes are counted
/// each second.
const PAGE: usize = 2_000;

/// A reader of the embedded engine's log, with its position.
pub(super) struct Log {
    pub(super) subscription: Subscription,
    engine: Embedded,
    /// All changes up to here are handled; `None` before the reader is registered.
    position: Option<u64>,
    /// Changes that were read and are not all handled.
    page: Option<Page>,
}

/// The changes of one read.
struct Page {
    /// The relevant changes.
    batch: Arc<Batch>,
    /// The position of the last change, relevant or not.
    last: u64,
    /// Whether the engine removed changes before this read.
    has_gap: bool,
}

impl Log {
    pub(super) fn new(subscription: Subscription, engine: Embedded) -> Self {
        Self { subscription, engine, position: None, page: None }
    }

    /// Reads the next changes, passes them to the handler and acknowledges them.
    pub(super) async fn poll<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        handle: &mut impl FnMut(Arc<Batch>) -> F,
        report: &mut PollReport,
    ) -> Result<Poll, StoreError> {
        let position = self.position().await?;
        let page = match &mut self.page {
            Some(page) => page,
            None => {
                let Some(page) = self.read(position).await? else { return Ok(Poll::Nothing) };
                if page.has_gap {
                    report.report_loss(self.subscription.consumer);
                }
                self.page.insert(page)
            }
        };
        let (last, batch) = (page.last, page.batch.clone());
        if !batch.is_empty()
            && let Err(error) = handle(batch.clone()).await
        {
            report.unhandled = Some(error.to_string());
            return Ok(Poll::Retry);
        }
        report.handled = batch.changes.iter().map(|change| change.at).max();
        self.acknowledge(last).await?;
        (self.page, self.position) = (None, Some(last));
        Ok(Poll::More)
    }

    /// Returns the reader's position: the stored one, or the oldest change for a new reader.
    async fn position(&mut self) -> Result<u64, StoreError> {
        if let Some(position) = self.position {
            return Ok(position);
        }
        let consumer = self.subscription.consumer;
        let position =
            self.call_engine("RegisterReader", move |engine| Ok(engine.register_reader(consumer)?)).await?;
        self.position = Some(position);
        Ok(position)
    }

    /// Returns the changes after a position, if there are any.
    async fn read(&self, position: u64) -> Result<Option<Page>, StoreError> {
        let (table, relevant) = (self.subscription.dynamo.table.clone(), self.subscription.relevant);
        let wanted = move |keys: &Item| key_of(keys).is_none_or(|key| relevant(&key));
        let read = move |engine: &Engine| Ok(engine.read_stream(&table, position, PAGE, &wanted)?);
        let page = self.call_engine(READ, read).await?;
        if page.last <= position {
            return Ok(None);
        }
        let mut batch = Batch::default();
        for record in page.records {
            batch.push(change(record));
        }
        for first in page.damaged {
            batch.push(Err(damaged(first)));
        }
        Ok(Some(Page { batch: Arc::new(batch), last: page.last, has_gap: page.has_gap }))
    }

    /// Stores the reader's position without waiting for the disk. If it is lost, the changes are handled again.
    async fn acknowledge(&self, position: u64) -> Result<(), StoreError> {
        let consumer = self.subscription.consumer;
        let done = move |answer: Result<(), EngineError>| {
            if let Err(error) = answer {
                // The next acknowledgment covers it.
                tracing::warn!(consumer, %error, "cannot store the reader's position");
            }
        };
        self.call_engine("Acknowledge", move |engine| Ok(engine.acknowledge(consumer, position, done)?)).await
    }

    async fn call_engine<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&Engine) -> Result<T, CallError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let attempt = || self.engine.blocking(work.clone());
        let answer = self.subscription.dynamo.retry(operation, attempt).await?;
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
            cause: "has a key that is not pk and sk, both strings".to_owned(),
            schema: None,
            before,
            after,
        })),
    }
}

/// Returns the record for a damaged row of the log, whose first change has this number.
fn damaged(first: u64) -> Box<Unreadable> {
    Box::new(Unreadable {
        id: format!("2{first:020}"),
        at: None,
        sequence: numbered(first).ok(),
        key: None,
        cause: "is damaged in the data file: run `holdfast recount` to count its changes".to_owned(),
        schema: None,
        before: None,
        after: None,
    })
}

/// Converts the engine's number to DynamoDB's format. The leading 2 sorts it after all numbers of Holdfast's previous
/// engine. Those are stored in counts and consist of a 1 and 20 more digits.
fn numbered(sequence: u64) -> Result<Sequence, Invalid> {
    format!("2{sequence:020}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_in_order_and_sort_after_those_of_the_previous_engine() {
        let previous: Sequence = "0000000000000000000100001795870620391532".parse().unwrap();
        let numbers = [0, 1, 256, u64::MAX].map(|number| numbered(number).unwrap());
        assert!(previous < numbers[0] && numbers.is_sorted());
        assert_eq!(numbers[2].as_issued(), "200000000000000000256");
    }
}
