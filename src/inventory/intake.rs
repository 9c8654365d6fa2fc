//! What came, as bytes, to what it comes to: one handler for topics, functions and files.
//!
//! What always holds: whatever came is finished (applied, parked, or known from before) or reported as unfinished, and
//! then nothing that came after it for the same product is applied in its place.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::apply::{apply, park};
use super::domain::{Delivery, Flaw, Outcome, Sku, Source};
use super::error::InventoryError;
use crate::app::App;
use crate::telemetry::tally;

/// The products that are worked on at the same time.
const AT_ONCE: usize = 8;

/// Some bytes that came, with where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Where from.
    pub source: Source,
    /// What came.
    pub bytes: Vec<u8>,
}

impl Arrival {
    /// The message in it.
    ///
    /// # Errors
    /// [`Flaw`] where it is none.
    pub fn read(&self) -> Result<Delivery, Flaw> {
        Delivery::of_bytes(&self.source, self.bytes.clone())
    }
}

/// What a lane of work is: the messages of one product, or one thing that is no message.
enum Lane {
    Product(Vec<(usize, Delivery)>),
    Flawed(usize, Flaw),
}

/// Takes in what came: messages of one product in their order, different products beside each other. The outcomes come
/// in the order of the arrivals; none stands where the store failed, which is logged.
pub async fn take(app: &App, arrivals: &[Arrival]) -> Vec<Option<Outcome>> {
    let (mut products, mut lanes) = (BTreeMap::<Sku, Vec<(usize, Delivery)>>::new(), Vec::new());
    for (place, arrival) in arrivals.iter().enumerate() {
        match arrival.read() {
            Ok(delivery) => products.entry(delivery.message.sku.clone()).or_default().push((place, delivery)),
            Err(flaw) => lanes.push(Lane::Flawed(place, flaw)),
        }
    }
    lanes.extend(products.into_values().map(Lane::Product));
    let mut outcomes: Vec<Option<Outcome>> = arrivals.iter().map(|_| None).collect();
    let mut done = stream::iter(lanes).map(|lane| work(app, arrivals, lane)).buffer_unordered(AT_ONCE);
    while let Some(lane) = done.next().await {
        for (place, outcome) in lane {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
    }
    outcomes
}

async fn work(app: &App, arrivals: &[Arrival], lane: Lane) -> Vec<(usize, Outcome)> {
    let finished = match lane {
        Lane::Flawed(place, flaw) => match arrivals.get(place) {
            Some(Arrival { source, bytes }) => {
                park(app, source, bytes, &flaw).await.map(|parked| vec![(place, Outcome::Parked(parked))])
            }
            None => Ok(Vec::new()),
        },
        Lane::Product(deliveries) => in_order(app, deliveries).await,
    };
    finished.unwrap_or_else(|error| {
        tracing::warn!(%error, "messages were not finished; they will come again");
        Vec::new()
    })
}

async fn in_order(
    app: &App,
    deliveries: Vec<(usize, Delivery)>,
) -> Result<Vec<(usize, Outcome)>, InventoryError> {
    let own: Vec<&Delivery> = deliveries.iter().map(|(_, delivery)| delivery).collect();
    let outcomes = apply(app, &own, None).await?;
    tally::ignored_fields(own.iter().map(|delivery| delivery.ignored).sum());
    Ok(deliveries.iter().map(|(place, _)| *place).zip(outcomes).collect())
}
