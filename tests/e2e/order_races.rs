//! Races for leads: many concurrent orders, and orders that are interrupted at any point.

mod accounted;
mod random;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use holdfast::base::identity::Actor;
use holdfast::leads::LeadError;
use holdfast::leads::domain::{Action, LeadChange, LeadId, Score, Stock};
use holdfast::orders::domain::OrderStatus;
use holdfast::orders::{Found, OrderError, StateLocks};
use holdfast::store::idempotency::Done;

use self::accounted::assert_accounted;
use super::orders::{by, create, find, of_stock, set_cap, state, stock};
use crate::support::case::scaled;
use crate::support::chance::AdjustableClock;
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        // On DynamoDB Local 20 orders take longer than an order waits for the locks of its states.
        embedded: orders_in_one_process_wait_for_each_other_without_retries;
        store: forty_concurrent_orders_share_the_oldest_leads_under_the_cap,
            a_large_order_interrupted_at_any_point_leaves_nothing_behind,
            a_large_order_whose_end_is_interrupted_has_ended_for_every_reader,
            an_edit_waits_for_the_order_of_its_lead_and_loses_nothing
    ];
    cases.extend(random::all());
    cases
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
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
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
        let mut cut = workspace.another(&environment, &wire, TEST_RETRIES);
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
        let mut cut = workspace.another(&environment, &wire, TEST_RETRIES);
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
    let mut cut = workspace.another(&environment, &wire, TEST_RETRIES);
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
