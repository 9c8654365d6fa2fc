//! Races for leads: many concurrent orders, and orders that are interrupted at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use holdfast::base::identity::Actor;
use holdfast::base::values::OrderId;
use holdfast::leads::domain::{Action, Lead, LeadChange, LeadId, Score, Status, Stock};
use holdfast::leads::list::ListRequest;
use holdfast::leads::{Filter, LeadError};
use holdfast::orders::Found;
use holdfast::orders::domain::{OrderStatus, Release, ReleaseReason};
use holdfast::orders::{OrderError, StateLocks};
use holdfast::store::idempotency::Done;
use holdfast::store::{Select, from_item};

use super::orders::{by, create, find, new_order, of_stock, set_cap, state, stock};
use crate::support::case::scaled;
use crate::support::chance::{AdjustableClock, Dice, a_fault};
use crate::support::workspace::{PATIENCE, Workspace};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::orders::domain::{OrderAction, OrderDetail};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        // On DynamoDB Local 20 orders take longer than an order waits for the locks of its states.
        embedded: orders_in_one_process_wait_for_each_other_without_retries;
        store: forty_concurrent_orders_share_the_oldest_leads_under_the_cap,
            a_large_order_interrupted_at_any_point_leaves_nothing_behind,
            a_large_order_whose_end_is_interrupted_has_ended_for_every_reader,
            an_edit_waits_for_the_order_of_its_lead_and_loses_nothing,
            random_operations_keep_every_lead_accounted_for_once
    ]
}

async fn orders_in_one_process_wait_for_each_other_without_retries(environment: TestEnvironment) {
    let mut workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 60).await;
    stock(&workspace, "CA", 60).await;
    set_cap(&workspace, "NY", 60).await;
    set_cap(&workspace, "CA", 60).await;
    workspace.app.state_locks = Some(StateLocks::default());
    environment.wire().reset();
    let ordering = (0..20).map(|number| {
        let workspace = workspace.clone();
        let states: &[&str] = if number % 2 == 0 { &["NY", "CA"] } else { &["NY"] };
        tokio::spawn(async move { create(&workspace, states, Some(2)).await })
    });
    for answer in join_all(ordering).await {
        let leads = answer.unwrap().unwrap().leads.len();
        assert!(leads == 2 || leads == 4, "{leads} leads");
    }
    assert_eq!(environment.wire().count("TransactWriteItems"), 20, "no order was tried twice");
    assert_eq!(of_stock(&workspace, Stock::Assigned).await.len(), 60);
}

async fn forty_concurrent_orders_share_the_oldest_leads_under_the_cap(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let queue = stock(&workspace, "NY", 240).await;
    set_cap(&workspace, "NY", 200).await;
    let other = workspace.another(&environment, &environment.another_wire(), PATIENCE);
    let ended = Arc::new(AtomicBool::new(false));
    let sampler = {
        let (workspace, ended) = (workspace.clone(), ended.clone());
        tokio::spawn(async move {
            let mut most = 0;
            while !ended.load(Ordering::SeqCst) {
                let caps = workspace.app.orders().caps().await.unwrap();
                most = most.max(caps.states.iter().find(|cap| cap.state == state("NY")).unwrap().out);
            }
            most
        })
    };
    // Forty times seven is more than the cap: 28 orders get seven leads, one gets four, and the others none.
    let ordering = (0..40).map(|number| {
        let workspace = if number % 2 == 0 { workspace.clone() } else { other.clone() };
        tokio::spawn(async move { create(&workspace, &["NY"], Some(7)).await })
    });
    let answers: Vec<_> = join_all(ordering).await.into_iter().map(Result::unwrap).collect();
    ended.store(true, Ordering::SeqCst);
    let most = sampler.await.unwrap();
    assert!(most <= 200, "{most} were in open orders at once");

    let mut given: Vec<usize> = Vec::new();
    let mut union: BTreeSet<LeadId> = BTreeSet::new();
    for answer in answers {
        match answer {
            Ok(detail) => {
                given.push(detail.leads.len());
                for lead in detail.leads {
                    assert!(union.insert(lead.id), "a lead is in two orders");
                }
            }
            Err(OrderError::NothingToGive(given)) => assert_eq!(given[0].already_out, 200, "{given:?}"),
            Err(error) => panic!("{error}"),
        }
    }
    given.sort_unstable();
    assert_eq!((given.len(), given[0]), (29, 4));
    let oldest: BTreeSet<LeadId> = queue[..200].iter().map(|lead| lead.id).collect();
    assert_eq!(union, oldest, "exactly the oldest are in open orders");
    assert_accounted(&workspace, &queue, &["NY"]).await;
}

/// Lets this many transactions of `work` pass and aborts it before the next one is sent.
pub async fn interrupt<T: Send + 'static>(
    wire: &crate::support::connector::Wire,
    passes: usize,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let gates: Vec<_> = (0..=passes).map(|_| wire.hold(1, "TransactWriteItems")).collect();
    let mut task = tokio::spawn(work);
    for (number, gate) in gates.iter().enumerate() {
        tokio::select! {
            done = &mut task => {
                wire.reset();
                return Some(done.unwrap());
            }
            () = gate.arrived(1) => {}
        }
        if number == passes {
            break;
        }
        gate.open();
    }
    task.abort();
    let _ = task.await;
    wire.reset();
    None
}

async fn a_large_order_interrupted_at_any_point_leaves_nothing_behind(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    let mut queue = Vec::new();
    for code in ["NY", "CA"] {
        set_cap(&workspace, code, 100).await;
        queue.extend(stock(&workspace, code, 70).await);
    }
    let mut passes = 0;
    loop {
        let wire = environment.another_wire();
        let mut cut = workspace.another(&environment, &wire, PATIENCE);
        cut.app.clock = test_clock.clock();
        let made = interrupt(&wire, passes, async move { create(&cut, &["NY", "CA"], Some(70)).await }).await;
        let Some(made) = made else {
            // No reader sees any of the writes.
            assert_eq!(of_stock(&workspace, Stock::Assigned).await, [], "after {passes} transactions");
            let caps = workspace.app.orders().caps().await.unwrap();
            assert!(caps.states.iter().all(|cap| cap.out == 0), "after {passes} transactions");
            for before in queue.iter().step_by(23) {
                assert_eq!(workspace.app.leads().find(before.id).await.unwrap(), *before);
                let history = workspace.app.leads().history(before.id, 5, None).await.unwrap();
                assert_eq!(history.items.len(), 1);
            }
            assert_ne!(
                workspace.app.orders().reconciler().reconcile_all().await.unwrap(),
                Found::Ended,
                "its request may still be running"
            );
            test_clock.advance(60);
            workspace.app.orders().reconciler().reconcile_all().await.unwrap();
            assert_eq!(workspace.app.orders().reconciler().reconcile_all().await.unwrap(), Found::Nothing);
            assert_accounted(&workspace, &queue, &["NY", "CA"]).await;
            // The short form tries every third place.
            passes += scaled(3, 1);
            continue;
        };
        assert!(passes >= 4, "an order of 140 leads takes several transactions, not {passes}");
        assert_eq!(made.unwrap().leads.len(), 140);
        assert_accounted(&workspace, &queue, &["NY", "CA"]).await;
        return;
    }
}

async fn a_large_order_whose_end_is_interrupted_has_ended_for_every_reader(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    set_cap(&workspace, "NY", 100).await;
    let queue = stock(&workspace, "NY", 100).await;
    for (round, fulfils) in [(0, false), (1, true)] {
        let made = create(&workspace, &["NY"], None).await.unwrap();
        let id = made.order.id;
        // The order's own transaction and one part of its leads are written.
        let wire = environment.another_wire();
        let mut cut = workspace.another(&environment, &wire, PATIENCE);
        cut.app.clock = test_clock.clock();
        let work = async move {
            if fulfils {
                cut.app.orders().fulfill(id, None, &by(), None).await.map(drop)
            } else {
                cut.app.orders().delete(id, None, &by(), None).await.map(drop)
            }
        };
        assert!(interrupt(&wire, 2, work).await.is_none(), "it needs more than two transactions");
        let (stock, action) = match fulfils {
            true => (Stock::Fulfilled, Action::Fulfilled),
            false => (Stock::Unassigned, Action::Returned),
        };
        for lead in &made.leads {
            let seen = workspace.app.leads().find(lead.id).await.unwrap();
            assert_eq!((seen.stock, seen.version), (stock, lead.version.next()));
        }
        let history = workspace.app.leads().history(made.leads[50].id, 1, None).await.unwrap();
        assert_eq!(history.items[0].action, action);
        let caps = workspace.app.orders().caps().await.unwrap();
        assert!(caps.states.iter().all(|cap| cap.out == 0));
        match find(&workspace, id).await {
            Err(OrderError::NotFound(_)) => assert!(!fulfils),
            found => assert_eq!(found.unwrap().order.status, OrderStatus::Fulfilled),
        }
        // A change of a lead that is not written yet starts from the state that readers see.
        let lead = workspace.app.leads().find(made.leads[99].id).await.unwrap();
        let change =
            LeadChange { lead_score: Some(Score::try_from(33 + round).unwrap()), ..LeadChange::default() };
        let Ok(Done::Now(changed)) =
            workspace.app.leads().update(lead.id, lead.version, &change, &Actor::new("Bob"), None).await
        else {
            panic!("the change waits until the order's end is written")
        };
        assert_eq!((changed.stock, changed.version), (stock, lead.version.next()));
        // The next order finds all leads back in stock, without a sweeper.
        if !fulfils {
            let next = create(&workspace, &["NY"], None).await.unwrap();
            assert_eq!(next.leads.len(), 100);
            workspace.app.orders().delete(next.order.id, None, &by(), None).await.unwrap();
        }
        workspace.app.orders().reconciler().reconcile_all().await.unwrap();
        assert_eq!(workspace.app.orders().reconciler().reconcile_all().await.unwrap(), Found::Nothing);
        assert_accounted(&workspace, &queue, &["NY"]).await;
    }
}

async fn an_edit_waits_for_the_order_of_its_lead_and_loses_nothing(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    set_cap(&workspace, "NY", 100).await;
    let queue = stock(&workspace, "NY", 100).await;
    let wire = environment.another_wire();
    let mut cut = workspace.another(&environment, &wire, PATIENCE);
    cut.app.clock = test_clock.clock();
    assert!(interrupt(&wire, 2, async move { create(&cut, &["NY"], None).await }).await.is_none());
    // Later, without a sweep: an edit of a reserved lead releases the reservation first.
    test_clock.advance(60);
    let change = LeadChange { lead_score: Some(Score::try_from(70).unwrap()), ..LeadChange::default() };
    let lead = &queue[3];
    let done = workspace.app.leads().update(lead.id, lead.version, &change, &Actor::new("Bob"), None).await;
    let Ok(Done::Now(changed)) = done else { panic!("{done:?}") };
    assert_eq!((changed.version, changed.stock), (lead.version.next(), Stock::Unassigned));
    assert_accounted(&workspace, &queue, &["NY"]).await;
    // In an open large order a lead can be edited like any other, and a stale edit is a conflict.
    let made = create(&workspace, &["NY"], None).await.unwrap();
    let lead = &made.leads[3];
    let done = workspace.app.leads().update(lead.id, lead.version, &change, &Actor::new("Bob"), None).await;
    assert!(matches!(done, Ok(Done::Now(_))), "{done:?}");
    let stale = workspace.app.leads().update(lead.id, lead.version, &change, &Actor::new("Bob"), None).await;
    assert!(matches!(stale, Err(LeadError::Conflict(_))), "{stale:?}");
    let moved = LeadChange { state: Some(Some(state("CA"))), ..LeadChange::default() };
    let lead = &made.leads[4];
    let moved = workspace.app.leads().update(lead.id, lead.version, &moved, &Actor::new("Bob"), None).await;
    assert!(matches!(moved, Err(LeadError::RuleViolation(_))), "its state is fixed while it is in an order");
    assert_accounted(&workspace, &queue, &["NY"]).await;
}

const WORKERS: usize = 16;
const STATES: [&str; 3] = ["NY", "CA", "TX"];

async fn random_operations_keep_every_lead_accounted_for_once(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    let mut queue = Vec::new();
    for code in STATES {
        set_cap(&workspace, code, 24).await;
        queue.extend(stock(&workspace, code, 40).await);
    }
    let seed = getrandom::u64().unwrap();
    println!("seed {seed}");
    let queue = Arc::new(queue);
    let workers = (0..WORKERS).map(|number| {
        let wire = environment.another_wire();
        let mut workspace = workspace.another(&environment, &wire, PATIENCE);
        workspace.app.clock = test_clock.clock();
        let (queue, test_clock) = (queue.clone(), test_clock.clone());
        tokio::spawn(async move {
            let mut dice = Dice(seed.wrapping_add(number as u64));
            for _ in 0..scaled(240, 2_000) / WORKERS {
                if dice.roll(4) == 0 {
                    wire.next("TransactWriteItems", a_fault(&mut dice));
                }
                let (mut own, work) = (Dice(dice.roll(usize::MAX) as u64), workspace.clone());
                let leads = queue.clone();
                let mut task = tokio::spawn(async move { operate(&work, &leads, &mut own).await });
                if dice.roll(8) == 0 {
                    // A worker that is killed at any point.
                    let life = Duration::from_millis(dice.roll(40) as u64);
                    if tokio::time::timeout(life, &mut task).await.is_err() {
                        task.abort();
                        // Later operations find that its deadline has passed.
                        test_clock.advance(1);
                    }
                } else {
                    task.await.unwrap();
                }
                wire.reset();
            }
        })
    });
    for worker in join_all(workers).await {
        worker.unwrap();
    }
    test_clock.advance(120);
    while workspace.app.orders().reconciler().reconcile_all().await.unwrap() != Found::Nothing {}
    assert_accounted(&workspace, &queue, &STATES).await;
}

/// One random operation. Only outcomes that the product allows are accepted.
async fn operate(workspace: &Workspace, queue: &[Lead], dice: &mut Dice) {
    let app = &workspace.app;
    match dice.roll(10) {
        0..=2 => {
            let states: Vec<&str> = STATES.into_iter().filter(|_| dice.roll(2) == 0).collect();
            let quantity = [Some(1), Some(2), Some(3), Some(4), Some(12), None][dice.roll(6)];
            if !states.is_empty() {
                accept(app.orders().create(&new_order(&states, quantity), None, &by(), None).await.map(drop));
            }
        }
        3 => {
            if let Some((order, _)) = an_order(workspace, dice).await {
                accept(app.orders().fulfill(order, None, &by(), None).await.map(drop));
            }
        }
        4 | 5 => {
            if let Some((order, _)) = an_order(workspace, dice).await {
                accept(app.orders().delete(order, None, &by(), None).await.map(drop));
            }
        }
        6 => {
            if let Some((order, lead)) = an_order(workspace, dice).await {
                let Ok(found) = app.orders().find(order).await else { return };
                let reason = *dice.pick(&[ReleaseReason::Duplicate, ReleaseReason::BadContact]);
                let release = Release::new(reason, None).unwrap();
                let version = found.order.version;
                accept(app.orders().release(order, lead, version, &release, &by(), None).await.map(drop));
            }
        }
        _ => change_a_lead(workspace, queue, dice).await,
    }
}

async fn change_a_lead(workspace: &Workspace, queue: &[Lead], dice: &mut Dice) {
    let Ok(lead) = workspace.app.leads().find(dice.pick(queue).id).await else { return };
    let mut change = LeadChange { lead_score: Some(Score::try_from(85).unwrap()), ..LeadChange::default() };
    match dice.roll(4) {
        0 => change.status = Some(Status::Converted),
        1 => change.state = Some(Some(state(STATES[dice.roll(STATES.len())]))),
        _ => change.lead_score = Some(Score::try_from(80 + i64::try_from(dice.roll(20)).unwrap()).unwrap()),
    }
    let bob = Actor::new("Bob");
    let done = match lead.stock {
        Stock::Withheld => workspace.app.leads().restock(lead.id, lead.version, &bob, None).await,
        _ => workspace.app.leads().update(lead.id, lead.version, &change, &bob, None).await,
    };
    match done {
        Ok(_) | Err(LeadError::Conflict(_) | LeadError::RuleViolation(_)) => {}
        Err(LeadError::Store(
            holdfast::store::StoreError::Unavailable { .. }
            | holdfast::store::StoreError::OutcomeUnknown { .. },
        )) => {}
        Err(error) => panic!("{error}"),
    }
}

/// An order with an assigned lead, and that lead.
async fn an_order(workspace: &Workspace, dice: &mut Dice) -> Option<(OrderId, LeadId)> {
    let state = Some(state(STATES[dice.roll(STATES.len())]));
    let filter = Filter { stock: Some(Stock::Assigned), state, ..Filter::default() };
    let request = ListRequest { filter, limit: 10, ..ListRequest::default() };
    let leads = workspace.app.leads().list(&request).await.ok()?.leads;
    let lead = leads.get(dice.roll(leads.len().max(1)))?;
    Some((lead.order_id?, lead.id))
}

fn accept(outcome: Result<(), OrderError>) {
    match outcome {
        Ok(())
        | Err(
            OrderError::NotFound(_)
            | OrderError::Conflict(_)
            | OrderError::RuleViolation(_)
            | OrderError::NothingToGive(_)
            | OrderError::Contention
            | OrderError::Store(
                holdfast::store::StoreError::Unavailable { .. }
                | holdfast::store::StoreError::OutcomeUnknown { .. },
            ),
        ) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Every lead is accounted for exactly once: in one open order, delivered by one fulfilled order, free at its place
/// in the queue, or withheld. The counters equal a recount, and the histories agree.
async fn assert_accounted(workspace: &Workspace, leads_known: &[Lead], states: &[&str]) {
    let mut orders_of: BTreeMap<LeadId, OrderDetail> = BTreeMap::new();
    let mut found: BTreeMap<OrderId, Option<OrderDetail>> = BTreeMap::new();
    let mut seen: BTreeMap<LeadId, Lead> = BTreeMap::new();
    for known in leads_known {
        let lead = workspace.app.leads().find(known.id).await.unwrap();
        if let Some(id) = lead.order_id {
            if let std::collections::btree_map::Entry::Vacant(place) = found.entry(id) {
                place.insert(find(workspace, id).await.ok());
            }
            let detail = found[&id].as_ref().unwrap_or_else(|| panic!("lead {} is in no order", lead.id));
            orders_of.insert(lead.id, detail.clone());
        }
        seen.insert(lead.id, lead);
    }
    for detail in found.values().flatten() {
        assert_eq!(detail.order.lead_count as usize, detail.leads.len());
        for lead in &detail.leads {
            assert_eq!(
                seen[&lead.id].order_id,
                Some(detail.order.id),
                "the lead does not name the order that contains it"
            );
        }
        let history = workspace.app.orders().history(detail.order.id, 100, None).await.unwrap().items;
        assert_eq!(history.last().unwrap().action, OrderAction::Created);
        assert_eq!(history[0].version, detail.order.version);
    }
    let mut queued: Vec<LeadId> = Vec::new();
    let caps = workspace.app.orders().caps().await.unwrap();
    for code in states {
        let range = Select::partition(format!("STATE#{code}"), 1_000).begins_with("FREE#");
        let page = workspace.app.dynamo.select(&range).await.unwrap();
        assert!(!page.more);
        for item in page.items {
            let lead: Lead = from_item(item).unwrap();
            assert_eq!(seen[&lead.id], lead, "the queue has the current lead");
            queued.push(lead.id);
        }
        let out =
            seen.values().filter(|lead| lead.stock == Stock::Assigned && lead.state == Some(state(code)));
        let (out, cap) = (out.count(), caps.states.iter().find(|cap| cap.state == state(code)).unwrap());
        assert_eq!(cap.out as usize, out, "leads of {code} in open orders");
        let key = holdfast::store::Key::new(format!("STATE#{code}"), "CAP");
        if let Some(item) = workspace.app.dynamo.get(&key).await.unwrap() {
            let remaining: i64 = item["room"].as_n().unwrap().parse().unwrap();
            assert_eq!(
                remaining,
                i64::from(cap.cap.get()) - i64::from(cap.out),
                "what remains under the cap of {code}"
            );
        }
    }
    queued.sort_unstable();
    let free: Vec<LeadId> =
        seen.values().filter(|lead| lead.stock == Stock::Unassigned).map(|lead| lead.id).collect();
    assert_eq!(queued, free, "the free leads are in the queue, each once");
    for lead in seen.values() {
        let order_status = orders_of.get(&lead.id).map(|detail| {
            let has = detail.leads.iter().filter(|one| one.id == lead.id).count();
            assert_eq!(has, 1, "the order contains the lead once");
            detail.order.status
        });
        let expected = match lead.stock {
            Stock::Unassigned | Stock::Withheld => None,
            Stock::Assigned => Some(OrderStatus::Open),
            Stock::Fulfilled => Some(OrderStatus::Fulfilled),
        };
        assert_eq!(order_status, expected, "{lead:?}");
        assert_history(workspace, lead).await;
    }
}

/// The history of a lead has every version once, and assignments and releases alternate.
async fn assert_history(workspace: &Workspace, lead: &Lead) {
    let (mut entries, mut cursor) = (Vec::new(), None);
    loop {
        let page = workspace.app.leads().history(lead.id, 100, cursor.as_deref()).await.unwrap();
        entries.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    entries.reverse();
    let versions: Vec<u64> = entries.iter().map(|entry| entry.version.get()).collect();
    assert_eq!(versions, (1..=lead.version.get()).collect::<Vec<_>>(), "{}", lead.id);
    let mut holder = None;
    for entry in &entries {
        match entry.action {
            Action::Assigned => {
                assert_eq!(holder, None, "it was free when it was assigned");
                holder = entry.order;
            }
            Action::Released | Action::Returned => {
                assert_eq!(holder, entry.order, "it was released by its order");
                holder = None;
            }
            Action::Fulfilled => assert_eq!(holder, entry.order, "it was delivered by its order"),
            _ => {}
        }
    }
    assert_eq!(holder, lead.order_id, "its history ends in the current order");
}
