//! Reads changes of leads and orders from the stream, reduced to what is counted. Pure.
//!
//! Invariants: the record itself says which of its changes is newer, so counting continues after a restore, when the
//! table has a new stream.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::values::{UsState, Version};
use crate::leads::domain::{Status, Stock};
use crate::leads::items::LEAD;
use crate::reservations::{ORDER, Phase};
use crate::shared::audit::RuleCause;
use crate::store::stream::{Change, Sequence};
use crate::store::{Item, StoreError, from_item};

/// The part of a record that the counters depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Shape {
    /// An existing lead.
    Lead { status: Status, stock: Stock, state: Option<UsState> },
    /// An order in its current phase.
    Order {
        #[serde(rename = "stage")]
        phase: Phase,
    },
    /// A deleted record.
    Gone,
}

/// Orders the images of a record by the record's own attributes. A greater revision is later. The version decides
/// first, then the phase (an order changes its phase without a new version), then the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Revision {
    version: Version,
    step: u8,
    at: Timestamp,
}

impl Revision {
    /// The step of a deleted record, which sorts after all other steps of its version.
    const GONE: u8 = u8::MAX;

    fn of_lead(lead: &LeadImage) -> Self {
        Self { version: lead.version, step: 0, at: lead.updated_at }
    }

    fn of_order(order: &OrderImage) -> Self {
        let step = match order.phase {
            Phase::Preparing => 0,
            Phase::Open => 1,
            Phase::Fulfilled | Phase::Aborted | Phase::Deleted => 2,
        };
        Self { version: order.version, step, at: order.updated_at }
    }

    fn gone(self) -> Self {
        Self { step: Self::GONE, ..self }
    }
}

/// What was counted last for a record. It is stored next to the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    /// The stream position of the counted change. It is compared only if there is no revision.
    pub sequence: Sequence,
    /// The counted revision. Earlier versions of Holdfast did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    pub shape: Shape,
    /// The [generation](super::count::Epoch) of the statistics in which the record was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The recount that included the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recount: Option<String>,
}

impl Counted {
    /// Returns whether a change is newer than what was counted. Aborting a reservation takes a lead back to its
    /// previous version, so a change that starts at the counted revision is newer too.
    pub fn is_before(&self, record: &StreamRecord) -> bool {
        match self.revision {
            Some(revision) => record.after > revision || record.before == Some(revision),
            // The sequence may come from an earlier stream. Then the change must start at the counted shape.
            None => record.sequence > self.sequence || record.shape_before() == Some(self.shape),
        }
    }
}

/// The attributes of a lead that are counted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeadImage {
    pub status: Status,
    stock: Stock,
    state: Option<UsState>,
    version: Version,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The attributes of an order that are counted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderImage {
    #[serde(rename = "stage")]
    pub phase: Phase,
    pub lead_count: u32,
    version: Version,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Images {
    Lead { before: Option<LeadImage>, after: Option<LeadImage> },
    Order { before: Option<OrderImage>, after: Option<OrderImage> },
}

/// A change of a lead or an order, reduced to what is counted.
#[derive(Debug, Clone)]
pub(super) struct StreamRecord {
    /// The record's partition.
    pub pk: String,
    pub sequence: Sequence,
    /// The time of the change.
    pub at: Timestamp,
    /// The revision before the change, or `None` if the change created the record.
    before: Option<Revision>,
    /// The revision after the change.
    pub after: Revision,
    pub images: Images,
    pub cause: Option<RuleCause>,
}

fn images<T: DeserializeOwned>(change: &Change) -> Result<[Option<T>; 2], StoreError> {
    let image = |item: &Option<Item>| item.clone().map(from_item).transpose();
    Ok([image(&change.before)?, image(&change.after)?])
}

impl StreamRecord {
    /// Reads a change. Returns `None` if it changes neither a lead nor an order.
    pub fn of(change: &Change) -> Result<Option<Self>, StoreError> {
        let images = match change.key.sk.as_str() {
            LEAD => {
                let [before, after] = images(change)?;
                Images::Lead { before, after }
            }
            ORDER => {
                let [before, after] = images(change)?;
                Images::Order { before, after }
            }
            _ => return Ok(None),
        };
        let [before, after] = images.revisions();
        let Some(after) = after.or_else(|| before.map(Revision::gone)) else { return Ok(None) };
        let cause = change.after.clone().map(RuleCause::of).transpose()?.flatten();
        let Change { key, sequence, at, .. } = change;
        let (pk, sequence) = (key.pk.clone(), sequence.clone());
        Ok(Some(Self { pk, sequence, at: *at, before, after, images, cause }))
    }

    /// Returns the record's shape after the change.
    pub fn shape(&self) -> Shape {
        let shape = match self.images {
            Images::Lead { after, .. } => after.map(Shape::of_lead),
            Images::Order { after, .. } => after.map(Shape::of_order),
        };
        shape.unwrap_or(Shape::Gone)
    }

    /// Returns the record's shape before the change, if the stream includes it.
    fn shape_before(&self) -> Option<Shape> {
        match self.images {
            Images::Lead { before, .. } => before.map(Shape::of_lead),
            Images::Order { before, .. } => before.map(Shape::of_order),
        }
    }
}

impl Images {
    /// Returns the revisions before and after the change.
    fn revisions(&self) -> [Option<Revision>; 2] {
        match self {
            Self::Lead { before, after } => {
                [before, after].map(|image| image.as_ref().map(Revision::of_lead))
            }
            Self::Order { before, after } => {
                [before, after].map(|image| image.as_ref().map(Revision::of_order))
            }
        }
    }
}

impl Shape {
    fn of_lead(lead: LeadImage) -> Self {
        Self::Lead { status: lead.status, stock: lead.stock, state: lead.state }
    }

    fn of_order(order: OrderImage) -> Self {
        Self::Order { phase: order.phase }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::{Key, to_item};
    use serde_json::{Value, json};

    const AT: &str = "2026-11-01T04:30:00Z";

    pub(in crate::stats) fn lead(status: &str, stock: &str, state: Option<&str>) -> Value {
        json!({
            "status": status, "stock": stock, "state": state, "version": 1,
            "createdAt": "2026-11-01T03:59:59Z", "updatedAt": AT,
        })
    }

    pub(in crate::stats) fn order(phase: &str) -> Value {
        json!({ "stage": phase, "leadCount": 7, "version": 1, "createdAt": "2026-11-01T03:59:59Z", "updatedAt": AT })
    }

    pub(in crate::stats) fn change(
        sk: &str,
        sequence: u32,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Change {
        let key = Key::new("THING#1", sk);
        let item = |value: Value| to_item(&key, &value).unwrap();
        Change {
            id: sequence.to_string(),
            at: AT.parse().unwrap(),
            sequence: sequence.to_string().parse().unwrap(),
            before: before.map(item),
            after: after.map(item),
            key: key.clone(),
        }
    }

    pub(in crate::stats) fn record(change: &Change) -> StreamRecord {
        StreamRecord::of(change).unwrap().unwrap()
    }

    /// A lead at a version.
    fn at(version: u64, updated: &str, stock: &str) -> Value {
        let mut lead = lead("PROSPECT", stock, Some("NY"));
        lead["version"] = version.into();
        lead["updatedAt"] = updated.into();
        lead
    }

    fn as_counted(change: &Change) -> Counted {
        let record = record(change);
        let (sequence, shape) = (record.sequence.clone(), record.shape());
        Counted { sequence, revision: Some(record.after), shape, generation: None, recount: None }
    }

    #[test]
    fn the_revision_decides_which_change_is_newer() {
        let (one, two, three) = ("2026-11-01T04:00:00Z", "2026-11-01T04:01:00Z", "2026-11-01T04:02:00Z");
        let free = at(1, one, "UNASSIGNED");
        let reserved = at(2, two, "ASSIGNED");
        let taken = at(2, three, "ASSIGNED");
        let created = change("LEAD", 900, None, Some(free.clone()));
        let reserve = change("LEAD", 1, Some(free.clone()), Some(reserved.clone()));
        let abort = change("LEAD", 2, Some(reserved), Some(free.clone()));
        let take = change("LEAD", 3, Some(free.clone()), Some(taken.clone()));
        let delete = change("LEAD", 4, Some(taken), None);
        let is_new = |counted: &Change, change: &Change| as_counted(counted).is_before(&record(change));
        assert!(is_new(&created, &reserve), "the new stream starts with smaller numbers");
        assert!(!is_new(&reserve, &created));
        assert!(is_new(&reserve, &abort), "a return to the previous version starts at the counted revision");
        assert!(!is_new(&take, &abort), "another change already reached this version");
        assert!(is_new(&abort, &take) && is_new(&take, &delete) && !is_new(&delete, &take));
        assert!(!is_new(&delete, &created));

        let former = Counted { revision: None, ..as_counted(&created) };
        assert!(former.is_before(&record(&reserve)), "without a revision, the shape decides");
        assert!(!former.is_before(&record(&delete)), "or the stream position");
    }

    #[test]
    fn the_phase_orders_changes_of_the_same_version() {
        let phases = ["PREPARING", "OPEN", "FULFILLED"].map(|phase| Some(order(phase)));
        let [preparing, open, fulfilled] = phases;
        let changes = [
            change("ORDER", 9, None, preparing.clone()),
            change("ORDER", 8, preparing, open.clone()),
            change("ORDER", 7, open, fulfilled.clone()),
            change("ORDER", 6, fulfilled, None),
        ];
        for (nth, counted) in changes.iter().enumerate() {
            for (other, change) in changes.iter().enumerate() {
                assert_eq!(as_counted(counted).is_before(&record(change)), other > nth, "{nth} {other}");
            }
        }
    }

    #[test]
    fn other_items_are_ignored_and_a_malformed_lead_is_an_error() {
        assert!(StreamRecord::of(&change("HISTORY#0000000001", 1, None, Some(json!({})))).unwrap().is_none());
        assert!(StreamRecord::of(&change("LEAD", 1, None, Some(json!({ "status": "?" })))).is_err());
    }
}
