//! Plans the effect of messages on the stock of one product.
//!
//! Invariants: a stock never goes below zero; each message has exactly one outcome; messages are applied in the given
//! order.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{DeadLetter, Delivery, Kind, Message, MessageId, Movement, Product, Reason, ReasonName, Units};
use crate::base::identity::Actor;
use crate::base::values::Version;

/// The reason why a message is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The product does not exist, and this kind of message does not create it.
    #[error("This product doesn't exist yet. A RECEIPT or COUNT creates it.")]
    UnknownSku,
    /// The stock would go below zero.
    #[error("The message asks for {asked}, but the stock is {stock}.")]
    Insufficient {
        /// The current stock.
        stock: Units,
        /// The requested quantity.
        asked: Units,
    },
    /// The stock has moved since it was counted.
    #[error("It was counted at version {counted}, but the product is now at version {version}.")]
    StaleCount {
        /// The version of the count.
        counted: u64,
        /// The current version, or 0 if the product does not exist.
        version: u64,
    },
    /// The stock would exceed the largest value.
    #[error("The stock would be more than {max}.", max = Units::MAX)]
    TooMuch,
    /// The same id was used before with other contents.
    #[error("A different message with this messageId was already received.")]
    OtherContent,
}

/// The outcome of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It changed the stock.
    Applied(Movement),
    /// It became a dead letter.
    DeadLetter(DeadLetter),
    /// It was processed before and changes nothing.
    Duplicate,
}

/// Returns the stock after a message.
fn decide(product: Option<&Product>, message: &Message) -> Result<Units, Refusal> {
    let Message { kind, quantity, version, .. } = message;
    if let Some(counted) = version
        && product.map(|product| product.version) != Some(*counted)
    {
        let version = product.map_or(0, |product| product.version.get());
        return Err(Refusal::StaleCount { counted: counted.get(), version });
    }
    match (kind, product) {
        (Kind::Count, _) | (Kind::Receipt, None) => Ok(*quantity),
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

/// A message of a plan and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The message.
    pub delivery: &'a Delivery,
    /// The outcome.
    pub outcome: Outcome,
}

/// The effect of several messages on one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The product after all messages. Unchanged if none is applied.
    pub product: Option<Product>,
    /// The messages in order, with their outcomes.
    pub steps: Vec<Step<'a>>,
}

/// Plans messages of one product. `known` maps the ids of earlier messages to their fingerprints.
pub fn plan<'a>(
    product: Option<&Product>,
    deliveries: impl IntoIterator<Item = &'a Delivery>,
    known: &BTreeMap<MessageId, String>,
    now: Timestamp,
    by: Option<&Actor>,
) -> Plan<'a> {
    let mut fingerprints = known.clone();
    let mut plan = Plan { product: product.cloned(), steps: Vec::new() };
    for delivery in deliveries {
        let Message { message_id, .. } = &delivery.message;
        let fingerprint = delivery.message.fingerprint();
        let outcome = match fingerprints.get(message_id) {
            Some(before) if *before == fingerprint => Outcome::Duplicate,
            Some(_) => Outcome::DeadLetter(dead_letter(delivery, &Refusal::OtherContent, now)),
            None => {
                fingerprints.insert(message_id.clone(), fingerprint);
                match decide(plan.product.as_ref(), &delivery.message) {
                    Ok(after) => Outcome::Applied(plan.apply(delivery, after, now, by)),
                    Err(refusal) => Outcome::DeadLetter(dead_letter(delivery, &refusal, now)),
                }
            }
        };
        plan.steps.push(Step { delivery, outcome });
    }
    plan
}

fn dead_letter(delivery: &Delivery, refusal: &Refusal, now: Timestamp) -> DeadLetter {
    let dead_letter = DeadLetter::new(&delivery.source, &delivery.raw, refusal.into(), now);
    let Message { message_id, sku, .. } = &delivery.message;
    DeadLetter { message_id: Some(message_id.clone()), sku: Some(sku.clone()), ..dead_letter }
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
        let name = match refusal {
            Refusal::UnknownSku => ReasonName::UnknownSku,
            Refusal::Insufficient { .. } => ReasonName::InsufficientStock,
            Refusal::StaleCount { .. } => ReasonName::StaleCount,
            Refusal::TooMuch => ReasonName::TooMuch,
            Refusal::OtherContent => ReasonName::ConflictingDuplicate,
        };
        Self { name: name.to_string(), words: refusal.to_string() }
    }
}

#[cfg(test)]
mod tests;
