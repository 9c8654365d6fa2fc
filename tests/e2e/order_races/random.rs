//! Random operations of many workers, with faults and kills.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use holdfast::base::identity::Actor;
use holdfast::base::values::OrderId;
use holdfast::leads::domain::{Lead, LeadChange, LeadId, Score, Status, Stock};
use holdfast::leads::list::ListRequest;
use holdfast::leads::{Filter, LeadError};
use holdfast::orders::domain::{Release, ReleaseReason};
use holdfast::orders::{Found, OrderError};

use super::accounted::assert_accounted;
use crate::orders::{by, new_order, set_cap, state, stock};
use crate::support::case::scaled;
use crate::support::chance::{AdjustableClock, Dice, a_fault};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![store: random_operations_keep_every_lead_accounted_for_once]
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
        let mut workspace = workspace.another(&environment, &wire, TEST_RETRIES);
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
