//! What changes make of the counters: sums of differences. Pure.
//!
//! What always holds: the counters of leads are the sum of what each lead is counted as, so a record's changes may be
//! told with gaps and in any order as long as each is taken from what was counted before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::super::domain::{Status, Stock};
use super::super::items::LEAD;
use crate::calendar::day_of;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::{Item, StoreError, from_item};
use crate::orders::domain::Cause;
use crate::orders::items::{ORDER, Stage};
use crate::values::UsState;

pub(super) const TOTAL: &str = "total";
pub(super) const LEADS_CREATED: &str = "leadsCreated";
pub(super) const LEADS_QUALIFIED: &str = "leadsQualified";
pub(super) const LEADS_CONVERTED: &str = "leadsConverted";
pub(super) const ORDERS_CREATED: &str = "ordersCreated";
pub(super) const ORDERS_FULFILLED: &str = "ordersFulfilled";
pub(super) const LEADS_DELIVERED: &str = "leadsDelivered";

/// What is counted of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Shape {
    /// A lead that is there.
    Lead { status: Status, stock: Stock, state: Option<UsState> },
    /// An order, as far as it is written.
    Order { stage: Stage },
    /// A record that is not there any more.
    Gone,
}

/// What was counted of a record last, as it stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    /// The place of the change that was counted.
    pub sequence: Sequence,
    pub shape: Shape,
}

/// What the counting reads of a lead.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeadImage {
    status: Status,
    stock: Stock,
    state: Option<UsState>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What the counting reads of an order.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderImage {
    stage: Stage,
    lead_count: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
enum Images {
    Lead { before: Option<LeadImage>, after: Option<LeadImage> },
    Order { before: Option<OrderImage>, after: Option<OrderImage> },
}

/// A change of a lead or an order, with what counts of it.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// The record's partition.
    pub pk: String,
    pub sequence: Sequence,
    at: Timestamp,
    images: Images,
    cause: Option<Cause>,
}

#[derive(Deserialize)]
struct Caused {
    #[serde(default)]
    cause: Option<Cause>,
}

fn images<T: serde::de::DeserializeOwned>(change: &Change) -> Result<[Option<T>; 2], StoreError> {
    let image = |item: &Option<Item>| item.clone().map(from_item).transpose();
    Ok([image(&change.before)?, image(&change.after)?])
}

impl Sighting {
    /// What counts of a change, if anything does.
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
        let cause = match &change.after {
            Some(item) => from_item::<Caused>(item.clone())?.cause,
            None => None,
        };
        let Change { key, sequence, at, .. } = change;
        Ok(Some(Self { pk: key.pk.clone(), sequence: sequence.clone(), at: *at, images, cause }))
    }

    /// What is counted of the record after the change.
    pub fn shape(&self) -> Shape {
        let lead =
            |lead: LeadImage| Shape::Lead { status: lead.status, stock: lead.stock, state: lead.state };
        let shape = match self.images {
            Images::Lead { after, .. } => after.map(lead),
            Images::Order { after, .. } => after.map(|order| Shape::Order { stage: order.stage }),
        };
        shape.unwrap_or(Shape::Gone)
    }
}

/// Numbers by the name of their attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<&'static str, i64>);

impl Sums {
    fn add(&mut self, name: &'static str, number: i64) {
        *self.0.entry(name).or_default() += number;
    }

    /// Those that are not nothing.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.0.iter().map(|(name, number)| (*name, *number)).filter(|(_, number)| *number != 0)
    }

    pub fn is_nothing(&self) -> bool {
        self.changed().next().is_none()
    }
}

/// What changes of a state's counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StateTally {
    pub sums: Sums,
    /// Of the changes that rules made, the one with the most rules behind it.
    pub cause: Option<Cause>,
}

/// What some changes make of the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The last moment of the changes.
    pub as_of: Option<Timestamp>,
    pub desk: Sums,
    pub states: BTreeMap<UsState, StateTally>,
    pub days: BTreeMap<Date, Sums>,
}

impl Tally {
    /// The most counters that one change reaches: the desk's, two states' and three days'.
    pub const OF_ONE_CHANGE: usize = 6;

    /// How many counters it changes, at the most.
    pub fn counters(&self) -> usize {
        1 + self.states.len() + self.days.len()
    }

    /// Adds the difference between what was counted of a record and what a change made of it.
    pub fn add(&mut self, counted: Option<Shape>, sighting: &Sighting) {
        self.as_of = self.as_of.max(Some(sighting.at));
        match sighting.images {
            Images::Lead { before, after } => {
                self.move_lead(counted, sighting);
                self.lead_days(counted, before, after);
            }
            Images::Order { before, after } => self.order_days(counted, before, after),
        }
    }

    fn move_lead(&mut self, counted: Option<Shape>, sighting: &Sighting) {
        for (shape, number) in [(counted, -1), (Some(sighting.shape()), 1)] {
            let Some(Shape::Lead { status, stock, state }) = shape else { continue };
            self.desk.add(TOTAL, number);
            self.desk.add(status.slug(), number);
            self.desk.add(stock.slug(), number);
            let Some(state) = state else { continue };
            let tally = self.states.entry(state).or_default();
            tally.sums.add(stock.slug(), number);
            let depth = |cause: &Option<Cause>| cause.as_ref().map(|cause| cause.depth);
            if depth(&sighting.cause) > depth(&tally.cause) {
                tally.cause.clone_from(&sighting.cause);
            }
        }
    }

    fn lead_days(&mut self, counted: Option<Shape>, before: Option<LeadImage>, after: Option<LeadImage>) {
        let Some(image) = after.or(before) else { return };
        if counted.is_none() {
            self.on(image.created_at).add(LEADS_CREATED, 1);
        }
        let was = match counted {
            Some(Shape::Lead { status, .. }) => Some(status),
            Some(_) => None,
            None => before.map(|before| before.status),
        };
        let Some(after) = after.filter(|after| was != Some(after.status)) else { return };
        match after.status {
            Status::Prospect => {}
            Status::Qualified => self.on(after.updated_at).add(LEADS_QUALIFIED, 1),
            Status::Converted => self.on(after.updated_at).add(LEADS_CONVERTED, 1),
        }
    }

    fn order_days(&mut self, counted: Option<Shape>, before: Option<OrderImage>, after: Option<OrderImage>) {
        let Some(image) = after.or(before) else { return };
        let was = match counted {
            Some(Shape::Order { stage }) => Some(stage),
            _ => None,
        };
        // One that was never seen before its end was there all the same.
        let is_there = |stage: Stage| matches!(stage, Stage::Open | Stage::Fulfilled);
        let stage = image.stage;
        if is_there(stage) && !was.is_some_and(is_there) && counted != Some(Shape::Gone) {
            self.on(image.created_at).add(ORDERS_CREATED, 1);
        }
        if stage == Stage::Fulfilled && was != Some(Stage::Fulfilled) && counted != Some(Shape::Gone) {
            let day = self.on(image.updated_at);
            day.add(ORDERS_FULFILLED, 1);
            day.add(LEADS_DELIVERED, image.lead_count.into());
        }
    }

    fn on(&mut self, moment: Timestamp) -> &mut Sums {
        self.days.entry(day_of(moment)).or_default()
    }
}
