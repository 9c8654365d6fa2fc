//! Decisions about groups of dead letters: all with the same reason, or of the same product.
//!
//! Invariants: one request reads a bounded number of dead letters in a bounded time, and a cursor says where the next
//! request continues; the oldest come first, so that the messages of one product are applied in order; each decision
//! is its own transaction, and repeating a request changes nothing more.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note, Reason, ReasonName, Sku};
use super::error::InventoryError;
use super::items::DEAD_LETTERS;
use crate::base::identity::Actor;
use crate::inventory::Inventory;
use crate::shared::dead_letters::table::DeadLetterList;

/// The most decisions of one request.
const MOST_DECIDED: usize = 25;
/// The dead letters of one read, and the most reads of one request.
const PAGE: u16 = 25;
const MOST_PAGES: usize = 8;
/// No further decision starts after this time. A request on Lambda has 30 s, and a single retry may wait for
/// contention.
const BUDGET: SignedDuration = SignedDuration::from_secs(8);
/// The list of a group begins with the oldest.
const GROUPS: DeadLetterList =
    DeadLetterList { name: "groups of dead letters", oldest_first: true, ..DEAD_LETTERS };

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
        self.reason.is_none_or(|reason| dead_letter.reason.name == reason.as_str())
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
            let (open, cursor) = (DeadLetterStatus::Open, decided.next.as_deref());
            let page = GROUPS.page::<DeadLetter, InventoryError>(&self.dynamo, open, PAGE, cursor).await?;
            for dead_letter in &page.items {
                let is_full = decided.refused.len() + decided.done as usize >= MOST_DECIDED;
                if is_full || self.clock.now() > until {
                    return Ok(decided);
                }
                if group.has(dead_letter) && !self.decide_one(dead_letter, decision, by, &mut decided).await?
                {
                    return Ok(decided);
                }
                decided.next = Some(GROUPS.cursor_after(dead_letter.id, dead_letter.created_at));
            }
            decided.next = page.next;
            if decided.next.is_none() {
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
        let DeadLetter { id, version, .. } = *dead_letter;
        let done = match decision {
            Decision::Retry => self.retry(id, version, by, None).await,
            Decision::Dismiss(note) => self.dismiss(id, version, note.clone(), by, None).await,
        };
        match done {
            Ok(_) => decided.done += 1,
            Err(InventoryError::StillRefused(reason)) => {
                decided.refused.push(RefusedRetry { id, reason });
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
