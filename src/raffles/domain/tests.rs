//! Tests of the purchase rules and of what each person may see.

use jiff::SignedDuration;

use super::*;
use crate::base::identity::{Role, SignedIn, Via};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn new() -> NewRaffle {
    NewRaffle {
        title: "Autumn".parse().unwrap(),
        prize: "A bicycle".parse().unwrap(),
        tickets: 10.try_into().unwrap(),
        limit: 2.try_into().unwrap(),
        closes_at: None,
    }
}

fn seed() -> Seed {
    Seed::new([7; 32])
}

fn raffle() -> Raffle {
    Raffle::open(RaffleId::new(NOW, &[1; 10]), &new(), &seed(), NOW, Actor::new("Ada"))
}

fn person(number: u8, role: Role) -> SignedIn {
    let name = format!("Person {number}").parse().unwrap();
    let email = format!("person{number}@example.com").parse().unwrap();
    SignedIn::new(AccountId::new(NOW, &[number; 10]), name, email, role, Via::Session)
}

fn drawn(winner: &SignedIn) -> Raffle {
    let numbers: Vec<TicketNumber> = vec![3.try_into().unwrap()];
    let (number, list_hash) = draw(&seed(), &numbers).unwrap();
    let winner = Winner { number, holder: winner.id, name: winner.name.clone(), email: winner.email.clone() };
    raffle().closed(Drawn { at: NOW, by: Actor::new("Ada"), winner, seed: seed(), list_hash })
}

#[test]
fn a_refusal_names_the_first_reason_that_is_true() {
    for (asked, held, remaining, expected) in [
        (1, 0, 10, Ok(())),
        (2, 0, 2, Ok(())),
        (1, 1, 1, Ok(())),
        (1, 0, 0, Err("Sold out")),
        (1, 2, 0, Err("Sold out")),
        (1, 2, 5, Err("Limit reached: 2 of 2")),
        (2, 1, 5, Err("Only 1 more: you have 1 of 2")),
        (3, 0, 5, Err("Only 2 more: you have 0 of 2")),
        (2, 0, 1, Err("Only 1 ticket left")),
        (50, 0, 1, Err("Only 2 more: you have 0 of 2")),
    ] {
        let answer = raffle().may_sell(asked, held, remaining, NOW).map_err(PurchaseError::words);
        assert_eq!(answer, expected.map_err(str::to_owned), "{asked} more than {held}, {remaining} left");
    }
    assert_eq!(PurchaseError::OnlyLeft { remaining: 3 }.words(), "Only 3 tickets left");
}

#[test]
fn nothing_is_sold_after_the_draw_or_the_end_of_the_sale() {
    let until = NOW + SignedDuration::from_secs(60);
    let timed = Raffle { closes_at: Some(until), ..raffle() };
    assert_eq!(timed.may_sell(1, 0, 5, NOW), Ok(()));
    assert_eq!(timed.may_sell(1, 0, 5, until), Err(PurchaseError::SaleOver { at: until }));
    assert_eq!(drawn(&person(1, Role::Participant)).may_sell(1, 0, 5, NOW), Err(PurchaseError::Drawn));
    let past = NewRaffle { closes_at: Some(NOW), ..new() };
    assert_eq!(past.check(NOW).unwrap_err().0, "closesAt");
    assert!(NewRaffle { closes_at: Some(until), ..new() }.check(NOW).is_ok() && new().check(NOW).is_ok());
}

#[test]
fn only_administrators_and_the_winner_see_the_winners_name() {
    let (winner, other) = (person(1, Role::Participant), person(2, Role::Participant));
    let (agent, admin) = (person(3, Role::Agent), person(4, Role::Administrator));
    let pool = Pool::new(10.try_into().unwrap());
    for (who, yours, named, address) in [
        (&winner, true, true, false),
        (&other, false, false, false),
        (&agent, false, false, false),
        (&admin, false, true, true),
    ] {
        let state = RaffleState::of(&drawn(&winner), &pool, &Holding::default(), who, NOW);
        let json = serde_json::to_string(&state).unwrap();
        let shown = state.winner.unwrap();
        assert_eq!(shown.number.get(), 3);
        assert_eq!((shown.yours, shown.name.is_some(), shown.email.is_some()), (yours, named, address));
        assert_eq!(json.contains("Person 1"), named, "{json}");
        assert!(!json.contains(&seed().reveal()), "{json}");
    }
}

#[test]
fn a_state_says_how_many_tickets_a_person_may_buy_or_why_none() {
    let who = person(1, Role::Participant);
    let pool = Pool::new(10.try_into().unwrap());
    let state = |pool: &Pool, numbers: &[u32]| {
        let numbers = numbers.iter().map(|number| (*number).try_into().unwrap()).collect();
        RaffleState::of(&raffle(), pool, &Holding { numbers, version: 1 }, &who, NOW)
    };
    let fresh = state(&pool, &[]);
    assert_eq!((fresh.may_buy, fresh.refusal, fresh.remaining, fresh.version), (2, None, 10, 1));
    assert_eq!(fresh.winner, None);
    let full = state(&pool, &[1, 2]);
    assert_eq!((full.may_buy, full.refusal.unwrap().name), (0, "limit-reached"));
    let picks = pool.pick(9, 0, 0).unwrap();
    let last = pool.with(picks.iter().map(|pick| &pick.after));
    let one = state(&last, &[]);
    assert_eq!((one.may_buy, one.remaining, one.sold), (1, 1, 9));
    assert_ne!(one.version, 1);
}

#[test]
fn a_tag_changes_when_the_sale_ends_and_when_the_winner_is_drawn() {
    let until = NOW + SignedDuration::from_secs(60);
    let timed = Raffle { closes_at: Some(until), ..raffle() };
    let pool = Pool::new(10.try_into().unwrap());
    let who = person(1, Role::Participant);
    for (raffle, now, tag) in [
        (&timed, NOW, "1"),
        (&timed, until, "1-over"),
        (&Raffle { closes_at: Some(until), ..drawn(&who) }, until, "2"),
    ] {
        assert_eq!(tag_of(raffle, &pool, now), tag);
        assert_eq!(RaffleState::of(raffle, &pool, &Holding::default(), &who, now).tag(), tag);
    }
}

#[test]
fn a_holding_keeps_its_numbers_in_order() {
    let number = |number: u32| TicketNumber::try_from(number).unwrap();
    let holding = Holding::default().with(&[number(7), number(9)]).with(&[number(2)]);
    assert_eq!(holding.numbers, [number(2), number(7), number(9)]);
    let less = holding.without(number(7)).without(number(8));
    assert_eq!((less.numbers, less.version), (vec![number(2), number(9)], 4));
}
