//! What readers see during large orders, and which orders wait for each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use holdfast::base::telemetry::SweepFailures;
use holdfast::base::values::Version;
use holdfast::leads::Filter;
use holdfast::leads::domain::{Lead, LeadId};
use holdfast::leads::list::ListRequest;
use holdfast::leads::search::SearchQuery;
use holdfast::orders::OrderError;
use holdfast::projections::sweep::SweepError;
use holdfast::store::{Item, Key, to_item};
use serde_json::json;

use super::order_races::interrupt;
use super::orders::{by, create, set_cap, state, stock};
use crate::support::case::scaled;
use crate::support::chance::{AdjustableClock, Dice};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: readers_never_see_older_versions_during_large_orders,
            an_order_does_not_wait_for_orders_of_other_states;
        embedded: a_large_order_that_cannot_be_reconciled_does_not_block_others,
            an_order_does_not_wait_for_orders_that_cannot_be_read,
            an_order_reports_the_numbers_that_it_read
    ]
}

/// The versions that one reader has read.
#[derive(Default)]
struct SeenVersions(HashMap<LeadId, Version>);

impl SeenVersions {
    fn record(&mut self, how: &str, leads: impl IntoIterator<Item = (LeadId, Version)>) {
        for (id, version) in leads {
            let before = self.0.entry(id).or_insert(version);
            assert!(version >= *before, "{how}: {version} after {before}");
            *before = version;
        }
    }
}

fn versions(leads: &[Lead]) -> Vec<(LeadId, Version)> {
    leads.iter().map(|lead| (lead.id, lead.version)).collect()
}

async fn read_once(workspace: &Workspace, seen: &mut SeenVersions, queue: &[Lead], dice: &mut Dice) {
    let lead = &queue[dice.roll(queue.len())];
    match dice.roll(4) {
        0 => {
            let lead = workspace.app.leads().find(lead.id).await.unwrap();
            seen.record("a single read", [(lead.id, lead.version)]);
        }
        1 => {
            let filter = Filter { state: Some(state("NY")), ..Filter::default() };
            let request = ListRequest { filter, limit: 50, ..ListRequest::default() };
            seen.record("the list", versions(&workspace.app.leads().list(&request).await.unwrap().leads));
        }
        2 => {
            let query = SearchQuery::parse("lead").unwrap();
            let request = ListRequest { query, limit: 50, ..ListRequest::default() };
            seen.record("the search", versions(&workspace.app.leads().list(&request).await.unwrap().leads));
        }
        _ => {
            let history = workspace.app.leads().history(lead.id, 1, None).await.unwrap();
            seen.record("the history", [(lead.id, history.items[0].version)]);
        }
    }
}

async fn readers_never_see_older_versions_during_large_orders(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    set_cap(&workspace, "NY", 45).await;
    let queue = Arc::new(stock(&workspace, "NY", 45).await);
    let (ended, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let ordering = {
        let (workspace, ended, reads) = (workspace.clone(), ended.clone(), reads.clone());
        let end = Instant::now() + Duration::from_secs(scaled(5, 60) as u64);
        tokio::spawn(async move {
            let mut rounds = 0;
            // A slow store needs longer until the readers have read something.
            while Instant::now() < end || rounds < 2 || reads.load(Ordering::SeqCst) < 48 {
                let made = create(&workspace, &["NY"], None).await.unwrap();
                assert_eq!(made.leads.len(), 45);
                workspace.app.orders().delete(made.order.id, None, &by(), None).await.unwrap();
                rounds += 1;
            }
            ended.store(true, Ordering::SeqCst);
        })
    };
    let readers = (0..12).map(|number| {
        let (workspace, queue) = (workspace.clone(), queue.clone());
        let (ended, reads) = (ended.clone(), reads.clone());
        tokio::spawn(async move {
            let (mut seen, mut dice) = (SeenVersions::default(), Dice(number));
            while !ended.load(Ordering::SeqCst) {
                read_once(&workspace, &mut seen, &queue, &mut dice).await;
                reads.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    ordering.await.unwrap();
    for reader in join_all(readers).await {
        reader.unwrap();
    }
}

async fn an_order_does_not_wait_for_orders_of_other_states(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    set_cap(&workspace, "NY", 100).await;
    stock(&workspace, "NY", 100).await;
    let wire = environment.another_wire();
    let mut cut = workspace.another(&environment, &wire, TEST_RETRIES);
    cut.app.clock = test_clock.clock();
    assert!(interrupt(&wire, 2, async move { create(&cut, &["NY"], None).await }).await.is_none());
    // The large order may still be running.
    environment.wire().reset();
    let refused = create(&workspace, &["CA"], Some(1)).await;
    assert!(matches!(refused, Err(OrderError::NothingToGive(_))), "{refused:?}");
    let calls = environment.wire().total();
    assert!(calls <= 3, "{calls} calls: the queue twice and the unfinished orders once");
    stock(&workspace, "CA", 1).await;
    assert_eq!(create(&workspace, &["CA"], Some(3)).await.unwrap().leads.len(), 1);
    // An order that shares a state with it aborts it after its deadline.
    test_clock.advance(60);
    assert_eq!(create(&workspace, &["TX", "NY"], None).await.unwrap().leads.len(), 100);
}

/// A pending large order that cannot be read.
fn broken(number: usize) -> [Item; 2] {
    let id = format!("00000000-0000-7000-8000-{number:012}");
    let pending = to_item(&Key::new("UNSETTLED", format!("ORDER#{id}")), &json!({})).unwrap();
    let order = to_item(&Key::new(format!("ORDER#{id}"), "ORDER"), &json!({ "stage": "PREPARING" })).unwrap();
    [pending, order]
}

/// Inserts items that say that they have this schema.
async fn insert(environment: &TestEnvironment, items: impl Iterator<Item = Item>, schema: &str) {
    let items = items.map(|mut item| {
        item.insert("schema".to_owned(), AttributeValue::N(schema.to_owned()));
        let leak = |(name, value): (String, _)| (Box::leak(name.into_boxed_str()) as &'static str, value);
        item.into_iter().map(leak).collect()
    });
    environment.insert_items(items.collect()).await;
}

async fn an_order_does_not_wait_for_orders_that_cannot_be_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    // One is damaged. A later version wrote the other one, with its pending item.
    insert(&environment, broken(1).into_iter(), "2").await;
    insert(&environment, broken(2).into_iter(), "9").await;
    environment.wire().reset();
    let refused = create(&workspace, &["CA"], Some(1)).await;
    assert!(matches!(refused, Err(OrderError::NothingToGive(_))), "{refused:?}");
    let calls = environment.wire().total();
    assert!(calls <= 5, "{calls} calls: the queue twice, the unfinished orders and each of them once");

    let swept = workspace.app.projections().sweep().await;
    let Err(SweepError::Steps { failures, .. }) = swept else { panic!("{swept:?}") };
    assert_eq!(failures, SweepFailures { orders: 2, rules: 0, runs: 0 });
}

async fn a_large_order_that_cannot_be_reconciled_does_not_block_others(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    set_cap(&workspace, "NY", 100).await;
    let queue = stock(&workspace, "NY", 100).await;
    insert(&environment, (0..130).flat_map(broken), "2").await;
    let wire = environment.another_wire();
    let mut cut = workspace.another(&environment, &wire, TEST_RETRIES);
    cut.app.clock = test_clock.clock();
    assert!(interrupt(&wire, 2, async move { create(&cut, &["NY"], None).await }).await.is_none());
    test_clock.advance(60);
    assert!(
        workspace.app.orders().reconciler().reconcile_all().await.is_err(),
        "unreadable orders are reported"
    );
    let leads = workspace.app.leads();
    let free = queue.iter().map(|lead| leads.find(lead.id));
    for lead in join_all(free).await {
        assert_eq!(lead.unwrap().version, Version::FIRST);
    }
    assert_eq!(create(&workspace, &["NY"], None).await.unwrap().leads.len(), 100);
    assert!(workspace.app.orders().reconciler().reconcile_all().await.is_err());
}

async fn an_order_reports_the_numbers_that_it_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 12).await;
    stock(&workspace, "CA", 50).await;
    for there in [12, 8] {
        let given = create(&workspace, &["NY"], Some(4)).await.unwrap().order.given;
        assert_eq!((given[0].in_stock, given[0].more_in_stock, given[0].given), (there, false, 4));
    }
    let given = create(&workspace, &["CA"], Some(4)).await.unwrap().order.given;
    assert!(given[0].more_in_stock && (32..50).contains(&given[0].in_stock), "{given:?}");
    assert_eq!(given[0].in_stock_words(), format!("{}+", given[0].in_stock));
}
