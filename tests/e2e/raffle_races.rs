//! Races for tickets: crowds, retries, returned tickets, and a draw during purchases.

mod accounted;
mod draws;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use holdfast::base::identity::{Role, SignedIn};
use holdfast::raffles::RaffleError;
use holdfast::raffles::buy::Purchase;
use holdfast::raffles::domain::{
    NewRaffle, PurchaseError, Quantity, RaffleId, RaffleState, RaffleStatus, TicketNumber,
};
use holdfast::store::StoreError;
use holdfast::store::idempotency::Done;
use serde_json::{Value, json};

use self::accounted::assert_accounted;
use crate::support::chance::{Dice, a_fault};
use crate::support::http::Response;
use crate::support::workspace::{TEST_RETRIES, UNDER_LOAD, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        store: exactly_100_of_150_concurrent_purchases_succeed_and_refusals_are_correct,
            concurrent_purchases_sell_out_although_the_store_keeps_failing,
            concurrent_purchases_of_the_last_tickets_succeed_or_are_correctly_refused,
            a_ticket_returned_during_a_purchase_is_found_before_sold_out_is_answered,
            ten_concurrent_returns_of_a_ticket_return_it_once,
            random_purchases_returns_and_a_draw_keep_every_ticket_accounted_for_once
    ];
    cases.extend(draws::all());
    cases
}

const WRITE: &str = "TransactWriteItems";

async fn open(workspace: &Workspace, tickets: u32, limit: u32) -> RaffleId {
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let new = NewRaffle {
        title: "Autumn".parse().unwrap(),
        prize: "A bicycle".parse().unwrap(),
        tickets: tickets.try_into().unwrap(),
        limit: limit.try_into().unwrap(),
        closes_at: None,
    };
    now(workspace.app.raffles().create(&new, &admin, None).await.unwrap()).id
}

fn now<T>(done: Done<T>) -> T {
    match done {
        Done::Now(made) => made,
        Done::Replayed(answer) => panic!("it was done earlier: {answer:?}"),
    }
}

async fn people(workspace: &Workspace, count: usize) -> Vec<SignedIn> {
    join_all((0..count).map(|number| {
        let workspace = workspace.clone();
        async move { workspace.account(Role::Participant, &format!("Person {number}")).await }
    }))
    .await
}

async fn buy(
    workspace: &Workspace,
    id: RaffleId,
    quantity: u32,
    who: &SignedIn,
) -> Result<Purchase, RaffleError> {
    workspace.app.raffles().buy(id, quantity.try_into().unwrap(), who, None).await.map(now)
}

async fn draw(workspace: &Workspace, id: RaffleId, who: &SignedIn) -> Result<RaffleState, RaffleError> {
    workspace.app.raffles().draw(id, who, None).await.map(now)
}

/// 50 people each try to buy one ticket three times, all at once, over two instances.
async fn crowd(instances: [&Workspace; 2], id: RaffleId) -> Vec<Response> {
    let tokens: Vec<String> = join_all((0..50).map(|number| {
        let workspace = instances[0].clone();
        async move { workspace.token(Role::Participant, &format!("Person {number}")).await }
    }))
    .await;
    let path = format!("/api/raffles/{id}/tickets");
    let buying = (0..150).map(|number| {
        let (client, path) = (instances[number % 2].bearer(&tokens[number % 50]), path.clone());
        tokio::spawn(async move { client.post(&path).json(&json!({ "quantity": 1 })).send().await })
    });
    join_all(buying).await.into_iter().map(Result::unwrap).collect()
}

/// Checks that exactly 100 are sold and 50 refused, and that each answer is consistent.
async fn assert_sold_out(workspace: &Workspace, id: RaffleId, answers: Vec<Response>) {
    let (mut numbers, mut refused) = (BTreeSet::new(), 0);
    for answer in answers {
        let status = answer.status.as_u16();
        let body: Value = answer.json();
        if status == 201 {
            let number = body["numbers"][0].as_u64().unwrap();
            assert_eq!(body["numbers"].as_array().unwrap().len(), 1);
            assert!(body["raffle"]["mine"].as_array().unwrap().contains(&json!(number)));
            assert!(numbers.insert(number), "a number was sold twice");
            continue;
        }
        assert_eq!(status, 409, "{body}");
        refused += 1;
        let fresh = &body["fresh"];
        match body["type"].as_str().unwrap() {
            "urn:holdfast:problem:limit-reached" => {
                assert_eq!(fresh["mine"].as_array().unwrap().len(), 2);
                assert!(body["detail"].as_str().unwrap().starts_with("Limit reached: 2 of 2"), "{body}");
            }
            "urn:holdfast:problem:sold-out" => {
                assert_eq!((&fresh["remaining"], &fresh["sold"]), (&json!(0), &json!(100)))
            }
            other => panic!("{other} is not true"),
        }
    }
    assert_eq!(refused, 50);
    assert_eq!(numbers, (1..=100).collect());
    let accounted = assert_accounted(workspace, id).await;
    assert_eq!(accounted.tickets.len(), 100);
    assert!(accounted.holdings.values().all(|holding| holding.count() == 2), "no one has more than two");
}

async fn exactly_100_of_150_concurrent_purchases_succeed_and_refusals_are_correct(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let [one, other] =
        [0, 1].map(|_| workspace.another(&environment, &environment.another_wire(), UNDER_LOAD));
    let id = open(&workspace, 100, 2).await;
    let answers = crowd([&one, &other], id).await;
    assert_sold_out(&workspace, id, answers).await;
}

async fn concurrent_purchases_sell_out_although_the_store_keeps_failing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let wires = [environment.another_wire(), environment.another_wire()];
    let [one, other] = [0, 1].map(|number| workspace.another(&environment, &wires[number], UNDER_LOAD));
    let id = open(&workspace, 100, 2).await;
    let mut dice = Dice(7);
    for wire in &wires {
        for _ in 0..120 {
            wire.next(WRITE, a_fault(&mut dice));
        }
        wire.times(10, "Query", Fault::Throttled);
        wire.times(10, "GetItem", Fault::StatusAfterCommit(500));
    }
    // Creating the people takes some of the faults.
    let answers = crowd([&one, &other], id).await;
    assert_sold_out(&workspace, id, answers).await;
}

async fn concurrent_purchases_of_the_last_tickets_succeed_or_are_correctly_refused(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, 9, 4).await;
    let people = people(&workspace, 30).await;
    let buying = people.into_iter().enumerate().map(|(number, who)| {
        let workspace = workspace.clone();
        let quantity = 1 + u32::try_from(number % 4).unwrap();
        tokio::spawn(async move { (quantity, buy(&workspace, id, quantity, &who).await) })
    });
    let (mut sold, mut refused) = (0, Vec::new());
    for answer in join_all(buying).await {
        match answer.unwrap() {
            (quantity, Ok(purchase)) => {
                assert_eq!(purchase.numbers.len(), quantity as usize, "all requested tickets or none");
                sold += quantity;
            }
            (quantity, Err(RaffleError::Refused { refusal, fresh })) => {
                match refusal {
                    PurchaseError::SoldOut => assert_eq!(fresh.remaining, 0),
                    PurchaseError::OnlyLeft { remaining } => assert!((1..quantity).contains(&remaining)),
                    refusal => panic!("{refusal:?} is not true"),
                }
                refused.push(quantity);
            }
            (_, Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(assert_accounted(&workspace, id).await.tickets.len(), sold as usize);
    assert!(refused.iter().all(|quantity| *quantity > 9 - sold), "{refused:?} refused, {sold} of 9 sold");
}

async fn a_ticket_returned_during_a_purchase_is_found_before_sold_out_is_answered(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let id = open(&workspace, 8, 8).await;
    let [ann, bob] = [
        workspace.account(Role::Participant, "Ann").await,
        workspace.account(Role::Participant, "Bob").await,
    ];
    buy(&workspace, id, 8, &ann).await.unwrap();
    // Bob's first read finds nothing left. Before his second read, Ann returns a ticket.
    let first = wire.hold(1, "Query");
    let second = wire.hold(1, "Query");
    let buying = {
        let bob = bob.clone();
        tokio::spawn(async move { buy(&other, id, 1, &bob).await })
    };
    first.arrived(1).await;
    first.open();
    second.arrived(1).await;
    workspace.app.raffles().cancel(id, TicketNumber::try_from(3).unwrap(), None, &ann, None).await.unwrap();
    second.open();
    let purchase = buying.await.unwrap().unwrap();
    assert_eq!(purchase.numbers, [TicketNumber::try_from(3).unwrap()]);
    assert_accounted(&workspace, id).await;
    let error = buy(&workspace, id, 1, &bob).await.unwrap_err();
    assert!(matches!(error, RaffleError::Refused { refusal: PurchaseError::SoldOut, .. }), "{error}");
}

async fn ten_concurrent_returns_of_a_ticket_return_it_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, 10, 3).await;
    let ann = workspace.account(Role::Participant, "Ann").await;
    let number = buy(&workspace, id, 3, &ann).await.unwrap().numbers[1];
    let returning = (0..10).map(|_| {
        let (workspace, ann) = (workspace.clone(), ann.clone());
        tokio::spawn(async move { workspace.app.raffles().cancel(id, number, None, &ann, None).await })
    });
    let (mut done, mut gone) = (0, 0);
    for answer in join_all(returning).await {
        match answer.unwrap() {
            Ok(canceled) => {
                let state = canceled.now().unwrap();
                done += 1;
                assert_eq!((state.mine.len(), state.remaining, state.may_buy), (2, 8, 1));
            }
            Err(RaffleError::NoSuchTicket(_)) => gone += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((done, gone), (1, 9));
    assert_eq!(assert_accounted(&workspace, id).await.tickets.len(), 2);
}

const WORKERS: usize = 8;
const OPERATIONS: usize = 40;

async fn random_purchases_returns_and_a_draw_keep_every_ticket_accounted_for_once(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let id = open(&workspace, 23, 5).await;
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let people = Arc::new(people(&workspace, 6).await);
    let seed = getrandom::u64().unwrap();
    println!("seed {seed}");
    let workers = (0..WORKERS).map(|number| {
        let wire = environment.another_wire();
        let workspace = workspace.another(&environment, &wire, TEST_RETRIES);
        let (people, admin) = (people.clone(), admin.clone());
        tokio::spawn(async move {
            let mut dice = Dice(seed.wrapping_add(number as u64));
            for step in 0..OPERATIONS {
                if dice.roll(4) == 0 {
                    wire.next(WRITE, a_fault(&mut dice));
                }
                if number == 0 && step == OPERATIONS * 3 / 4 {
                    match draw(&workspace, id, &admin).await {
                        Ok(_) | Err(RaffleError::NothingSold) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                operate(&workspace, id, &people, &mut dice).await;
                wire.reset();
            }
        })
    });
    for worker in join_all(workers).await {
        worker.unwrap();
    }
    let accounted = assert_accounted(&workspace, id).await;
    let proof = workspace.app.raffles().proof(id).await.unwrap();
    if proof.status == RaffleStatus::Closed {
        assert_eq!(proof.verify().unwrap().sold, accounted.tickets.len());
    }
}

/// One random operation. Only outcomes that the product allows are accepted.
async fn operate(workspace: &Workspace, id: RaffleId, people: &[SignedIn], dice: &mut Dice) {
    let who = dice.pick(people).clone();
    let outcome = if dice.roll(3) == 0 {
        let Ok(state) = workspace.app.raffles().read(id, &who).await else { return };
        if state.mine.is_empty() {
            return;
        }
        let number = *dice.pick(&state.mine);
        workspace.app.raffles().cancel(id, number, None, &who, None).await.map(drop)
    } else {
        let quantity = Quantity::try_from(1 + u32::try_from(dice.roll(3)).unwrap()).unwrap();
        workspace.app.raffles().buy(id, quantity, &who, None).await.map(drop)
    };
    match outcome {
        Ok(())
        | Err(
            RaffleError::Refused { .. }
            | RaffleError::Drawn(_)
            | RaffleError::NoSuchTicket(_)
            | RaffleError::Contention
            | RaffleError::Store(StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. }),
        ) => {}
        Err(error) => panic!("{error}"),
    }
}
