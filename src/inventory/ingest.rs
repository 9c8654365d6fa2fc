//! Ingests raw messages: the common path of topics, Lambda functions and files.
//!
//! Invariants: each message is finished (applied, a dead letter, or a duplicate) or reported as unfinished; after an
//! unfinished message, no later message of the same product is applied.

use futures_util::{StreamExt as _, stream};

use super::apply::{AT_ONCE, by_product};
use super::domain::{Delivery, Outcome, ParseError, Source};
use super::error::InventoryError;
use crate::base::telemetry::metrics;
use crate::inventory::Inventory;

/// The bytes of a message and their source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// The source.
    pub source: Source,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl RawMessage {
    /// Parses the message.
    ///
    /// # Errors
    /// [`ParseError`] if the bytes are not a valid message.
    pub fn read(&self) -> Result<Delivery, ParseError> {
        Delivery::of_bytes(&self.source, self.bytes.clone())
    }
}

/// A unit of work: the messages of one product, or one invalid message.
enum Batch {
    Product(Vec<(usize, Delivery)>),
    Invalid(usize, ParseError),
}

impl Inventory {
    /// Ingests messages: messages of one product in order, different products concurrently. The outcomes are in the
    /// order of the messages. An outcome is `None` if the store failed, which is logged.
    pub async fn ingest(&self, messages: &[RawMessage]) -> Vec<Option<Outcome>> {
        let (mut valid, mut batches) = (Vec::new(), Vec::new());
        for (place, message) in messages.iter().enumerate() {
            match message.read() {
                Ok(delivery) => valid.push((delivery.message.sku.clone(), (place, delivery))),
                Err(error) => batches.push(Batch::Invalid(place, error)),
            }
        }
        batches.extend(by_product(valid).into_iter().map(Batch::Product));
        let mut outcomes: Vec<Option<Outcome>> = messages.iter().map(|_| None).collect();
        let mut done =
            stream::iter(batches).map(|batch| self.process(messages, batch)).buffer_unordered(AT_ONCE);
        while let Some(batch) = done.next().await {
            for (place, outcome) in batch {
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = Some(outcome);
                }
            }
        }
        outcomes
    }

    async fn process(&self, messages: &[RawMessage], batch: Batch) -> Vec<(usize, Outcome)> {
        let finished = match batch {
            Batch::Invalid(place, error) => match messages.get(place) {
                Some(RawMessage { source, bytes }) => self
                    .add_dead_letter(source, bytes, &error)
                    .await
                    .map(|dead_letter| vec![(place, Outcome::DeadLetter(dead_letter))]),
                None => Ok(Vec::new()),
            },
            Batch::Product(deliveries) => self.apply_in_order(deliveries).await,
        };
        finished.unwrap_or_else(|error| {
            tracing::warn!(%error, "messages were not finished and will be delivered again");
            Vec::new()
        })
    }

    async fn apply_in_order(
        &self,
        deliveries: Vec<(usize, Delivery)>,
    ) -> Result<Vec<(usize, Outcome)>, InventoryError> {
        let own: Vec<&Delivery> = deliveries.iter().map(|(_, delivery)| delivery).collect();
        let outcomes = self.apply(&own, None).await?;
        metrics::ignored_fields(own.iter().map(|delivery| delivery.ignored).sum());
        Ok(deliveries.iter().map(|(place, _)| *place).zip(outcomes).collect())
    }
}
