//! Draws that race with purchases and with other draws.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join, join_all};
use holdfast::base::identity::Role;
use holdfast::raffles::RaffleError;
use holdfast::raffles::domain::{PurchaseError, RaffleStatus};

use super::accounted::assert_accounted;
use super::{WRITE, buy, draw, open, people};
use crate::support::case::scaled;
use crate::support::chance::AdjustableClock;
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: twenty_concurrent_draws_have_one_winner,
            a_purchase_during_the_draw_is_in_the_list_or_refused,
            a_draw_succeeds_during_many_purchases,
            a_killed_draw_does_not_block_purchases_for_long
    ]
}

async fn twenty_concurrent_draws_have_one_winner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let admin = workspace.account(Role::Administrator, "Ada").await;
    for _ in 0..5 {
        let id = open(&workspace, 20, 5).await;
        for who in people(&workspace, 3).await {
            buy(&workspace, id, 4, &who).await.unwrap();
        }
        let drawing = (0..20).map(|number| {
            let workspace = if number % 2 == 0 { workspace.clone() } else { other.clone() };
            let admin = admin.clone();
            tokio::spawn(async move { draw(&workspace, id, &admin).await })
        });
        let (mut drawn, mut winners) = (0, BTreeSet::new());
        for answer in join_all(drawing).await {
            let state = match answer.unwrap() {
                Ok(state) => {
                    drawn += 1;
                    state
                }
                Err(RaffleError::Drawn(fresh)) => *fresh,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(state.status, RaffleStatus::Closed);
            winners.insert(state.winner.unwrap().number);
        }
        assert_eq!((drawn, winners.len()), (1, 1));
        let accounted = assert_accounted(&workspace, id).await;
        assert!(accounted.tickets.contains_key(winners.first().unwrap()));
    }
}

async fn a_purchase_during_the_draw_is_in_the_list_or_refused(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let [ann, bob] = [
        workspace.account(Role::Participant, "Ann").await,
        workspace.account(Role::Participant, "Bob").await,
    ];
    let (mut in_time, mut refused) = (0, 0);
    let rounds = scaled(42, 201);
    for round in 0..rounds {
        let id = open(&workspace, 10, 2).await;
        buy(&workspace, id, 1, &ann).await.unwrap();
        // One third of the rounds draws between the purchase's read and its write, one third buys between the
        // draw's read and its write, and one third runs both freely.
        let (bought, drawn) = match round % 3 {
            0 => {
                let gate = wire.hold(1, WRITE);
                let drawing = async {
                    gate.arrived(1).await;
                    let drawn = draw(&workspace, id, &admin).await;
                    gate.open();
                    drawn
                };
                join(buy(&other, id, 1, &bob), drawing).await
            }
            1 => {
                let gate = wire.hold(1, WRITE);
                let buying = async {
                    gate.arrived(1).await;
                    let bought = buy(&workspace, id, 1, &bob).await;
                    gate.open();
                    bought
                };
                join(buying, draw(&other, id, &admin)).await
            }
            _ => join(buy(&workspace, id, 1, &bob), draw(&other, id, &admin)).await,
        };
        let winner = drawn.unwrap().winner.unwrap().number;
        let proof = workspace.app.raffles().proof(id).await.unwrap();
        let verdict = proof.verify().unwrap();
        assert_eq!(verdict.winner, winner);
        match bought {
            Ok(purchase) => {
                in_time += 1;
                assert_eq!(verdict.sold, 2);
                assert!(proof.sold.unwrap().contains(&purchase.numbers[0]));
            }
            Err(RaffleError::Refused { refusal: PurchaseError::Drawn, fresh }) => {
                refused += 1;
                assert_eq!((verdict.sold, fresh.mine.len()), (1, 0));
                assert_eq!(fresh.winner.map(|winner| winner.number), Some(winner));
            }
            Err(error) => panic!("{error}"),
        }
        assert_accounted(&workspace, id).await;
    }
    assert!(in_time >= rounds / 3 && refused >= rounds / 3, "{in_time} in time, {refused} refused");
}

async fn a_draw_succeeds_during_many_purchases(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let id = open(&workspace, 100_000, 50).await;
    let buyers = people(&workspace, 12).await;
    buy(&workspace, id, 1, &buyers[0]).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let buying: Vec<_> = buyers
        .into_iter()
        .map(|who| {
            let (workspace, ended) =
                (workspace.another(&environment, &environment.another_wire(), TEST_RETRIES), ended.clone());
            tokio::spawn(async move {
                while !ended.load(Ordering::SeqCst) {
                    match buy(&workspace, id, 1, &who).await {
                        Ok(_) => {}
                        Err(RaffleError::Refused { refusal: PurchaseError::Drawn, .. }) => return,
                        // The limit is high, but people may reach it. Then they return one ticket and continue.
                        Err(RaffleError::Refused { refusal: PurchaseError::LimitReached { .. }, fresh }) => {
                            let _ = workspace.app.raffles().cancel(id, fresh.mine[0], None, &who, None).await;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let drawn = draw(&workspace, id, &admin).await;
    ended.store(true, Ordering::SeqCst);
    for buyer in join_all(buying).await {
        buyer.unwrap();
    }
    let accounted = assert_accounted(&workspace, id).await;
    assert!(accounted.tickets.contains_key(&drawn.unwrap().winner.unwrap().number));
}

async fn a_killed_draw_does_not_block_purchases_for_long(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let mut workspace = Workspace::open(&environment).await;
    workspace.app.clock = test_clock.clock();
    let wire = environment.another_wire();
    let mut dying = workspace.another(&environment, &wire, TEST_RETRIES);
    dying.app.clock = test_clock.clock();
    let id = open(&workspace, 10, 2).await;
    let admin = workspace.account(Role::Administrator, "Ada").await;
    let [ann, bob] = [
        workspace.account(Role::Participant, "Ann").await,
        workspace.account(Role::Participant, "Bob").await,
    ];
    buy(&workspace, id, 1, &ann).await.unwrap();
    // A purchase overtakes the draw. The draw announces itself and is killed before its retry.
    let closing = wire.hold(1, WRITE);
    let announced = wire.hold(1, WRITE);
    let again = wire.hold(1, WRITE);
    let task = tokio::spawn(async move { draw(&dying, id, &admin).await });
    closing.arrived(1).await;
    // The purchase may take from any block: the draw guards all of them.
    buy(&workspace, id, 1, &bob).await.unwrap();
    closing.open();
    announced.arrived(1).await;
    announced.open();
    again.arrived(1).await;
    task.abort();
    let buying = {
        let workspace = workspace.clone();
        tokio::spawn(async move { buy(&workspace, id, 1, &bob).await })
    };
    environment.wire().reset();
    while environment.wire().count("Query") < 3 {
        tokio::task::yield_now().await;
        assert!(!buying.is_finished(), "the purchase waits for the draw");
    }
    test_clock.advance(10);
    let purchase = buying.await.unwrap().unwrap();
    assert_eq!(purchase.raffle.mine.len(), 2);
    assert_accounted(&workspace, id).await;
}
