//! What readers see while large orders come and go, and what orders wait for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use holdfast::dynamo::{Item, Key, to_item};
use holdfast::leads::Filter;
use holdfast::leads::domain::{Lead, LeadId};
use holdfast::leads::list::{ListRequest, list};
use holdfast::leads::search::Query;
use holdfast::leads::store as leads;
use holdfast::orders::OrderError;
use holdfast::orders::store as orders;
use holdfast::values::Version;
use serde_json::json;

use super::order_races::cut_off;
use super::orders::{by, create, set_cap, state, stock};
use crate::support::chance::{Dice, Hands};
use crate::support::desk::{Desk, PATIENCE};
use crate::support::story::scaled;
use crate::support::{Story, World, stories};

/// The stories of this module.
pub fn all() -> Vec<Story> {
    stories![
        store: versions_never_fall_for_readers_while_large_orders_come_and_go,
            an_order_waits_for_no_order_of_other_states;
        embedded: a_large_order_that_cannot_be_settled_keeps_no_other_back,
            an_order_says_how_many_there_were_as_it_saw_them
    ]
}

/// The versions that one reader has seen.
#[derive(Default)]
struct Seen(HashMap<LeadId, Version>);

impl Seen {
    fn see(&mut self, how: &str, leads: impl IntoIterator<Item = (LeadId, Version)>) {
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

async fn read_once(desk: &Desk, seen: &mut Seen, queue: &[Lead], dice: &mut Dice) {
    let lead = &queue[dice.roll(queue.len())];
    match dice.roll(4) {
        0 => {
            let lead = leads::find(&desk.app, lead.id).await.unwrap();
            seen.see("a single read", [(lead.id, lead.version)]);
        }
        1 => {
            let filter = Filter { state: Some(state("NY")), ..Filter::default() };
            let request = ListRequest { filter, limit: 50, ..ListRequest::default() };
            seen.see("the list", versions(&list(&desk.app, &request).await.unwrap().leads));
        }
        2 => {
            let query = Query::parse("lead").unwrap();
            let request = ListRequest { query, limit: 50, ..ListRequest::default() };
            seen.see("the search", versions(&list(&desk.app, &request).await.unwrap().leads));
        }
        _ => {
            let history = leads::history(&desk.app, lead.id, 1, None).await.unwrap();
            seen.see("the history", [(lead.id, history.entries[0].version)]);
        }
    }
}

async fn versions_never_fall_for_readers_while_large_orders_come_and_go(world: World) {
    let desk = Desk::open(&world).await;
    set_cap(&desk, "NY", 45).await;
    let queue = Arc::new(stock(&desk, "NY", 45).await);
    let (ended, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let ordering = {
        let (desk, ended, rounds) = (desk.clone(), ended.clone(), rounds.clone());
        let end = Instant::now() + Duration::from_secs(scaled(5, 60) as u64);
        tokio::spawn(async move {
            while Instant::now() < end || rounds.load(Ordering::SeqCst) < 2 {
                let made = create(&desk, &["NY"], None).await.unwrap();
                assert_eq!(made.leads.len(), 45);
                orders::delete(&desk.app, made.order.id, None, &by(), None).await.unwrap();
                rounds.fetch_add(1, Ordering::SeqCst);
            }
            ended.store(true, Ordering::SeqCst);
        })
    };
    let readers = (0..12).map(|number| {
        let (desk, queue, ended) = (desk.clone(), queue.clone(), ended.clone());
        tokio::spawn(async move {
            let (mut seen, mut dice, mut reads) = (Seen::default(), Dice(number), 0);
            while !ended.load(Ordering::SeqCst) {
                read_once(&desk, &mut seen, &queue, &mut dice).await;
                reads += 1;
            }
            reads
        })
    });
    let readers: Vec<_> = readers.collect();
    ordering.await.unwrap();
    let reads: usize = join_all(readers).await.into_iter().map(Result::unwrap).sum();
    let rounds = rounds.load(Ordering::SeqCst);
    assert!(rounds >= 2 && reads > 24, "{reads} reads during {rounds} orders");
}

async fn an_order_waits_for_no_order_of_other_states(world: World) {
    let hands = Hands::default();
    let mut desk = Desk::open(&world).await;
    desk.app.clock = hands.clock();
    set_cap(&desk, "NY", 100).await;
    stock(&desk, "NY", 100).await;
    let wire = world.another_wire();
    let mut cut = desk.another(&world, &wire, PATIENCE);
    cut.app.clock = hands.clock();
    assert!(cut_off(&wire, 2, async move { create(&cut, &["NY"], None).await }).await.is_none());
    // The request of the large order may still be at it.
    world.wire().reset();
    let refused = create(&desk, &["CA"], Some(1)).await;
    assert!(matches!(refused, Err(OrderError::NothingToGive(_))), "{refused:?}");
    let calls = world.wire().total();
    assert!(calls <= 3, "{calls} calls: the queue twice, and what is unfinished once");
    stock(&desk, "CA", 1).await;
    assert_eq!(create(&desk, &["CA"], Some(3)).await.unwrap().leads.len(), 1);
    // One of both states settles it once its time is over.
    hands.forward(60);
    assert_eq!(create(&desk, &["TX", "NY"], None).await.unwrap().leads.len(), 100);
}

/// The mark of a large order that is being written, whose order cannot be read.
fn broken(number: usize) -> [Item; 2] {
    let id = format!("00000000-0000-7000-8000-{number:012}");
    let mark = to_item(&Key::new("UNSETTLED", format!("ORDER#{id}")), &json!({})).unwrap();
    let order = to_item(&Key::new(format!("ORDER#{id}"), "ORDER"), &json!({ "stage": "PREPARING" })).unwrap();
    [mark, order]
}

async fn a_large_order_that_cannot_be_settled_keeps_no_other_back(world: World) {
    let hands = Hands::default();
    let mut desk = Desk::open(&world).await;
    desk.app.clock = hands.clock();
    set_cap(&desk, "NY", 100).await;
    let queue = stock(&desk, "NY", 100).await;
    let broken: Vec<_> = (0..130)
        .flat_map(broken)
        .map(|mut item| {
            item.insert("schema".to_owned(), AttributeValue::N("2".to_owned()));
            item.into_iter()
                .map(|(name, value)| (Box::leak(name.into_boxed_str()) as &'static str, value))
                .collect()
        })
        .collect();
    world.pour(broken).await;
    let wire = world.another_wire();
    let mut cut = desk.another(&world, &wire, PATIENCE);
    cut.app.clock = hands.clock();
    assert!(cut_off(&wire, 2, async move { create(&cut, &["NY"], None).await }).await.is_none());
    hands.forward(60);
    assert!(orders::help(&desk.app).await.is_err(), "what is broken is said");
    let free = queue.iter().map(|lead| leads::find(&desk.app, lead.id));
    for lead in join_all(free).await {
        assert_eq!(lead.unwrap().version, Version::FIRST);
    }
    assert_eq!(create(&desk, &["NY"], None).await.unwrap().leads.len(), 100);
    assert!(orders::help(&desk.app).await.is_err());
}

async fn an_order_says_how_many_there_were_as_it_saw_them(world: World) {
    let desk = Desk::open(&world).await;
    stock(&desk, "NY", 12).await;
    stock(&desk, "CA", 50).await;
    for there in [12, 8] {
        let given = create(&desk, &["NY"], Some(4)).await.unwrap().order.given;
        assert_eq!((given[0].in_stock, given[0].more_in_stock, given[0].given), (there, false, 4));
    }
    let given = create(&desk, &["CA"], Some(4)).await.unwrap().order.given;
    assert!(given[0].more_in_stock && (32..50).contains(&given[0].in_stock), "{given:?}");
    assert_eq!(given[0].in_stock_words(), format!("{}+", given[0].in_stock));
}
