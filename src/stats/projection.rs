//! Turns stream records into differences to add to the counters. Pure.
//!
//! Invariants: the lead counters equal the sum over the shapes that were last counted for each lead. Each difference is
//! taken from the shape counted before, so the stream may skip or reorder the changes of a record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::stream_record::{Images, LeadImage, OrderImage, Shape, StreamRecord};
use crate::base::calendar::day_of;
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::reservations::Phase;
use crate::shared::audit::RuleCause;

pub(super) const TOTAL: &str = "total";
pub(super) const LEADS_CREATED: &str = "leadsCreated";
pub(super) const LEADS_QUALIFIED: &str = "leadsQualified";
pub(super) const LEADS_CONVERTED: &str = "leadsConverted";
pub(super) const ORDERS_CREATED: &str = "ordersCreated";
pub(super) const ORDERS_FULFILLED: &str = "ordersFulfilled";
pub(super) const LEADS_DELIVERED: &str = "leadsDelivered";

/// Differences by attribute name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<&'static str, i64>);

impl Sums {
    fn add(&mut self, name: &'static str, number: i64) {
        *self.0.entry(name).or_default() += number;
    }

    fn add_lead(&mut self, status: Status, stock: Stock, number: i64) {
        self.add(TOTAL, number);
        self.add(status.slug(), number);
        self.add(stock.slug(), number);
    }

    fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, number)| self.add(name, *number));
    }

    /// Returns the differences that are not zero.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.0.iter().map(|(name, number)| (*name, *number)).filter(|(_, number)| *number != 0)
    }

    pub fn is_zero(&self) -> bool {
        self.changed().next().is_none()
    }
}

/// The differences for the counters of one state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StateSums {
    pub sums: Sums,
    /// The deepest cause among the changes that rules made.
    pub cause: Option<RuleCause>,
}

impl StateSums {
    fn add_all(&mut self, other: Self) {
        self.sums.add_all(&other.sums);
        self.note_cause(other.cause.as_ref());
    }

    fn note_cause(&mut self, cause: Option<&RuleCause>) {
        let depth = |cause: Option<&RuleCause>| cause.map(|cause| cause.depth);
        if depth(cause) > depth(self.cause.as_ref()) {
            self.cause = cause.cloned();
        }
    }
}

/// The differences for the counters of a running recount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RecountSums {
    pub totals: Sums,
    pub states: BTreeMap<UsState, Sums>,
}

impl RecountSums {
    /// Adds the difference between the shape that the recount included and the record's shape.
    pub fn add(&mut self, counted: Option<Shape>, shape: Shape) {
        for (shape, number) in [(counted, -1), (Some(shape), 1)] {
            let Some(Shape::Lead { status, stock, state }) = shape else { continue };
            self.totals.add_lead(status, stock, number);
            let Some(state) = state else { continue };
            self.states.entry(state).or_default().add(stock.slug(), number);
        }
    }

    fn add_all(&mut self, other: &Self) {
        self.totals.add_all(&other.totals);
        for (state, sums) in &other.states {
            self.states.entry(*state).or_default().add_all(sums);
        }
    }

    fn attributes(&self) -> usize {
        self.totals.changed().count() + self.states.values().map(|sums| sums.changed().count()).sum::<usize>()
    }
}

/// The differences that a set of changes adds to the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Projection {
    pub totals: Sums,
    pub states: BTreeMap<UsState, StateSums>,
    pub days: BTreeMap<Date, Sums>,
    /// The differences for the counters of a running recount.
    pub recount: RecountSums,
}

impl Projection {
    /// Returns the largest number of counter items that these differences change.
    pub fn items(&self) -> usize {
        1 + self.days.len()
    }

    /// Returns the number of changed attributes of states, including their causes, and of a recount.
    pub fn state_attributes(&self) -> usize {
        let changed = self.states.values().map(|state| state.sums.changed().count());
        let of_changed_states: usize = changed.filter(|count| *count > 0).map(|count| count + 1).sum();
        of_changed_states + self.recount.attributes()
    }

    /// Adds the differences of other changes.
    pub fn add_all(&mut self, other: Self) {
        self.totals.add_all(&other.totals);
        for (state, projection) in other.states {
            self.states.entry(state).or_default().add_all(projection);
        }
        for (date, sums) in other.days {
            self.days.entry(date).or_default().add_all(&sums);
        }
        self.recount.add_all(&other.recount);
    }

    /// Adds the difference that a change makes. `counted` is the shape counted last for the record. `in_counters` is the
    /// shape that the counters include, if any.
    pub fn add(&mut self, counted: Option<Shape>, in_counters: Option<Shape>, record: &StreamRecord) {
        self.move_lead(in_counters, record.shape(), record.cause.as_ref());
        match record.images {
            Images::Lead { before, after } => self.add_lead_to_days(counted, before, after),
            Images::Order { before, after } => self.add_order_to_days(counted, before, after),
        }
    }

    /// Moves a lead from the shape that the counters include to its current shape.
    pub fn move_lead(&mut self, in_counters: Option<Shape>, shape: Shape, cause: Option<&RuleCause>) {
        for (shape, number) in [(in_counters, -1), (Some(shape), 1)] {
            let Some(Shape::Lead { status, stock, state }) = shape else { continue };
            self.totals.add_lead(status, stock, number);
            let Some(state) = state else { continue };
            let projection = self.states.entry(state).or_default();
            projection.sums.add(stock.slug(), number);
            projection.note_cause(cause);
        }
    }

    fn add_lead_to_days(
        &mut self,
        counted: Option<Shape>,
        before: Option<LeadImage>,
        after: Option<LeadImage>,
    ) {
        let Some(image) = after.or(before) else { return };
        if counted.is_none() {
            self.day_mut(image.created_at).add(LEADS_CREATED, 1);
        }
        let was = match counted {
            Some(Shape::Lead { status, .. }) => Some(status),
            Some(_) => None,
            None => before.map(|before| before.status),
        };
        let Some(after) = after.filter(|after| was != Some(after.status)) else { return };
        match after.status {
            Status::Prospect => {}
            Status::Qualified => self.day_mut(after.updated_at).add(LEADS_QUALIFIED, 1),
            Status::Converted => self.day_mut(after.updated_at).add(LEADS_CONVERTED, 1),
        }
    }

    fn add_order_to_days(
        &mut self,
        counted: Option<Shape>,
        before: Option<OrderImage>,
        after: Option<OrderImage>,
    ) {
        let Some(image) = after.or(before) else { return };
        let was = match counted {
            Some(Shape::Order { phase }) => Some(phase),
            _ => None,
        };
        // An order whose first counted change is its fulfillment also counts as created.
        let is_visible = |phase: Phase| matches!(phase, Phase::Open | Phase::Fulfilled);
        let phase = image.phase;
        if is_visible(phase) && !was.is_some_and(is_visible) && counted != Some(Shape::Gone) {
            self.day_mut(image.created_at).add(ORDERS_CREATED, 1);
        }
        if phase == Phase::Fulfilled && was != Some(Phase::Fulfilled) && counted != Some(Shape::Gone) {
            let day = self.day_mut(image.updated_at);
            day.add(ORDERS_FULFILLED, 1);
            day.add(LEADS_DELIVERED, image.lead_count.into());
        }
    }

    fn day_mut(&mut self, moment: Timestamp) -> &mut Sums {
        self.days.entry(day_of(moment)).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::stream_record::tests::{change, lead, order, record};
    use crate::store::stream::Change;
    use crate::store::to_attribute;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Returns the sum of the differences when the changes are counted in this order.
    fn counted(changes: &[Change]) -> Projection {
        let (mut projection, mut shape) = (Projection::default(), None);
        for change in changes {
            let record = record(change);
            projection.add(shape, shape, &record);
            shape = Some(record.shape());
        }
        projection
    }

    fn of(sums: &Sums) -> Vec<(&'static str, i64)> {
        sums.changed().collect()
    }

    fn days(projection: &Projection) -> Vec<(String, Vec<(&'static str, i64)>)> {
        projection.days.iter().map(|(date, sums)| (date.to_string(), of(sums))).collect()
    }

    #[test]
    fn a_changed_lead_moves_between_counters() {
        let new = lead("PROSPECT", "UNASSIGNED", Some("NY"));
        let out = lead("QUALIFIED", "ASSIGNED", Some("CA"));
        let created = change("LEAD", 1, None, Some(new.clone()));
        let projection = counted(std::slice::from_ref(&created));
        assert_eq!(of(&projection.totals), [("prospect", 1), ("total", 1), ("unassigned", 1)]);
        assert_eq!(days(&projection), [("2026-10-31".to_owned(), vec![("leadsCreated", 1)])]);

        let projection = counted(&[created.clone(), change("LEAD", 2, Some(new), Some(out.clone()))]);
        assert_eq!(of(&projection.totals), [("assigned", 1), ("qualified", 1), ("total", 1)]);
        let [ca, ny] = ["CA", "NY"].map(|code| of(&projection.states[&code.parse().unwrap()].sums));
        assert_eq!((ca, ny), (vec![("assigned", 1)], vec![]));
        assert_eq!(days(&projection)[1], ("2026-11-01".to_owned(), vec![("leadsQualified", 1)]));

        let projection = counted(&[created, change("LEAD", 3, Some(out), None)]);
        assert!(projection.totals.is_zero() && projection.states.values().all(|state| state.sums.is_zero()));
    }

    #[test]
    fn an_edit_counts_a_lead_that_was_not_counted_before() {
        let qualified = lead("QUALIFIED", "UNASSIGNED", None);
        let projection = counted(&[change("LEAD", 5, Some(qualified.clone()), Some(qualified))]);
        assert_eq!(of(&projection.totals), [("qualified", 1), ("total", 1), ("unassigned", 1)]);
        assert_eq!(days(&projection), [("2026-10-31".to_owned(), vec![("leadsCreated", 1)])]);
    }

    #[test]
    fn an_order_counts_when_it_opens_and_when_it_is_fulfilled() {
        let phases = ["PREPARING", "OPEN", "OPEN", "FULFILLED", "FULFILLED"];
        let mut before = None;
        let mut changes = Vec::new();
        for (sequence, phase) in (1..).zip(phases) {
            let after = Some(order(phase));
            changes.push(change("ORDER", sequence, before.take(), after.clone()));
            before = after;
        }
        let created = ("2026-10-31".to_owned(), vec![("ordersCreated", 1)]);
        let fulfilled = ("2026-11-01".to_owned(), vec![("leadsDelivered", 7), ("ordersFulfilled", 1)]);
        assert_eq!(days(&counted(&changes)), [created.clone(), fulfilled.clone()]);
        assert_eq!(
            days(&counted(&changes[3..])),
            [created.clone(), fulfilled],
            "the stream did not deliver its creation"
        );
        let deleted = change("ORDER", 9, Some(order("OPEN")), None);
        assert_eq!(days(&counted(&[changes[1].clone(), deleted])), std::slice::from_ref(&created));
        for phases in [["PREPARING", "ABORTED"], ["ABORTED", "ABORTED"]] {
            let [before, after] = phases.map(|phase| Some(order(phase)));
            assert_eq!(days(&counted(&[change("ORDER", 1, before, after)])), []);
        }
    }

    #[test]
    fn the_deepest_cause_is_kept() {
        let caused = |sequence, depth: u8| {
            let mut change = change("LEAD", sequence, None, Some(lead("PROSPECT", "ASSIGNED", Some("NY"))));
            let cause = to_attribute(RuleCause { rule: "r".to_owned(), depth }).unwrap();
            change.after.as_mut().unwrap().insert("cause".to_owned(), cause);
            change
        };
        let projection = counted(&[caused(1, 2), caused(2, 3), caused(3, 1)]);
        assert_eq!(projection.states[&"NY".parse().unwrap()].cause.as_ref().unwrap().depth, 3);
    }

    prop_compose! {
        fn any_lead()(
            status in prop::sample::select(vec!["PROSPECT", "QUALIFIED", "CONVERTED"]),
            stock in prop::sample::select(vec!["UNASSIGNED", "ASSIGNED", "FULFILLED", "WITHHELD"]),
            state in prop::sample::select(vec![None, Some("NY"), Some("CA")]),
        ) -> Value {
            lead(status, stock, state)
        }
    }

    proptest! {
        /// The counters match the last change, whichever earlier changes the stream delivered.
        #[test]
        fn differences_add_up_to_the_last_change(
            leads in prop::collection::vec(any_lead(), 1..12),
            gone in any::<bool>(),
            delivered in prop::collection::vec(any::<bool>(), 12),
        ) {
            let mut images: Vec<Option<Value>> = leads.into_iter().map(Some).collect();
            images.extend(gone.then_some(None));
            // A deletion needs the old image.
            let last = images.iter().rev().flatten().next().cloned();
            let changes: Vec<Change> = (1..).zip(&images).map(|(sequence, after)| {
                change("LEAD", sequence, last.clone().filter(|_| after.is_none()), after.clone())
            }).collect();
            let last = changes.last().unwrap().clone();
            let some: Vec<Change> = changes.into_iter().zip(delivered).filter(|(_, delivered)| *delivered)
                .map(|(change, _)| change).filter(|change| change.sequence != last.sequence)
                .chain([last.clone()]).collect();
            let (all, one) = (counted(&some), counted(std::slice::from_ref(&last)));
            prop_assert_eq!(of(&all.totals), of(&one.totals));
            for code in ["NY", "CA"] {
                let state = code.parse().unwrap();
                let of = |projection: &Projection| {
                    projection.states.get(&state).map(|state| of(&state.sums)).unwrap_or_default()
                };
                prop_assert_eq!(of(&all), of(&one));
            }
        }
    }
}
