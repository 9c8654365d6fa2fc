//! What messages of one product do to its stock, one after the other.
//!
//! What always holds: a stock never goes below zero; each message comes to exactly one outcome; messages are taken in
//! the order in which they are given.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Delivery, Kind, Message, MessageId, Movement, Parked, Product, Reason, Units};
use crate::base::identity::Actor;
use crate::base::values::Version;

/// Why a message is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such product, and this kind of message makes none.
    #[error("There is no such product yet. A RECEIPT or a COUNT makes it.")]
    UnknownSku,
    /// The stock would go below zero.
    #[error("{asked} are asked for, and {stock} are there.")]
    Insufficient {
        /// How many are there.
        stock: Units,
        /// How many are asked for.
        asked: Units,
    },
    /// The stock moved since it was counted.
    #[error("It was counted at version {counted}, and the product is at version {version} by now.")]
    StaleCount {
        /// The version at which it was counted.
        counted: u64,
        /// The version now, 0 where there is no product.
        version: u64,
    },
    /// The stock would be larger than a stock can be.
    #[error("The stock would be more than {max}.", max = Units::MAX)]
    TooMuch,
    /// The same id came with other content.
    #[error("Another message with this messageId came before.")]
    OtherContent,
}

impl Refusal {
    /// The name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownSku => "unknown-sku",
            Self::Insufficient { .. } => "insufficient-stock",
            Self::StaleCount { .. } => "stale-count",
            Self::TooMuch => "too-much",
            Self::OtherContent => "conflicting-duplicate",
        }
    }
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It changed the stock.
    Applied(Movement),
    /// It is parked.
    Parked(Parked),
    /// It had come before, and changes nothing.
    Duplicate,
}

/// The stock after a message.
///
/// # Errors
/// [`Refusal`] if the message is not applied.
pub fn decide(product: Option<&Product>, message: &Message) -> Result<Units, Refusal> {
    let Message { kind, quantity, version, .. } = message;
    if let Some(counted) = version
        && product.map(|product| product.version) != Some(*counted)
    {
        let version = product.map_or(0, |product| product.version.get());
        return Err(Refusal::StaleCount { counted: counted.get(), version });
    }
    match (kind, product) {
        (Kind::Count, _) => Ok(*quantity),
        (Kind::Receipt, None) => Ok(*quantity),
        (Kind::Sale | Kind::Return, None) => Err(Refusal::UnknownSku),
        (Kind::Sale, Some(product)) => {
            let (stock, asked) = (product.stock, *quantity);
            stock.minus(asked).ok_or(Refusal::Insufficient { stock, asked })
        }
        (Kind::Return | Kind::Receipt, Some(product)) => {
            product.stock.plus(*quantity).ok_or(Refusal::TooMuch)
        }
    }
}

/// One message of a plan, with what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The message.
    pub delivery: &'a Delivery,
    /// What it comes to.
    pub outcome: Outcome,
}

/// What some messages of one product come to, all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The product after them; as it was, where none is applied.
    pub product: Option<Product>,
    /// Each message, in order.
    pub steps: Vec<Step<'a>>,
}

/// Plans messages of one product that is as given. `known` says of a message that came before whether it said the same.
pub fn plan<'a>(
    product: Option<&Product>,
    deliveries: impl IntoIterator<Item = &'a Delivery>,
    known: &BTreeMap<MessageId, String>,
    now: Timestamp,
    by: Option<&Actor>,
) -> Plan<'a> {
    let mut seen = known.clone();
    let mut plan = Plan { product: product.cloned(), steps: Vec::new() };
    for delivery in deliveries {
        let Message { message_id, .. } = &delivery.message;
        let fingerprint = delivery.message.fingerprint();
        let outcome = match seen.get(message_id) {
            Some(before) if *before == fingerprint => Outcome::Duplicate,
            Some(_) => Outcome::Parked(parked(delivery, &Refusal::OtherContent, now)),
            None => {
                seen.insert(message_id.clone(), fingerprint);
                match decide(plan.product.as_ref(), &delivery.message) {
                    Ok(after) => Outcome::Applied(plan.apply(delivery, after, now, by)),
                    Err(refusal) => Outcome::Parked(parked(delivery, &refusal, now)),
                }
            }
        };
        plan.steps.push(Step { delivery, outcome });
    }
    plan
}

fn parked(delivery: &Delivery, refusal: &Refusal, now: Timestamp) -> Parked {
    let parked = Parked::new(&delivery.source, &delivery.raw, refusal.into(), now);
    let Message { message_id, sku, .. } = &delivery.message;
    Parked { message_id: Some(message_id.clone()), sku: Some(sku.clone()), ..parked }
}

impl Plan<'_> {
    fn apply(&mut self, delivery: &Delivery, after: Units, now: Timestamp, by: Option<&Actor>) -> Movement {
        let Message { message_id, sku, kind, quantity, occurred_at, reference, name, .. } = &delivery.message;
        let version = self.product.as_ref().map_or(Version::FIRST, |product| product.version.next());
        let before = self.product.as_ref().map_or_else(Units::default, |product| product.stock);
        let product = match self.product.take() {
            Some(product) => product,
            None => Product::before_first(sku, name.as_ref(), now),
        };
        self.product = Some(product.moved(after, version, now));
        Movement {
            version,
            kind: *kind,
            quantity: *quantity,
            before,
            after,
            reason: reference.clone(),
            message_id: message_id.clone(),
            source: delivery.source.clone(),
            occurred_at: *occurred_at,
            at: now,
            by: by.cloned(),
        }
    }
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        Self { name: refusal.name().to_owned(), words: refusal.to_string() }
    }
}

#[cfg(test)]
mod tests;
