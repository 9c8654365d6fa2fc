//! What came, as bytes, to what it comes to: one handler for topics, functions and files.
//!
//! What always holds: whatever came is finished (applied, parked, or known from before) or reported as unfinished, and
//! then nothing that came after it for the same product is applied in its place.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::domain::{Delivery, Outcome, ParseError, Sku, Source};
use super::error::InventoryError;
use crate::base::telemetry::tally;
use crate::inventory::Inventory;

/// The products that are worked on at the same time.
const AT_ONCE: usize = 8;

/// Some bytes that came, with where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Where from.
    pub source: Source,
    /// What came.
    pub bytes: Vec<u8>,
}

impl RawMessage {
    /// The message in it.
    ///
    /// # Errors
    /// [`ParseError`] where it is none.
    pub fn read(&self) -> Result<Delivery, ParseError> {
        Delivery::of_bytes(&self.source, self.bytes.clone())
    }
}

/// What a lane of work is: the messages of one product, or one thing that is no message.
enum Lane {
    Product(Vec<(usize, Delivery)>),
    Flawed(usize, ParseError),
}

impl Inventory {
    /// Takes in what came: messages of one product in their order, different products beside each other. The outcomes come
    /// in the order of the arrivals; none stands where the store failed, which is logged.
    pub async fn ingest(&self, arrivals: &[RawMessage]) -> Vec<Option<Outcome>> {
        let (mut products, mut lanes) = (BTreeMap::<Sku, Vec<(usize, Delivery)>>::new(), Vec::new());
        for (place, arrival) in arrivals.iter().enumerate() {
            match arrival.read() {
                Ok(delivery) => {
                    products.entry(delivery.message.sku.clone()).or_default().push((place, delivery))
                }
                Err(flaw) => lanes.push(Lane::Flawed(place, flaw)),
            }
        }
        lanes.extend(products.into_values().map(Lane::Product));
        let mut outcomes: Vec<Option<Outcome>> = arrivals.iter().map(|_| None).collect();
        let mut done = stream::iter(lanes).map(|lane| self.work(arrivals, lane)).buffer_unordered(AT_ONCE);
        while let Some(lane) = done.next().await {
            for (place, outcome) in lane {
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = Some(outcome);
                }
            }
        }
        outcomes
    }

    async fn work(&self, arrivals: &[RawMessage], lane: Lane) -> Vec<(usize, Outcome)> {
        let finished = match lane {
            Lane::Flawed(place, flaw) => match arrivals.get(place) {
                Some(RawMessage { source, bytes }) => {
                    self.park(source, bytes, &flaw).await.map(|parked| vec![(place, Outcome::Parked(parked))])
                }
                None => Ok(Vec::new()),
            },
            Lane::Product(deliveries) => self.in_order(deliveries).await,
        };
        finished.unwrap_or_else(|error| {
            tracing::warn!(%error, "messages were not finished; they will come again");
            Vec::new()
        })
    }

    async fn in_order(
        &self,
        deliveries: Vec<(usize, Delivery)>,
    ) -> Result<Vec<(usize, Outcome)>, InventoryError> {
        let own: Vec<&Delivery> = deliveries.iter().map(|(_, delivery)| delivery).collect();
        let outcomes = self.apply(&own, None).await?;
        tally::ignored_fields(own.iter().map(|delivery| delivery.ignored).sum());
        Ok(deliveries.iter().map(|(place, _)| *place).zip(outcomes).collect())
    }
}
