//! The statistics: always equal to a recount, even when the stream repeats records.

mod recounts;
mod restored;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::{join, pending};
use holdfast::base::calendar;
use holdfast::base::identity::Role;
use holdfast::leads::domain::{Lead, Stock};
use holdfast::leads::list::ListRequest;
use holdfast::orders::domain::{Release, ReleaseReason};
use holdfast::projections::consume::is_relevant;
use holdfast::stats;
use holdfast::stats::Stats;
use holdfast::store::stream::{Batch, Change};
use holdfast::store::{PollInterval, StreamReader};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::orders::{by, create as create_order, set_cap, stock};
use crate::support::clock::TestClock;
use crate::support::workspace::{TEST_RETRIES, Workspace, address, change, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        store: the_statistics_equal_a_recount_after_all_kinds_of_changes,
            repeated_and_reordered_batches_count_once,
            two_concurrent_readers_count_a_change_once,
            hundreds_of_changes_are_counted_in_full_transactions;
        embedded: pages_show_how_late_the_statistics_are;
        app: daily_counts_follow_new_york_days
    ];
    cases.extend(recounts::all());
    cases.extend(restored::all());
    cases
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
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
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

async fn pages_show_how_late_the_statistics_are(environment: TestEnvironment) {
    let test_clock = TestClock::new();
    let workspace = Workspace::open(&environment).await.with_clock(test_clock.clock());
    let agent = workspace.session(Role::Agent, "Ann").await.always("origin", "http://holdfast.test");
    create(&agent, &new_lead("Lead", "lead@example.com")).await;
    process_stream(&environment, &workspace).await;
    let pages = ["/", "/orders/caps", "/orders/new"];
    let late = async |path: &str| agent.get(path).send().await.expect(200).text().contains(" behind. Recent");
    for path in pages {
        assert!(!late(path).await, "{path}: no reader has reported");
    }
    workspace.app.heartbeats.started(workspace.app.clock.now());
    test_clock.advance(SignedDuration::from_secs(5));
    for path in pages {
        assert!(!late(path).await, "{path}: a delay of five seconds is not shown");
    }
    test_clock.advance(SignedDuration::from_secs(67));
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
