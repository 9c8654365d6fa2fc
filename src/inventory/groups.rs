//! Dead letters decided about in groups: all that have the same reason, or are about the same product.
//!
//! What always holds: one request looks at a bounded number of them and takes a bounded time, and a cursor says where the
//! next goes on; the oldest come first, so that messages of one product are applied in their order; each is decided by a
//! transaction of its own, and the same request again changes nothing more.

use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::domain::{Note, Parked, ParkedId, ParkedStatus, Reason, Sku};
use super::error::InventoryError;
use super::items::{parked_key, parked_partition, parked_sort};
use super::parked::id_of;
use crate::base::identity::Actor;
use crate::base::values::{Invalid, text_value};
use crate::inventory::Inventory;
use crate::store::schema::STATUS_NEWEST;
use crate::store::{Cursor, CursorError, Key, Select, from_item};

/// How many are decided by one request.
const MOST_DECIDED: usize = 25;
/// How many are looked at by one read, and by how many reads of one request.
const PAGE: u16 = 25;
const MOST_PAGES: usize = 8;
/// After this time no other is begun: a request on Lambda has 30 s, and one retry may wait for others.
const BUDGET: SignedDuration = SignedDuration::from_secs(8);
const LIST: &str = "parked groups";

/// Why messages are parked, by the name for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasonName(&'static str);

impl ReasonName {
    /// All.
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

    /// The name.
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

/// Which dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Only with this reason.
    pub reason: Option<ReasonName>,
    /// Only about this product.
    pub sku: Option<Sku>,
}

impl Group {
    fn has(&self, parked: &Parked) -> bool {
        parked.status == ParkedStatus::Open
            && self.reason.is_none_or(|reason| parked.reason.name == reason.0)
            && self.sku.as_ref().is_none_or(|sku| parked.sku.as_ref() == Some(sku))
    }
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// To apply them now.
    Retry,
    /// To dismiss them for good, with why.
    Dismiss(Option<Note>),
}

/// One that stays parked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillParked {
    /// Which.
    pub id: ParkedId,
    /// Why it cannot be applied now.
    pub reason: Reason,
}

/// What a request did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// How many were applied, or dismissed.
    pub done: u32,
    /// Those that stay parked.
    pub refused: Vec<StillParked>,
    /// Where the next request goes on; none at the end.
    pub next: Option<String>,
}

impl Inventory {
    /// Decides about the next dead letters of a group.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list; what fails the first of them. What fails a later one ends the
    /// request before it, so that the next request meets it first.
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
            for parked in &page {
                let is_full = decided.refused.len() + decided.done as usize >= MOST_DECIDED;
                if is_full || self.clock.now() > until {
                    return Ok(decided);
                }
                if group.has(parked) && !self.decide_one(parked, decision, by, &mut decided).await? {
                    return Ok(decided);
                }
                decided.next = Some(after(parked));
            }
            if !more {
                decided.next = None;
                break;
            }
        }
        Ok(decided)
    }

    /// Decides about one. False where the store fails after others were decided about.
    async fn decide_one(
        &self,
        parked: &Parked,
        decision: &Decision,
        by: &Actor,
        decided: &mut Decided,
    ) -> Result<bool, InventoryError> {
        let done = match decision {
            Decision::Retry => self.retry(parked.id, parked.version, by).await,
            Decision::Dismiss(note) => self.dismiss(parked.id, parked.version, note.clone(), by, None).await,
        };
        match done {
            Ok(_) => decided.done += 1,
            Err(InventoryError::StillRefused(reason)) => {
                decided.refused.push(StillParked { id: parked.id, reason });
            }
            // Another person decided a moment ago.
            Err(InventoryError::ParkedConflict(_) | InventoryError::NoSuchParked(_)) => {}
            Err(error) if decided.done == 0 && decided.refused.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a group of dead letters was not decided to its end");
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn after(parked: &Parked) -> String {
    Cursor::after([parked_sort(parked), parked.id.to_string()]).encode(LIST)
}

impl Inventory {
    /// The open dead letters behind a cursor, the first parked first, and whether there are more.
    async fn group_page(&self, cursor: Option<&str>) -> Result<(Vec<Parked>, bool), InventoryError> {
        let mut select = Select::index(STATUS_NEWEST, parked_partition(ParkedStatus::Open), i32::from(PAGE));
        if let Some(text) = cursor {
            let cursor = Cursor::<2>::decode(LIST, text)?;
            let [sort, id] = cursor.parts();
            let id: ParkedId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &parked_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(id_of).map(parked_key).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let all = items.into_iter().map(from_item).collect::<Result<Vec<Parked>, _>>()?;
        Ok((all, page.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::domain::{ParseError, Refusal, Units};

    #[test]
    fn every_reason_for_which_messages_are_parked_has_a_name_here() {
        let flaws = [
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
        let names = flaws.iter().map(|flaw| Reason::from(flaw).name);
        for name in names.chain(refusals.iter().map(|refusal| Reason::from(refusal).name)) {
            assert_eq!(name.parse::<ReasonName>().map(|known| known.as_str()), Ok(name.as_str()), "{name}");
        }
        assert!("other".parse::<ReasonName>().is_err());
    }
}
