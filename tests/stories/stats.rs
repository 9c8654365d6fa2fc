//! The statistics: equal to a recount, whatever the stream repeats.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::FutureExt as _;
use futures_util::future::{join, pending};
use holdfast::accounts::domain::Role;
use holdfast::app::{Aside, Clock, build_router};
use holdfast::automation::consume::{consume, consume_batch, is_relevant};
use holdfast::calendar;
use holdfast::dynamo::line::Line;
use holdfast::dynamo::stream::{Batch, Change};
use holdfast::dynamo::{Embedded, Pace, StreamReader, schema};
use holdfast::leads::domain::{Lead, Stock};
use holdfast::leads::list::{ListRequest, list};
use holdfast::leads::stats::{self, RecountError, Stats};
use holdfast::orders::domain::{Release, ReleaseReason};
use holdfast::orders::store as orders;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::orders::{by, create as create_order, set_cap, stock};
use crate::support::desk::{Desk, PATIENCE, address, change, create, new_lead};
use crate::support::{Fault, Story, World, stories};

/// The stories of this module.
pub fn all() -> Vec<Story> {
    stories![
        store: the_statistics_are_equal_to_a_recount_after_all_kinds_of_changes,
            batches_told_again_and_in_any_order_count_once,
            two_who_count_the_same_at_once_count_it_once,
            statistics_of_an_earlier_version_are_taken_over_and_nothing_is_lost_or_counted_twice,
            hundreds_of_changes_are_counted_in_full_transactions,
            a_restored_table_with_a_new_stream_is_counted_on,
            a_recount_puts_the_statistics_right_while_writes_go_on,
            a_recount_that_is_cut_off_is_begun_again;
        embedded: a_recount_that_another_has_overtaken_gives_way,
            a_backup_restored_into_a_new_engine_is_counted_on,
            pages_say_how_late_the_statistics_are;
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
    let handle = async |batch: Arc<Batch>| consume_batch(&desk.app, &batch).await;
    reader(world, desk, "follow").drain(handle, pending()).await.expect("the stream can be read");
}

/// What the stream has told since this was last asked, made nothing of.
pub async fn told(world: &World, desk: &Desk) -> Vec<Change> {
    let told = Mutex::new(Vec::new());
    let handle = async |batch: Arc<Batch>| {
        told.lock().unwrap().extend_from_slice(&batch.changes);
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

/// Sets a text of an item past the product, at once.
fn set_now(world: &World, pk: &str, name: &str, value: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder().table_name(world.table()).key("pk", text(pk)).key("sk", text(pk));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    let update = update.expression_attribute_values(":value", text(value));
    world.store().update_item(update).now_or_never().expect("the embedded engine does it at once");
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

/// All items of a table.
async fn items(world: &World) -> Vec<HashMap<String, AttributeValue>> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let scan = ScanInput::builder().table_name(world.table()).set_exclusive_start_key(start);
        let page = world.store().scan(scan).await;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return items;
        }
    }
}

/// Changes of all kinds to a desk that has leads already.
async fn change_on(desk: &Desk) {
    let agent = desk.agent().await;
    for (number, lead) in all_leads(desk).await.into_iter().enumerate() {
        if lead.stock != Stock::Unassigned || number % 3 == 0 {
            continue;
        }
        let lead = serde_json::to_value(lead).unwrap();
        let version = lead["version"].as_u64().unwrap();
        change(&agent, &lead, version, json!({ "state": "TX", "status": "QUALIFIED" })).await.expect(200);
    }
    create(&agent, &new_lead("New", "new@example.com")).await;
}

async fn a_restored_table_with_a_new_stream_is_counted_on(world: World) {
    let desk = Desk::open(&world).await;
    live(&desk).await;
    follow(&world, &desk).await;
    let before = assert_recounted(&desk).await;
    // A table that AWS restores has the items and begins a stream of its own, whose numbers may be smaller.
    let restored = World::on(world.engine().kind(), "restored").await.expect("the same engine");
    let other = Desk::open(&restored).await;
    let items = items(&world).await;
    let pairs = items.iter().map(|item| item.iter().map(|(name, value)| (name.as_str(), value.clone())));
    restored.pour(pairs.map(Iterator::collect).collect()).await;
    // What was counted lately says that it was late in the stream before.
    for item in items.iter().filter(|item| item["sk"] == AttributeValue::S("COUNTED".to_owned())) {
        let update = UpdateItemInput::builder().table_name(restored.table());
        let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        let update = update.update_expression("SET #sequence = :last");
        let update = update.expression_attribute_names("#sequence", "sequence");
        let last = AttributeValue::S("9".repeat(40));
        restored.store().update_item(update.expression_attribute_values(":last", last)).await;
    }
    follow(&restored, &other).await;
    assert_eq!(assert_recounted(&other).await.by_stock, before.by_stock, "what was restored counts once");
    change_on(&other).await;
    follow(&restored, &other).await;
    let after = assert_recounted(&other).await;
    assert_eq!(after.total, before.total + 1);
    restored.close().await;
}

async fn a_backup_restored_into_a_new_engine_is_counted_on(world: World) {
    let directory = std::env::temp_dir().join(format!("holdfast-{}", world.table()));
    std::fs::create_dir_all(&directory).unwrap();
    let open = |name: &str| {
        let clock = Clock::of_system();
        holdfast::engine::Engine::open(&directory.join(name), move || clock.now()).unwrap()
    };
    let desk = Desk::open(&world).await;
    let over = |engine: &holdfast::engine::Engine| {
        let embedded = Embedded::new(engine.clone(), Aside::here());
        let mut desk = desk.clone();
        desk.app.dynamo = desk.app.dynamo.over(Line::to(embedded.clone()));
        desk.app.background = desk.app.dynamo.clone();
        (desk.router, desk.routes) = build_router(desk.app.clone());
        (desk, embedded)
    };
    let count = async |desk: &Desk, engine: &Embedded| {
        let reader = StreamReader::embedded(desk.app.dynamo.clone(), engine.clone(), "story", is_relevant);
        let handle = async |batch: Arc<Batch>| consume_batch(&desk.app, &batch).await;
        reader.paced(PACE).drain(handle, pending()).await.unwrap();
    };
    let first = open("first.db");
    let (desk, engine) = over(&first);
    schema::create_table(&desk.app.dynamo).await.unwrap();
    live(&desk).await;
    count(&desk, &engine).await;
    let counted = assert_recounted(&desk).await;
    first.backup(&directory.join("backup.db")).unwrap();
    // What came after the backup is lost with the first engine, and its numbers are given again.
    change_on(&desk).await;
    count(&desk, &engine).await;

    let second = open("backup.db");
    let (desk, engine) = over(&second);
    count(&desk, &engine).await;
    assert_eq!(assert_recounted(&desk).await.by_stock, counted.by_stock);
    change_on(&desk).await;
    count(&desk, &engine).await;
    assert_eq!(assert_recounted(&desk).await.total, counted.total + 1);
    drop((first, second, engine));
    let _ = std::fs::remove_dir_all(&directory);
}

/// Makes the statistics and what was counted of some records wrong, past the product.
async fn make_wrong(world: &World, desk: &Desk) {
    set(world, "STATS", "STATS", "ADD prospect :n, unassigned :n, unassignedNY :n", &[(":n", 7)]).await;
    for lead in all_leads(desk).await.iter().take(3) {
        let text = |text: String| AttributeValue::S(text);
        let delete = DeleteItemInput::builder().table_name(world.table());
        let key = delete.key("pk", text(format!("LEAD#{}", lead.id))).key("sk", text("COUNTED".to_owned()));
        world.store().delete_item(key).await;
    }
}

async fn a_recount_puts_the_statistics_right_while_writes_go_on(world: World) {
    let desk = Desk::open(&world).await;
    stock(&desk, "WA", 130).await;
    live(&desk).await;
    follow(&world, &desk).await;
    make_wrong(&world, &desk).await;
    let writing = async {
        for _ in 0..3 {
            change_on_once(&desk).await;
            follow(&world, &desk).await;
        }
    };
    let (recounted, ()) = join(stats::recount(&desk.app, |_| ()), writing).await;
    let recounted = recounted.unwrap();
    assert!(recounted.leads >= 191 && recounted.orders >= 2, "{recounted:?}");
    // What was made wrong the stream may have put right first.
    follow(&world, &desk).await;
    assert_recounted(&desk).await;

    // Another one finds nothing to put right, and what is counted after it counts.
    let again = stats::recount(&desk.app, |_| ()).await.unwrap();
    assert_eq!(again.corrections, 0);
    assert_recounted(&desk).await;
    change_on(&desk).await;
    follow(&world, &desk).await;
    assert_recounted(&desk).await;
    let told = told(&world, &desk).await;
    consume(&desk.app, &told).await.unwrap();
    assert_recounted(&desk).await;
}

/// Some changes, of leads that are free now.
async fn change_on_once(desk: &Desk) {
    let agent = desk.agent().await;
    let free = all_leads(desk).await.into_iter().filter(|lead| lead.stock == Stock::Unassigned).take(5);
    for lead in free {
        let other = if lead.state == Some("WA".parse().unwrap()) { "OR" } else { "WA" };
        let lead = serde_json::to_value(lead).unwrap();
        let version = lead["version"].as_u64().unwrap();
        change(&agent, &lead, version, json!({ "state": other })).await.expect(200);
    }
}

async fn a_recount_that_is_cut_off_is_begun_again(world: World) {
    let desk = Desk::open(&world).await;
    live(&desk).await;
    follow(&world, &desk).await;
    let right = assert_recounted(&desk).await;
    make_wrong(&world, &desk).await;
    // It has read the leads, and does not come to the orders.
    let mut pages = 0;
    let cut_off = stats::recount(&desk.app, |_| {
        pages += 1;
        world.wire().always("Query", Fault::Refused("AccessDeniedException"));
    });
    cut_off.await.unwrap_err();
    assert_eq!(pages, 1);
    world.wire().reset();
    change_on(&desk).await;
    follow(&world, &desk).await;
    stats::recount(&desk.app, |_| ()).await.unwrap();
    assert_eq!(assert_recounted(&desk).await.total, right.total + 1);
}

async fn a_recount_that_another_has_overtaken_gives_way(world: World) {
    let desk = Desk::open(&world).await;
    live(&desk).await;
    follow(&world, &desk).await;
    let overtaken = stats::recount(&desk.app, |_| set_now(&world, "STATS", "recount", "another"));
    assert!(matches!(overtaken.await, Err(RecountError::Superseded)));
    assert_recounted(&desk).await;
}

async fn pages_say_how_late_the_statistics_are(world: World) {
    let seconds = Arc::new(AtomicI64::new(0));
    let (now, clock) = (Timestamp::now(), seconds.clone());
    let clock = Clock::from_fn(move || now + SignedDuration::from_secs(clock.load(Ordering::SeqCst)));
    let desk = Desk::open(&world).await.with_clock(clock);
    let agent = desk.session(Role::Agent, "Ann").await.always("origin", "http://holdfast.test");
    create(&agent, &new_lead("Lead", "lead@example.com")).await;
    follow(&world, &desk).await;
    let pages = ["/", "/orders/caps", "/orders/new"];
    let late = async |path: &str| agent.get(path).send().await.expect(200).text().contains(" late. What");
    for path in pages {
        assert!(!late(path).await, "{path}: nothing is known of a reader");
    }
    desk.app.heartbeats.started(desk.app.clock.now());
    seconds.store(5, Ordering::SeqCst);
    for path in pages {
        assert!(!late(path).await, "{path}: five seconds are no news");
    }
    seconds.store(72, Ordering::SeqCst);
    for path in pages {
        let page = agent.get(path).send().await.expect(200).text().to_owned();
        assert!(page.contains("72 seconds late. What"), "{path}");
    }
    let stats: Value = agent.get("/api/leads/stats").send().await.expect(200).json();
    assert_eq!(stats["lateBySeconds"], 72);
    desk.app.heartbeats.handled(desk.app.clock.now());
    for path in pages {
        assert!(!late(path).await, "{path}: the reader has caught up");
    }
}
