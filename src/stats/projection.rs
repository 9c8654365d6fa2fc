//! What changes make of the counters: sums of differences. Pure.
//!
//! What always holds: the counters of leads are the sum of what each lead is counted as, so a record's changes may be
//! told with gaps and in any order as long as each is taken from what was counted before. Which change of a record is
//! newer follows from the record itself, so that a restored table, with a stream of its own, is counted on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::base::calendar::day_of;
use crate::base::values::{UsState, Version};
use crate::leads::domain::{Status, Stock};
use crate::leads::items::LEAD;
use crate::reservations::{ORDER, Phase};
use crate::shared::audit::Cause;
use crate::store::stream::{Change, Sequence};
use crate::store::{Item, StoreError, from_item};

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
    Order { stage: Phase },
    /// A record that is not there any more.
    Gone,
}

/// How far a record has come, by what it says itself. Greater is later: its version, then the progress of an order that
/// keeps its version, then the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Revision {
    version: Version,
    step: u8,
    at: Timestamp,
}

impl Revision {
    /// The step of a record that is gone, which comes after all others of its version.
    const GONE: u8 = u8::MAX;

    fn of_lead(lead: &LeadImage) -> Self {
        Self { version: lead.version, step: 0, at: lead.updated_at }
    }

    fn of_order(order: &OrderImage) -> Self {
        let step = match order.stage {
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

/// What was counted of a record last, as it stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counted {
    /// The place of the change that was counted. Only what has no revision is compared by it.
    pub sequence: Sequence,
    /// How far the record had come. Earlier versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    pub shape: Shape,
    /// The [generation](super::count::Epoch) of the statistics that it was counted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The recount that has taken it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recount: Option<String>,
}

impl Counted {
    /// Whether a change comes after what was counted. A reservation that is given back takes a lead to the version
    /// before, so what follows directly from what was counted comes after it as well.
    pub fn is_before(&self, sighting: &StreamRecord) -> bool {
        match self.revision {
            Some(revision) => sighting.after > revision || sighting.before == Some(revision),
            // The stream may be another one than that of the sequence, and then the shapes must fit.
            None => sighting.sequence > self.sequence || sighting.shape_before() == Some(self.shape),
        }
    }
}

/// What the counting reads of a lead.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeadImage {
    status: Status,
    stock: Stock,
    state: Option<UsState>,
    version: Version,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What the counting reads of an order.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderImage {
    stage: Phase,
    lead_count: u32,
    version: Version,
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
pub(super) struct StreamRecord {
    /// The record's partition.
    pub pk: String,
    pub sequence: Sequence,
    /// When the change happened.
    pub at: Timestamp,
    /// How far the record had come before the change; nothing where it was created.
    before: Option<Revision>,
    /// How far the record has come with the change.
    pub after: Revision,
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

impl StreamRecord {
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
        let [before, after] = images.revisions();
        let Some(after) = after.or_else(|| before.map(Revision::gone)) else { return Ok(None) };
        let cause = match &change.after {
            Some(item) => from_item::<Caused>(item.clone())?.cause,
            None => None,
        };
        let Change { key, sequence, at, .. } = change;
        Ok(Some(Self {
            pk: key.pk.clone(),
            sequence: sequence.clone(),
            at: *at,
            before,
            after,
            images,
            cause,
        }))
    }

    /// What is counted of the record after the change.
    pub fn shape(&self) -> Shape {
        let shape = match self.images {
            Images::Lead { after, .. } => after.map(Shape::of_lead),
            Images::Order { after, .. } => after.map(Shape::of_order),
        };
        shape.unwrap_or(Shape::Gone)
    }

    /// What is counted of the record before the change.
    fn shape_before(&self) -> Option<Shape> {
        match self.images {
            Images::Lead { before, .. } => before.map(Shape::of_lead),
            Images::Order { before, .. } => before.map(Shape::of_order),
        }
    }
}

impl Images {
    /// How far the record had come before and after.
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
        Self::Order { stage: order.stage }
    }
}

/// Numbers by the name of their attribute.
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

impl StateTally {
    fn add_all(&mut self, other: Self) {
        self.sums.add_all(&other.sums);
        self.note_cause(other.cause.as_ref());
    }

    fn note_cause(&mut self, cause: Option<&Cause>) {
        let depth = |cause: Option<&Cause>| cause.map(|cause| cause.depth);
        if depth(cause) > depth(self.cause.as_ref()) {
            self.cause = cause.cloned();
        }
    }
}

/// What some changes make of the counters of a recount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NextTally {
    pub desk: Sums,
    pub states: BTreeMap<UsState, Sums>,
}

impl NextTally {
    /// Adds the difference between what the recount has of a record and what is counted of it.
    pub fn add(&mut self, counted: Option<Shape>, shape: Shape) {
        for (shape, number) in [(counted, -1), (Some(shape), 1)] {
            let Some(Shape::Lead { status, stock, state }) = shape else { continue };
            self.desk.add_lead(status, stock, number);
            let Some(state) = state else { continue };
            self.states.entry(state).or_default().add(stock.slug(), number);
        }
    }

    fn add_all(&mut self, other: &Self) {
        self.desk.add_all(&other.desk);
        for (state, sums) in &other.states {
            self.states.entry(*state).or_default().add_all(sums);
        }
    }

    fn attributes(&self) -> usize {
        self.desk.changed().count() + self.states.values().map(|sums| sums.changed().count()).sum::<usize>()
    }
}

/// What some changes make of the counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Projection {
    pub desk: Sums,
    pub states: BTreeMap<UsState, StateTally>,
    pub days: BTreeMap<Date, Sums>,
    /// While a recount runs, what they make of its counters.
    pub next: NextTally,
}

impl Projection {
    /// How many items it changes, at the most.
    pub fn items(&self) -> usize {
        1 + self.days.len()
    }

    /// How many attributes of states it changes, with their causes, and how many of a recount.
    pub fn state_attributes(&self) -> usize {
        let changed = self.states.values().map(|state| state.sums.changed().count());
        let of_states: usize = changed.filter(|count| *count > 0).map(|count| count + 1).sum();
        of_states + self.next.attributes()
    }

    /// Adds what other changes make of the counters.
    pub fn add_all(&mut self, other: Self) {
        self.desk.add_all(&other.desk);
        for (state, projection) in other.states {
            self.states.entry(state).or_default().add_all(projection);
        }
        for (date, sums) in other.days {
            self.days.entry(date).or_default().add_all(&sums);
        }
        self.next.add_all(&other.next);
    }

    /// Adds the difference between what was counted of a record and what a change made of it. `in_counters` is what the
    /// counters have of it, if they have it.
    pub fn add(&mut self, counted: Option<Shape>, in_counters: Option<Shape>, sighting: &StreamRecord) {
        self.move_lead(in_counters, sighting.shape(), sighting.cause.as_ref());
        match sighting.images {
            Images::Lead { before, after } => self.lead_days(counted, before, after),
            Images::Order { before, after } => self.order_days(counted, before, after),
        }
    }

    /// Moves a lead from where the counters have it to where it is.
    pub fn move_lead(&mut self, in_counters: Option<Shape>, shape: Shape, cause: Option<&Cause>) {
        for (shape, number) in [(in_counters, -1), (Some(shape), 1)] {
            let Some(Shape::Lead { status, stock, state }) = shape else { continue };
            self.desk.add_lead(status, stock, number);
            let Some(state) = state else { continue };
            let projection = self.states.entry(state).or_default();
            projection.sums.add(stock.slug(), number);
            projection.note_cause(cause);
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
        let is_there = |stage: Phase| matches!(stage, Phase::Open | Phase::Fulfilled);
        let stage = image.stage;
        if is_there(stage) && !was.is_some_and(is_there) && counted != Some(Shape::Gone) {
            self.on(image.created_at).add(ORDERS_CREATED, 1);
        }
        if stage == Phase::Fulfilled && was != Some(Phase::Fulfilled) && counted != Some(Shape::Gone) {
            let day = self.on(image.updated_at);
            day.add(ORDERS_FULFILLED, 1);
            day.add(LEADS_DELIVERED, image.lead_count.into());
        }
    }

    fn on(&mut self, moment: Timestamp) -> &mut Sums {
        self.days.entry(day_of(moment)).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Key, to_attribute, to_item};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const AT: &str = "2026-11-01T04:30:00Z";

    fn lead(status: &str, stock: &str, state: Option<&str>) -> Value {
        json!({
            "status": status, "stock": stock, "state": state, "version": 1,
            "createdAt": "2026-11-01T03:59:59Z", "updatedAt": AT,
        })
    }

    fn order(stage: &str) -> Value {
        json!({ "stage": stage, "leadCount": 7, "version": 1, "createdAt": "2026-11-01T03:59:59Z", "updatedAt": AT })
    }

    fn change(sk: &str, sequence: u32, before: Option<Value>, after: Option<Value>) -> Change {
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

    fn sighting(change: &Change) -> StreamRecord {
        StreamRecord::of(change).unwrap().unwrap()
    }

    /// What each change adds when they are counted in this order, and what is counted in the end.
    fn counted(changes: &[Change]) -> Projection {
        let (mut projection, mut shape) = (Projection::default(), None);
        for change in changes {
            let sighting = sighting(change);
            projection.add(shape, shape, &sighting);
            shape = Some(sighting.shape());
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
    fn a_lead_counts_where_it_is_and_moves_as_it_changes() {
        let new = lead("PROSPECT", "UNASSIGNED", Some("NY"));
        let out = lead("QUALIFIED", "ASSIGNED", Some("CA"));
        let created = change("LEAD", 1, None, Some(new.clone()));
        let projection = counted(std::slice::from_ref(&created));
        assert_eq!(of(&projection.desk), [("prospect", 1), ("total", 1), ("unassigned", 1)]);
        assert_eq!(days(&projection), [("2026-10-31".to_owned(), vec![("leadsCreated", 1)])]);

        let projection = counted(&[created.clone(), change("LEAD", 2, Some(new), Some(out.clone()))]);
        assert_eq!(of(&projection.desk), [("assigned", 1), ("qualified", 1), ("total", 1)]);
        let [ca, ny] = ["CA", "NY"].map(|code| of(&projection.states[&code.parse().unwrap()].sums));
        assert_eq!((ca, ny), (vec![("assigned", 1)], vec![]));
        assert_eq!(days(&projection)[1], ("2026-11-01".to_owned(), vec![("leadsQualified", 1)]));

        let projection = counted(&[created, change("LEAD", 3, Some(out), None)]);
        assert!(
            projection.desk.is_nothing() && projection.states.values().all(|state| state.sums.is_nothing())
        );
    }

    #[test]
    fn a_lead_that_was_there_before_the_counting_became_nothing_by_an_edit() {
        let qualified = lead("QUALIFIED", "UNASSIGNED", None);
        let projection = counted(&[change("LEAD", 5, Some(qualified.clone()), Some(qualified))]);
        assert_eq!(of(&projection.desk), [("qualified", 1), ("total", 1), ("unassigned", 1)]);
        assert_eq!(days(&projection), [("2026-10-31".to_owned(), vec![("leadsCreated", 1)])]);
    }

    #[test]
    fn an_order_counts_when_it_is_there_and_when_it_is_fulfilled() {
        let stages = ["PREPARING", "OPEN", "OPEN", "FULFILLED", "FULFILLED"];
        let mut before = None;
        let mut changes = Vec::new();
        for (sequence, stage) in (1..).zip(stages) {
            let after = Some(order(stage));
            changes.push(change("ORDER", sequence, before.take(), after.clone()));
            before = after;
        }
        let created = ("2026-10-31".to_owned(), vec![("ordersCreated", 1)]);
        let fulfilled = ("2026-11-01".to_owned(), vec![("leadsDelivered", 7), ("ordersFulfilled", 1)]);
        assert_eq!(days(&counted(&changes)), [created.clone(), fulfilled.clone()]);
        assert_eq!(days(&counted(&changes[3..])), [created.clone(), fulfilled], "its beginning was not told");
        let deleted = change("ORDER", 9, Some(order("OPEN")), None);
        assert_eq!(days(&counted(&[changes[1].clone(), deleted])), std::slice::from_ref(&created));
        for stages in [["PREPARING", "ABORTED"], ["ABORTED", "ABORTED"]] {
            let [before, after] = stages.map(|stage| Some(order(stage)));
            assert_eq!(days(&counted(&[change("ORDER", 1, before, after)])), []);
        }
    }

    #[test]
    fn the_cause_with_the_most_rules_behind_it_is_kept() {
        let caused = |sequence, depth: u8| {
            let mut change = change("LEAD", sequence, None, Some(lead("PROSPECT", "ASSIGNED", Some("NY"))));
            let cause = to_attribute(Cause { rule: "r".to_owned(), depth }).unwrap();
            change.after.as_mut().unwrap().insert("cause".to_owned(), cause);
            change
        };
        let projection = counted(&[caused(1, 2), caused(2, 3), caused(3, 1)]);
        assert_eq!(projection.states[&"NY".parse().unwrap()].cause.as_ref().unwrap().depth, 3);
    }

    /// A lead at a version, as it is counted.
    fn at(version: u64, updated: &str, stock: &str) -> Value {
        let mut lead = lead("PROSPECT", stock, Some("NY"));
        lead["version"] = version.into();
        lead["updatedAt"] = updated.into();
        lead
    }

    fn as_counted(change: &Change) -> Counted {
        let sighting = sighting(change);
        let (sequence, shape) = (sighting.sequence.clone(), sighting.shape());
        Counted { sequence, revision: Some(sighting.after), shape, generation: None, recount: None }
    }

    #[test]
    fn the_record_itself_says_which_change_is_newer_and_not_the_stream() {
        let (one, two, three) = ("2026-11-01T04:00:00Z", "2026-11-01T04:01:00Z", "2026-11-01T04:02:00Z");
        let free = at(1, one, "UNASSIGNED");
        let reserved = at(2, two, "ASSIGNED");
        let taken = at(2, three, "ASSIGNED");
        let created = change("LEAD", 900, None, Some(free.clone()));
        let reserve = change("LEAD", 1, Some(free.clone()), Some(reserved.clone()));
        let give_back = change("LEAD", 2, Some(reserved), Some(free.clone()));
        let take = change("LEAD", 3, Some(free.clone()), Some(taken.clone()));
        let delete = change("LEAD", 4, Some(taken), None);
        let is_new = |counted: &Change, change: &Change| as_counted(counted).is_before(&sighting(change));
        assert!(is_new(&created, &reserve), "of another stream, with a smaller number");
        assert!(!is_new(&reserve, &created));
        assert!(is_new(&reserve, &give_back), "the version before follows from what was counted");
        assert!(!is_new(&take, &give_back), "another change led to the same version");
        assert!(is_new(&give_back, &take) && is_new(&take, &delete) && !is_new(&delete, &take));
        assert!(!is_new(&delete, &created));

        let former = Counted { revision: None, ..as_counted(&created) };
        assert!(former.is_before(&sighting(&reserve)), "a form without versions fits by its shape");
        assert!(!former.is_before(&sighting(&delete)), "or is compared by its place in the stream");
    }

    #[test]
    fn an_order_goes_forward_without_a_new_version() {
        let stages = ["PREPARING", "OPEN", "FULFILLED"].map(|stage| Some(order(stage)));
        let [preparing, open, fulfilled] = stages;
        let changes = [
            change("ORDER", 9, None, preparing.clone()),
            change("ORDER", 8, preparing, open.clone()),
            change("ORDER", 7, open, fulfilled.clone()),
            change("ORDER", 6, fulfilled, None),
        ];
        for (nth, counted) in changes.iter().enumerate() {
            for (other, change) in changes.iter().enumerate() {
                assert_eq!(as_counted(counted).is_before(&sighting(change)), other > nth, "{nth} {other}");
            }
        }
    }

    #[test]
    fn other_items_count_for_nothing_and_a_malformed_lead_is_an_error() {
        assert!(StreamRecord::of(&change("HISTORY#0000000001", 1, None, Some(json!({})))).unwrap().is_none());
        assert!(StreamRecord::of(&change("LEAD", 1, None, Some(json!({ "status": "?" })))).is_err());
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
        /// The counters say where the lead is at last, whichever of its changes are told, as if only the last were.
        #[test]
        fn differences_add_up_to_the_last_change(
            leads in prop::collection::vec(any_lead(), 1..12),
            gone in any::<bool>(),
            told in prop::collection::vec(any::<bool>(), 12),
        ) {
            let mut images: Vec<Option<Value>> = leads.into_iter().map(Some).collect();
            images.extend(gone.then_some(None));
            // What is deleted was there before.
            let last = images.iter().rev().flatten().next().cloned();
            let changes: Vec<Change> = (1..).zip(&images).map(|(sequence, after)| {
                change("LEAD", sequence, last.clone().filter(|_| after.is_none()), after.clone())
            }).collect();
            let last = changes.last().unwrap().clone();
            let some: Vec<Change> = changes.into_iter().zip(told).filter(|(_, told)| *told)
                .map(|(change, _)| change).filter(|change| change.sequence != last.sequence)
                .chain([last.clone()]).collect();
            let (all, one) = (counted(&some), counted(std::slice::from_ref(&last)));
            prop_assert_eq!(of(&all.desk), of(&one.desk));
            for code in ["NY", "CA"] {
                let state = code.parse().unwrap();
                let of = |projection: &Projection| projection.states.get(&state).map(|state| of(&state.sums)).unwrap_or_default();
                prop_assert_eq!(of(&all), of(&one));
            }
        }
    }
}
