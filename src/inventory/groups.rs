//! Decisions about groups of dead letters: all with the same reason, or of the same product.
//!
//! Invariants: one request reads a bounded number of dead letters in a bounded time, and a cursor says where the next
//! request continues; the oldest come first, so that the messages of one product are applied in order; each decision
//! is its own transaction, and repeating a request changes nothing more.

use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note, Reason, Sku};
use super::error::InventoryError;
use super::items::{dead_letter_key, dead_letter_partition, dead_letter_sort};
use super::parked::id_of;
use crate::base::identity::Actor;
use crate::base::values::{Invalid, text_value};
use crate::inventory::Inventory;
use crate::store::schema::STATUS_NEWEST;
use crate::store::{Cursor, CursorError, Key, Select, from_item};

/// The most decisions of one request.
const MOST_DECIDED: usize = 25;
/// The dead letters of one read, and the most reads of one request.
const PAGE: u16 = 25;
const MOST_PAGES: usize = 8;
/// No further decision starts after this time. A request on Lambda has 30 s, and a single retry may wait for
/// contention.
const BUDGET: SignedDuration = SignedDuration::from_secs(8);
const LIST: &str = "parked groups";

/// The machine-readable name of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasonName(&'static str);

impl ReasonName {
    /// All names.
    pub const ALL: [Self; 8] = [
        Self("bad-json"),
        Self("wrong-schema"),
        Self("too-large"),
        Self("unknown-sku"),
        Self("insufficient-stock"),
        Self("stale-count"),
        Self("too-much"),
        Self("conflicting-duplicate"),
    ];

    /// Returns the name.
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

impl FromStr for ReasonName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        Self::ALL.into_iter().find(|name| name.0.eq_ignore_ascii_case(text)).ok_or_else(|| {
            let names = Self::ALL.map(|name| name.0).join(", ");
            Invalid::new(format!("A reason is one of {names}."))
        })
    }
}

text_value!(ReasonName);

/// A group of dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Only those with this reason.
    pub reason: Option<ReasonName>,
    /// Only those of this product.
    pub sku: Option<Sku>,
}

impl Group {
    fn has(&self, dead_letter: &DeadLetter) -> bool {
        dead_letter.status == DeadLetterStatus::Open
            && self.reason.is_none_or(|reason| dead_letter.reason.name == reason.0)
            && self.sku.as_ref().is_none_or(|sku| dead_letter.sku.as_ref() == Some(sku))
    }
}

/// A decision about dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Apply the messages now.
    Retry,
    /// Dismiss the messages for good, with an optional note.
    Dismiss(Option<Note>),
}

/// A dead letter that still cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRetry {
    /// The id.
    pub id: DeadLetterId,
    /// Why it still cannot be applied.
    pub reason: Reason,
}

/// The result of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// How many were applied or dismissed.
    pub done: u32,
    /// Those that still cannot be applied.
    pub refused: Vec<RefusedRetry>,
    /// The cursor of the next request. None at the end.
    pub next: Option<String>,
}

impl Inventory {
    /// Decides about the next dead letters of a group.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list, or the error of the first decision. An error of a
    /// later decision ends the request before it, so that the next request reports it first.
    pub async fn decide(
        &self,
        group: &Group,
        decision: &Decision,
        by: &Actor,
        cursor: Option<&str>,
    ) -> Result<Decided, InventoryError> {
        let until = self.clock.now().saturating_add(BUDGET).unwrap_or(self.clock.now());
        let mut decided = Decided { next: cursor.map(str::to_owned), ..Decided::default() };
        for _ in 0..MOST_PAGES {
            let (page, more) = self.group_page(decided.next.as_deref()).await?;
            for dead_letter in &page {
                let is_full = decided.refused.len() + decided.done as usize >= MOST_DECIDED;
                if is_full || self.clock.now() > until {
                    return Ok(decided);
                }
                if group.has(dead_letter) && !self.decide_one(dead_letter, decision, by, &mut decided).await?
                {
                    return Ok(decided);
                }
                decided.next = Some(after(dead_letter));
            }
            if !more {
                decided.next = None;
                break;
            }
        }
        Ok(decided)
    }

    /// Decides about one dead letter. Returns false if the store fails after earlier decisions succeeded.
    async fn decide_one(
        &self,
        dead_letter: &DeadLetter,
        decision: &Decision,
        by: &Actor,
        decided: &mut Decided,
    ) -> Result<bool, InventoryError> {
        let done = match decision {
            Decision::Retry => self.retry(dead_letter.id, dead_letter.version, by).await,
            Decision::Dismiss(note) => {
                self.dismiss(dead_letter.id, dead_letter.version, note.clone(), by, None).await
            }
        };
        match done {
            Ok(_) => decided.done += 1,
            Err(InventoryError::StillRefused(reason)) => {
                decided.refused.push(RefusedRetry { id: dead_letter.id, reason });
            }
            // Another person has just decided about it.
            Err(InventoryError::DeadLetterConflict(_) | InventoryError::NoSuchDeadLetter(_)) => {}
            Err(error) if decided.done == 0 && decided.refused.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a group of dead letters was only partly decided");
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn after(dead_letter: &DeadLetter) -> String {
    Cursor::after([dead_letter_sort(dead_letter), dead_letter.id.to_string()]).encode(LIST)
}

impl Inventory {
    /// Lists the open dead letters after a cursor, oldest first, and returns whether there are more.
    async fn group_page(&self, cursor: Option<&str>) -> Result<(Vec<DeadLetter>, bool), InventoryError> {
        let mut select =
            Select::index(STATUS_NEWEST, dead_letter_partition(DeadLetterStatus::Open), i32::from(PAGE));
        if let Some(text) = cursor {
            let cursor = Cursor::<2>::decode(LIST, text)?;
            let [sort, id] = cursor.parts();
            let id: DeadLetterId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &dead_letter_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(id_of).map(dead_letter_key).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let all = items.into_iter().map(from_item).collect::<Result<Vec<DeadLetter>, _>>()?;
        Ok((all, page.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::domain::{ParseError, Refusal, Units};

    #[test]
    fn every_reason_has_a_name() {
        let errors = [
            ParseError::Empty,
            ParseError::NotJson(String::new()),
            ParseError::NoObject,
            ParseError::Fields(Vec::new()),
            ParseError::Cut { kept: 1, bytes: 2 },
        ];
        let refusals = [
            Refusal::UnknownSku,
            Refusal::Insufficient { stock: Units::default(), asked: Units::default() },
            Refusal::StaleCount { counted: 1, version: 2 },
            Refusal::TooMuch,
            Refusal::OtherContent,
        ];
        let names = errors.iter().map(|error| Reason::from(error).name);
        for name in names.chain(refusals.iter().map(|refusal| Reason::from(refusal).name)) {
            assert_eq!(name.parse::<ReasonName>().map(|known| known.as_str()), Ok(name.as_str()), "{name}");
        }
        assert!("other".parse::<ReasonName>().is_err());
    }
}
