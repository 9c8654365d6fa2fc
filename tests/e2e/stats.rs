//! The statistics: always equal to a recount, even when the stream repeats records.

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
use holdfast::app::build_router;
use holdfast::base::blocking::BlockingPool;
use holdfast::base::calendar;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::leads::domain::{Lead, Stock};
use holdfast::leads::list::ListRequest;
use holdfast::orders::domain::{Release, ReleaseReason};
use holdfast::projections::consume::is_relevant;
use holdfast::stats;
use holdfast::stats::{RecountError, Stats};
use holdfast::store::line::Line;
use holdfast::store::stream::{Batch, Change};
use holdfast::store::{Embedded, PollInterval, StreamReader, schema};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::orders::{by, create as create_order, set_cap, stock};
use crate::support::workspace::{PATIENCE, Workspace, address, change, create, new_lead};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: the_statistics_equal_a_recount_after_all_kinds_of_changes,
            repeated_and_reordered_batches_count_once,
            two_concurrent_readers_count_a_change_once,
            statistics_of_an_earlier_version_are_migrated_without_loss_or_double_counting,
            hundreds_of_changes_are_counted_in_full_transactions,
            counting_continues_on_a_restored_table_with_a_new_stream,
            a_recount_corrects_the_statistics_during_writes,
            an_interrupted_recount_starts_again;
        embedded: a_recount_stops_when_a_newer_one_has_started,
            counting_continues_on_a_backup_restored_into_a_new_engine,
            pages_show_how_late_the_statistics_are;
        app: daily_counts_follow_new_york_days
    ]
}

/// Short waits, so that retries happen soon.
const POLL: PollInterval = PollInterval {
    idle: Duration::from_millis(20),
    retry: Duration::from_millis(5),
    longest: Duration::from_millis(20),
};

/// A reader of the records that the application processes.
pub fn reader(environment: &TestEnvironment, workspace: &Workspace, consumer: &'static str) -> StreamReader {
    environment
        .engine()
        .reader(&environment.another_wire(), &workspace.app.dynamo, consumer, is_relevant)
        .paced(POLL)
}

/// Processes the stream until it has no new records.
pub async fn process_stream(environment: &TestEnvironment, workspace: &Workspace) {
    let handle = async |batch: Arc<Batch>| workspace.app.projections().consume_batch(&batch).await;
    reader(environment, workspace, "process").drain(handle, pending()).await.expect("the stream can be read");
}

/// The stream records since the last call, without processing them.
pub async fn new_records(environment: &TestEnvironment, workspace: &Workspace) -> Vec<Change> {
    let new_records = Mutex::new(Vec::new());
    let handle = async |batch: Arc<Batch>| {
        new_records.lock().unwrap().extend_from_slice(&batch.changes);
        Ok::<_, String>(())
    };
    reader(environment, workspace, "records").drain(handle, pending()).await.expect("the stream can be read");
    new_records.into_inner().unwrap()
}

async fn all_leads(workspace: &Workspace) -> Vec<Lead> {
    let (mut leads, mut cursor) = (Vec::new(), None);
    loop {
        let request = ListRequest { limit: 100, cursor, ..ListRequest::default() };
        let page = workspace.app.leads().list(&request).await.unwrap();
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

/// Counts all leads one by one and compares.
async fn assert_recounted(workspace: &Workspace) -> Stats {
    let leads = all_leads(workspace).await;
    let stats = workspace.app.statistics().read().await.unwrap();
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

/// Creates and changes leads and orders of every kind.
async fn live(workspace: &Workspace) {
    let agent = workspace.agent().await;
    for code in ["NY", "CA"] {
        set_cap(workspace, code, 60).await;
        stock(workspace, code, 30).await;
    }
    let small = create_order(workspace, &["NY"], Some(4)).await.unwrap();
    let given_back = create_order(workspace, &["CA", "NY"], Some(2)).await.unwrap();
    let large = create_order(workspace, &["NY", "CA"], Some(20)).await.unwrap();
    assert_eq!(large.leads.len(), 40, "more than one transaction writes");
    let bad = Release::new(ReleaseReason::BadContact, None).unwrap();
    workspace
        .app
        .orders()
        .release(small.order.id, small.leads[0].id, small.order.version, &bad, &by(), None)
        .await
        .unwrap();
    workspace.app.orders().fulfill(small.order.id, None, &by(), None).await.unwrap();
    workspace.app.orders().delete(given_back.order.id, None, &by(), None).await.unwrap();
    workspace.app.orders().fulfill(large.order.id, None, &by(), None).await.unwrap();

    let mut lead = new_lead("Somebody", "somebody@example.com");
    lead["state"] = json!(null);
    let lead = create(&agent, &lead).await;
    change(&agent, &lead, 1, json!({ "name": "Somebody Else" })).await.expect(200);
    change(&agent, &lead, 2, json!({ "status": "QUALIFIED", "state": "TX" })).await.expect(200);
    change(&agent, &lead, 3, json!({ "status": "CONVERTED", "leadScore": 90 })).await.expect(200);
    let gone = create(&agent, &new_lead("Gone", "gone@example.com")).await;
    agent.delete(&format!("{}?version=1", address(&gone))).send().await.expect(204);
}

async fn the_statistics_equal_a_recount_after_all_kinds_of_changes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let empty = workspace.app.statistics().read().await.unwrap();
    assert_eq!((empty.as_of, empty.total, empty.by_state.len()), (None, 0, 51));
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let stats = assert_recounted(&workspace).await;
    assert_eq!(stats.total, 61);
    let age = stats.as_of.unwrap().duration_since(Timestamp::now()).abs();
    assert!(age < jiff::SignedDuration::from_mins(2), "{age}");
}

async fn repeated_and_reordered_batches_count_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    let changes = new_records(&environment, &workspace).await;
    let batches: Vec<&[Change]> = changes.chunks(23).collect();
    assert!(batches.len() > 5, "{} changes", changes.len());
    for batch in batches.iter().rev() {
        workspace.app.projections().consume(batch).await.unwrap();
    }
    let first = assert_recounted(&workspace).await;
    for _ in 0..2 {
        for batch in &batches {
            workspace.app.projections().consume(batch).await.unwrap();
        }
    }
    let again = assert_recounted(&workspace).await;
    assert_eq!(
        (again.total, again.by_status, again.by_stock),
        (first.total, first.by_status, first.by_stock)
    );
    let today = calendar::day_of(Timestamp::now());
    let days = workspace.app.statistics().days(today, 2).await.unwrap();
    let created: u64 = days.iter().map(|day| day.leads_created).sum();
    assert_eq!(created, 62, "one of them was deleted");
}

async fn two_concurrent_readers_count_a_change_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let other = workspace.another(&environment, &environment.another_wire(), PATIENCE);
    stock(&workspace, "NY", 30).await;
    create_order(&workspace, &["NY"], Some(5)).await.unwrap();
    let changes = new_records(&environment, &workspace).await;
    for batch in changes.chunks(10) {
        let (one, another) =
            join(workspace.app.projections().consume(batch), other.app.projections().consume(batch)).await;
        one.and(another).unwrap();
    }
    assert_eq!(assert_recounted(&workspace).await.total, 30);
    let today = calendar::day_of(Timestamp::now());
    let days = workspace.app.statistics().days(today, 2).await.unwrap();
    assert_eq!(days.iter().map(|day| day.orders_created).sum::<u64>(), 1);
}

/// Changes an item of the statistics without the application.
async fn set(environment: &TestEnvironment, pk: &str, sk: &str, expression: &str, numbers: &[(&str, i64)]) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder().table_name(environment.table());
    let update = update.key("pk", text(pk)).key("sk", text(sk)).update_expression(expression);
    let number = |(name, number): &(&str, i64)| ((*name).to_owned(), AttributeValue::N(number.to_string()));
    let values = numbers.iter().map(number).collect();
    environment.store().update_item(update.set_expression_attribute_values(Some(values))).await;
}

/// Sets a text attribute of an item without the application, synchronously.
fn set_now(environment: &TestEnvironment, pk: &str, name: &str, value: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update =
        UpdateItemInput::builder().table_name(environment.table()).key("pk", text(pk)).key("sk", text(pk));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    let update = update.expression_attribute_values(":value", text(value));
    environment.store().update_item(update).now_or_never().expect("the embedded engine does it at once");
}

async fn statistics_of_an_earlier_version_are_migrated_without_loss_or_double_counting(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let counts = async || {
        let stats = workspace.app.statistics().read().await.unwrap();
        let of = |code: &str| {
            let state = stats.by_state.iter().find(|count| count.state == code.parse().unwrap()).unwrap();
            [state.unassigned, state.assigned, state.fulfilled]
        };
        (stats.by_stock[0].count, of("NY"), of("WY"))
    };
    set(&environment, "STATS", "STATS", "SET prospect = :n, unassigned = :n", &[(":n", 9)]).await;
    set(&environment, "STATE#NY", "COUNTED", "SET unassigned = :u, assigned = :a", &[(":u", 4), (":a", 2)])
        .await;
    set(&environment, "STATE#WY", "COUNTED", "SET unassigned = :u, fulfilled = :f", &[(":u", -1), (":f", 3)])
        .await;
    assert_eq!(counts().await, (9, [4, 2, 0], [0, 0, 3]), "both layouts are added");

    stock(&workspace, "NY", 1).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(
        counts().await,
        (10, [5, 2, 0], [0, 0, 3]),
        "the first change that is counted takes them over"
    );
    environment.wire().reset();
    counts().await;
    assert_eq!(environment.wire().total(), 1, "all statistics are one read");

    // A function of the earlier version was still running.
    set(&environment, "STATE#WY", "COUNTED", "ADD unassigned :u", &[(":u", 3)]).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]), "its change takes them over as well");
    workspace.app.statistics().migrate().await.unwrap();
    assert_eq!(counts().await, (10, [5, 2, 0], [2, 0, 3]));
}

async fn hundreds_of_changes_are_counted_in_full_transactions(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let leads = stock(&workspace, "NY", 250).await;
    let agent = workspace.agent().await;
    for lead in &leads[..20] {
        let lead = serde_json::to_value(lead).unwrap();
        change(&agent, &lead, 1, json!({ "state": "CA" })).await.expect(200);
        change(&agent, &lead, 2, json!({ "state": "TX" })).await.expect(200);
    }
    let changes = new_records(&environment, &workspace).await;
    assert_eq!(changes.len(), 290);
    workspace.app.projections().consume(&changes[..1]).await.unwrap();
    environment.wire().reset();
    workspace.app.projections().consume(&changes).await.unwrap();
    assert_eq!(environment.wire().count("TransactWriteItems"), 3, "some 90 records in each");
    assert_recounted(&workspace).await;
}

async fn daily_counts_follow_new_york_days(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let today = calendar::day_of(Timestamp::now());
    let days = workspace.app.statistics().days(today, 40).await.unwrap();
    assert_eq!(days.len(), 31, "at most 31");
    assert!(days.is_sorted_by_key(|day| day.date) && days[30].date == today);
    // The case may run past midnight.
    let sum = |of: fn(&stats::Day) -> u64| days.iter().map(of).sum::<u64>();
    assert_eq!(sum(|day| day.leads_created), 62);
    assert_eq!((sum(|day| day.leads_qualified), sum(|day| day.leads_converted)), (1, 1));
    assert_eq!((sum(|day| day.orders_created), sum(|day| day.orders_fulfilled)), (3, 2));
    assert_eq!(sum(|day| day.leads_delivered), 44);
}

/// All items of a table.
async fn items(environment: &TestEnvironment) -> Vec<HashMap<String, AttributeValue>> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let scan = ScanInput::builder().table_name(environment.table()).set_exclusive_start_key(start);
        let page = environment.store().scan(scan).await;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return items;
        }
    }
}

/// Changes of all kinds to a workspace with leads.
async fn change_on(workspace: &Workspace) {
    let agent = workspace.agent().await;
    for (number, lead) in all_leads(workspace).await.into_iter().enumerate() {
        if lead.stock != Stock::Unassigned || number % 3 == 0 {
            continue;
        }
        let lead = serde_json::to_value(lead).unwrap();
        let version = lead["version"].as_u64().unwrap();
        change(&agent, &lead, version, json!({ "state": "TX", "status": "QUALIFIED" })).await.expect(200);
    }
    create(&agent, &new_lead("New", "new@example.com")).await;
}

async fn counting_continues_on_a_restored_table_with_a_new_stream(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let before = assert_recounted(&workspace).await;
    // A table that AWS restores has the items and a new stream, whose sequence numbers may be smaller.
    let restored =
        TestEnvironment::on(environment.engine().kind(), "restored").await.expect("the same engine");
    let other = Workspace::open(&restored).await;
    let items = items(&environment).await;
    let pairs = items.iter().map(|item| item.iter().map(|(name, value)| (name.as_str(), value.clone())));
    restored.insert_items(pairs.map(Iterator::collect).collect()).await;
    // Pretend that the last counted records have high sequence numbers of the old stream.
    for item in items.iter().filter(|item| item["sk"] == AttributeValue::S("COUNTED".to_owned())) {
        let update = UpdateItemInput::builder().table_name(restored.table());
        let update = update.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        let update = update.update_expression("SET #sequence = :last");
        let update = update.expression_attribute_names("#sequence", "sequence");
        let last = AttributeValue::S("9".repeat(40));
        restored.store().update_item(update.expression_attribute_values(":last", last)).await;
    }
    process_stream(&restored, &other).await;
    assert_eq!(assert_recounted(&other).await.by_stock, before.by_stock, "what was restored counts once");
    change_on(&other).await;
    process_stream(&restored, &other).await;
    let after = assert_recounted(&other).await;
    assert_eq!(after.total, before.total + 1);
    restored.close().await;
}

async fn counting_continues_on_a_backup_restored_into_a_new_engine(environment: TestEnvironment) {
    let directory = std::env::temp_dir().join(format!("holdfast-{}", environment.table()));
    std::fs::create_dir_all(&directory).unwrap();
    let open = |name: &str| {
        let clock = Clock::of_system();
        holdfast::engine::Engine::open(&directory.join(name), move || clock.now()).unwrap()
    };
    let workspace = Workspace::open(&environment).await;
    let over = |engine: &holdfast::engine::Engine| {
        let embedded = Embedded::new(engine.clone(), BlockingPool::here());
        let mut workspace = workspace.clone();
        workspace.app.dynamo = workspace.app.dynamo.over(Line::to(embedded.clone()));
        workspace.app.background = workspace.app.dynamo.clone();
        (workspace.router, workspace.routes) = build_router(workspace.app.clone());
        (workspace, embedded)
    };
    let count = async |workspace: &Workspace, engine: &Embedded| {
        let reader =
            StreamReader::embedded(workspace.app.dynamo.clone(), engine.clone(), "case", is_relevant);
        let handle = async |batch: Arc<Batch>| workspace.app.projections().consume_batch(&batch).await;
        reader.paced(POLL).drain(handle, pending()).await.unwrap();
    };
    let first = open("first.db");
    let (workspace, engine) = over(&first);
    schema::create_table(&workspace.app.dynamo).await.unwrap();
    live(&workspace).await;
    count(&workspace, &engine).await;
    let counted = assert_recounted(&workspace).await;
    first.backup(&directory.join("backup.db")).unwrap();
    // Records after the backup are lost with the first engine, and their sequence numbers are reused.
    change_on(&workspace).await;
    count(&workspace, &engine).await;

    let second = open("backup.db");
    let (workspace, engine) = over(&second);
    count(&workspace, &engine).await;
    assert_eq!(assert_recounted(&workspace).await.by_stock, counted.by_stock);
    change_on(&workspace).await;
    count(&workspace, &engine).await;
    assert_eq!(assert_recounted(&workspace).await.total, counted.total + 1);
    drop((first, second, engine));
    let _ = std::fs::remove_dir_all(&directory);
}

/// Makes the statistics and the counts of some records wrong, without the application.
async fn make_wrong(environment: &TestEnvironment, workspace: &Workspace) {
    set(environment, "STATS", "STATS", "ADD prospect :n, unassigned :n, unassignedNY :n", &[(":n", 7)]).await;
    for lead in all_leads(workspace).await.iter().take(3) {
        let text = |text: String| AttributeValue::S(text);
        let delete = DeleteItemInput::builder().table_name(environment.table());
        let key = delete.key("pk", text(format!("LEAD#{}", lead.id))).key("sk", text("COUNTED".to_owned()));
        environment.store().delete_item(key).await;
    }
}

async fn a_recount_corrects_the_statistics_during_writes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "WA", 130).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    make_wrong(&environment, &workspace).await;
    let writing = async {
        for _ in 0..3 {
            change_on_once(&workspace).await;
            process_stream(&environment, &workspace).await;
        }
    };
    let (recounted, ()) = join(workspace.app.statistics().recount(|_| ()), writing).await;
    let recounted = recounted.unwrap();
    assert!(recounted.leads >= 191 && recounted.orders >= 2, "{recounted:?}");
    // The stream may have corrected some of the errors first.
    process_stream(&environment, &workspace).await;
    assert_recounted(&workspace).await;

    // A second recount finds nothing to correct, and later changes are counted.
    let again = workspace.app.statistics().recount(|_| ()).await.unwrap();
    assert_eq!(again.corrections, 0);
    assert_recounted(&workspace).await;
    change_on(&workspace).await;
    process_stream(&environment, &workspace).await;
    assert_recounted(&workspace).await;
    let new_records = new_records(&environment, &workspace).await;
    workspace.app.projections().consume(&new_records).await.unwrap();
    assert_recounted(&workspace).await;
}

/// Changes some leads that are free now.
async fn change_on_once(workspace: &Workspace) {
    let agent = workspace.agent().await;
    let free = all_leads(workspace).await.into_iter().filter(|lead| lead.stock == Stock::Unassigned).take(5);
    for lead in free {
        let other = if lead.state == Some("WA".parse().unwrap()) { "OR" } else { "WA" };
        let lead = serde_json::to_value(lead).unwrap();
        let version = lead["version"].as_u64().unwrap();
        change(&agent, &lead, version, json!({ "state": other })).await.expect(200);
    }
}

async fn an_interrupted_recount_starts_again(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let right = assert_recounted(&workspace).await;
    make_wrong(&environment, &workspace).await;
    // It has read the leads but not the orders.
    let mut pages = 0;
    let statistics = workspace.app.statistics();
    let interrupted = statistics.recount(|_| {
        pages += 1;
        environment.wire().always("Query", Fault::Refused("AccessDeniedException"));
    });
    interrupted.await.unwrap_err();
    assert_eq!(pages, 1);
    environment.wire().reset();
    change_on(&workspace).await;
    process_stream(&environment, &workspace).await;
    workspace.app.statistics().recount(|_| ()).await.unwrap();
    assert_eq!(assert_recounted(&workspace).await.total, right.total + 1);
}

async fn a_recount_stops_when_a_newer_one_has_started(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    live(&workspace).await;
    process_stream(&environment, &workspace).await;
    let statistics = workspace.app.statistics();
    let overtaken = statistics.recount(|_| set_now(&environment, "STATS", "recount", "another"));
    assert!(matches!(overtaken.await, Err(RecountError::Superseded)));
    assert_recounted(&workspace).await;
}

async fn pages_show_how_late_the_statistics_are(environment: TestEnvironment) {
    let seconds = Arc::new(AtomicI64::new(0));
    let (now, clock) = (Timestamp::now(), seconds.clone());
    let clock = Clock::from_fn(move || now + SignedDuration::from_secs(clock.load(Ordering::SeqCst)));
    let workspace = Workspace::open(&environment).await.with_clock(clock);
    let agent = workspace.session(Role::Agent, "Ann").await.always("origin", "http://holdfast.test");
    create(&agent, &new_lead("Lead", "lead@example.com")).await;
    process_stream(&environment, &workspace).await;
    let pages = ["/", "/orders/caps", "/orders/new"];
    let late = async |path: &str| agent.get(path).send().await.expect(200).text().contains(" behind. Recent");
    for path in pages {
        assert!(!late(path).await, "{path}: no reader has reported");
    }
    workspace.app.heartbeats.started(workspace.app.clock.now());
    seconds.store(5, Ordering::SeqCst);
    for path in pages {
        assert!(!late(path).await, "{path}: a delay of five seconds is not shown");
    }
    seconds.store(72, Ordering::SeqCst);
    for path in pages {
        let page = agent.get(path).send().await.expect(200).text().to_owned();
        assert!(page.contains("72 seconds behind."), "{path}");
    }
    let stats: Value = agent.get("/api/leads/stats").send().await.expect(200).json();
    assert_eq!(stats["lateBySeconds"], 72);
    workspace.app.heartbeats.handled(workspace.app.clock.now());
    for path in pages {
        assert!(!late(path).await, "{path}: the reader has caught up");
    }
}
