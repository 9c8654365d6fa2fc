//! The statistics: equal to a recount, whatever the stream repeats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::{join, pending};
use holdfast::automation::consume::{consume, is_relevant};
use holdfast::calendar;
use holdfast::dynamo::stream::Change;
use holdfast::dynamo::{Pace, StreamReader};
use holdfast::leads::domain::Lead;
use holdfast::leads::list::{ListRequest, list};
use holdfast::leads::stats::{self, Stats};
use holdfast::orders::domain::{Release, ReleaseReason};
use holdfast::orders::store as orders;
use jiff::Timestamp;
use serde_json::json;

use super::orders::{by, create as create_order, set_cap, stock};
use crate::support::desk::{Desk, PATIENCE, address, change, create, new_lead};
use crate::support::{Story, World, stories};

/// The stories of this module.
pub fn all() -> Vec<Story> {
    stories![
        store: the_statistics_are_equal_to_a_recount_after_all_kinds_of_changes,
            batches_told_again_and_in_any_order_count_once,
            two_who_count_the_same_at_once_count_it_once,
            statistics_of_an_earlier_version_are_taken_over_and_nothing_is_lost_or_counted_twice,
            hundreds_of_changes_are_counted_in_full_transactions;
        app: the_days_say_what_happened_in_new_york
    ]
}

/// Short waits, so that what is tried again is tried soon.
const PACE: Pace = Pace {
    idle: Duration::from_millis(20),
    retry: Duration::from_millis(5),
    longest: Duration::from_millis(20),
};

/// A reader of what the product makes something of.
pub fn reader(world: &World, desk: &Desk, consumer: &'static str) -> StreamReader {
    world.engine().reader(&world.another_wire(), &desk.app.dynamo, consumer, is_relevant).paced(PACE)
}

/// Makes of the stream what is to be made, until it tells nothing new.
pub async fn follow(world: &World, desk: &Desk) {
    let handle = async |batch: Arc<[Change]>| consume(&desk.app, &batch).await;
    reader(world, desk, "follow").drain(handle, pending()).await.expect("the stream can be read");
}

/// What the stream has told since this was last asked, made nothing of.
pub async fn told(world: &World, desk: &Desk) -> Vec<Change> {
    let told = Mutex::new(Vec::new());
    let handle = async |batch: Arc<[Change]>| {
        told.lock().unwrap().extend_from_slice(&batch);
        Ok::<_, String>(())
    };
    reader(world, desk, "told").drain(handle, pending()).await.expect("the stream can be read");
    told.into_inner().unwrap()
}

async fn all_leads(desk: &Desk) -> Vec<Lead> {
    let (mut leads, mut cursor) = (Vec::new(), None);
    loop {
        let request = ListRequest { limit: 100, cursor, ..ListRequest::default() };
        let page = list(&desk.app, &request).await.unwrap();
        leads.extend(page.leads);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return leads,
        }
    }
}

fn number<K: Ord>(leads: &[Lead], key: impl Fn(&Lead) -> K) -> BTreeMap<K, u64> {
    leads.iter().fold(BTreeMap::new(), |mut counts, lead| {
        *counts.entry(key(lead)).or_default() += 1;
        counts
    })
}

/// Counts all leads one by one, and compares.
async fn assert_recounted(desk: &Desk) -> Stats {
    let leads = all_leads(desk).await;
    let stats = stats::read(&desk.app).await.unwrap();
    assert_eq!(stats.total, leads.len() as u64);
    let by_status = number(&leads, |lead| lead.status.as_str());
    for count in &stats.by_status {
        let counted = by_status.get(count.status.as_str()).copied().unwrap_or_default();
        assert_eq!(count.count, counted, "{}", count.status);
    }
    let by_stock = number(&leads, |lead| lead.stock.as_str());
    for count in &stats.by_stock {
        let counted = by_stock.get(count.stock.as_str()).copied().unwrap_or_default();
        assert_eq!(count.count, counted, "{}", count.stock);
    }
    let by_state = number(&leads, |lead| (lead.state, lead.stock.as_str()));
    for count in &stats.by_state {
        let of = |stock| by_state.get(&(Some(count.state), stock)).copied().unwrap_or_default();
        let counted = [of("UNASSIGNED"), of("ASSIGNED"), of("FULFILLED"), of("WITHHELD")];
        assert_eq!(
            [count.unassigned, count.assigned, count.fulfilled, count.withheld],
            counted,
            "{}",
            count.state
        );
    }
    stats
}

/// Leads and orders of every kind, changed in every way.
async fn live(desk: &Desk) {
    let agent = desk.agent().await;
    for code in ["NY", "CA"] {
        set_cap(desk, code, 60).await;
        stock(desk, code, 30).await;
    }
    let small = create_order(desk, &["NY"], Some(4)).await.unwrap();
    let given_back = create_order(desk, &["CA", "NY"], Some(2)).await.unwrap();
    let large = create_order(desk, &["NY", "CA"], Some(20)).await.unwrap();
    assert_eq!(large.leads.len(), 40, "more than one transaction writes");
    let bad = Release::new(ReleaseReason::BadContact, None).unwrap();
    orders::release(&desk.app, small.order.id, small.leads[0].id, small.order.version, &bad, &by(), None)
        .await
        .unwrap();
    orders::fulfill(&desk.app, small.order.id, None, &by(), None).await.unwrap();
    orders::delete(&desk.app, given_back.order.id, None, &by(), None).await.unwrap();
    orders::fulfill(&desk.app, large.order.id, None, &by(), None).await.unwrap();

    let mut lead = new_lead("Somebody", "somebody@example.com");
    lead["state"] = json!(null);
    let lead = create(&agent, &lead).await;
    change(&agent, &lead, 1, json!({ "name": "Somebody Else" })).await.expect(200);
    change(&agent, &lead, 2, json!({ "status": "QUALIFIED", "state": "TX" })).await.expect(200);
    change(&agent, &lead, 3, json!({ "status": "CONVERTED", "leadScore": 90 })).await.expect(200);
    let gone = create(&agent, &new_lead("Gone", "gone@example.com")).await;
    agent.delete(&format!("{}?version=1", address(&gone))).send().await.expect(204);
}

async fn the_statistics_are_equal_to_a_recount_after_all_kinds_of_changes(world: World) {
    let desk = Desk::open(&world).await;
    let empty = stats::read(&desk.app).await.unwrap();
    assert_eq!((empty.as_of, empty.total, empty.by_state.len()), (None, 0, 51));
    live(&desk).await;
    follow(&world, &desk).await;
    let stats = assert_recounted(&desk).await;
    assert_eq!(stats.total, 61);
    let age = stats.as_of.unwrap().duration_since(Timestamp::now()).abs();
    assert!(age < jiff::SignedDuration::from_mins(2), "{age}");
}

async fn batches_told_again_and_in_any_order_count_once(world: World) {
    let desk = Desk::open(&world).await;
    live(&desk).await;
    let changes = told(&world, &desk).await;
    let batches: Vec<&[Change]> = changes.chunks(23).collect();
    assert!(batches.len() > 5, "{} changes", changes.len());
    for batch in batches.iter().rev() {
        consume(&desk.app, batch).await.unwrap();
    }
    let first = assert_recounted(&desk).await;
    for _ in 0..2 {
        for batch in &batches {
            consume(&desk.app, batch).await.unwrap();
        }
    }
    let again = assert_recounted(&desk).await;
    assert_eq!(
        (again.total, again.by_status, again.by_stock),
        (first.total, first.by_status, first.by_stock)
    );
    let today = calendar::day_of(Timestamp::now());
    let days = stats::days(&desk.app, today, 2).await.unwrap();
    let created: u64 = days.iter().map(|day| day.leads_created).sum();
    assert_eq!(created, 62, "one of them was deleted");
}

async fn two_who_count_the_same_at_once_count_it_once(world: World) {
    let desk = Desk::open(&world).await;
    let other = desk.another(&world, &world.another_wire(), PATIENCE);
    stock(&desk, "NY", 30).await;
    create_order(&desk, &["NY"], Some(5)).await.unwrap();
    let changes = told(&world, &desk).await;
    for batch in changes.chunks(10) {
        let (one, another) = join(consume(&desk.app, batch), consume(&other.app, batch)).await;
        one.and(another).unwrap();
    }
    assert_eq!(assert_recounted(&desk).await.total, 30);
    let today = calendar::day_of(Timestamp::now());
    let days = stats::days(&desk.app, today, 2).await.unwrap();
    assert_eq!(days.iter().map(|day| day.orders_created).sum::<u64>(), 1);
}

/// Changes an item of the statistics past the product.
async fn set(world: &World, pk: &str, sk: &str, expression: &str, numbers: &[(&str, i64)]) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder().table_name(world.table());
    let update = update.key("pk", text(pk)).key("sk", text(sk)).update_expression(expression);
    let number = |(name, number): &(&str, i64)| ((*name).to_owned(), AttributeValue::N(number.to_string()));
    let values = numbers.iter().map(number).collect();
    world.store().update_item(update.set_expression_attribute_values(Some(values))).await;
}

async fn statistics_of_an_earlier_version_are_taken_over_and_nothing_is_lost_or_counted_twice(world: World) {
    let desk = Desk::open(&world).await;
    let counts = async || {
        let stats = stats::read(&desk.app).await.unwrap();
        let of = |code: &str| {
            let state = stats.by_state.iter().find(|count| count.state == code.parse().unwrap()).unwrap();
            [state.unassigned, state.assigned, state.fulfilled]
        };
        (stats.by_stock[0].count, of("NY"), of("WY"))
    };
    set(&world, "STATS", "STATS", "SET prospect = :n, unassigned = :n", &[(":n", 9)]).await;
    set(&world, "STATE#NY", "COUNTED", "SET unassigned = :u, assigned = :a", &[(":u", 4), (":a", 2)]).await;
    set(&world, "STATE#WY", "COUNTED", "SET unassigned = :u, fulfilled = :f", &[(":u", -1), (":f", 3)]).await;
    assert_eq!(counts().await, (9, [4, 2, 0], [0, 0, 3]), "as they stand");

    stock(&desk, "NY", 1).await;
    follow(&world, &desk).await;
    assert_eq!(
        counts().await,
        (10, [5, 2, 0], [0, 0, 3]),
        "the first change that is counted takes them over"
    );
    world.wire().reset();
    counts().await;
    assert_eq!(world.wire().total(), 1, "all statistics are one read");

    // A function of the earlier version was still at work.
    set(&world, "STATE#WY", "COUNTED", "ADD unassigned :u", &[(":u", 3)]).await;
    follow(&world, &desk).await;
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]), "its change takes them over as well");
    stats::take_over(&desk.app).await.unwrap();
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]));
}

async fn hundreds_of_changes_are_counted_in_full_transactions(world: World) {
    let desk = Desk::open(&world).await;
    let leads = stock(&desk, "NY", 250).await;
    let agent = desk.agent().await;
    for lead in &leads[..20] {
        let lead = serde_json::to_value(lead).unwrap();
        change(&agent, &lead, 1, json!({ "state": "CA" })).await.expect(200);
        change(&agent, &lead, 2, json!({ "state": "TX" })).await.expect(200);
    }
    let changes = told(&world, &desk).await;
    assert_eq!(changes.len(), 290);
    consume(&desk.app, &changes[..1]).await.unwrap();
    world.wire().reset();
    consume(&desk.app, &changes).await.unwrap();
    assert_eq!(world.wire().count("TransactWriteItems"), 3, "some 90 records in each");
    assert_recounted(&desk).await;
}

async fn the_days_say_what_happened_in_new_york(world: World) {
    let desk = Desk::open(&world).await;
    live(&desk).await;
    follow(&world, &desk).await;
    let today = calendar::day_of(Timestamp::now());
    let days = stats::days(&desk.app, today, 40).await.unwrap();
    assert_eq!(days.len(), 31, "at most 31");
    assert!(days.is_sorted_by_key(|day| day.date) && days[30].date == today);
    // The story may go over midnight.
    let sum = |of: fn(&stats::Day) -> u64| days.iter().map(of).sum::<u64>();
    assert_eq!(sum(|day| day.leads_created), 62);
    assert_eq!((sum(|day| day.leads_qualified), sum(|day| day.leads_converted)), (1, 1));
    assert_eq!((sum(|day| day.orders_created), sum(|day| day.orders_fulfilled)), (3, 2));
    assert_eq!(sum(|day| day.leads_delivered), 44);
}
