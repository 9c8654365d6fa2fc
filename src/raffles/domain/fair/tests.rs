//! The draw against its published test vectors, against a second implementation, and against chance.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::base::identity::Actor;
use crate::raffles::domain::{Drawn, NewRaffle, Winner};

fn numbers(numbers: impl IntoIterator<Item = u32>) -> Vec<TicketNumber> {
    numbers.into_iter().map(|number| number.try_into().unwrap()).collect()
}

/// Returns one of a fixed series of seeds, so that the statistical tests are deterministic.
fn seed(number: u32) -> Seed {
    Seed::new(Sha256::digest(number.to_be_bytes()).into())
}

fn counting_seed() -> Seed {
    Seed::new(std::array::from_fn(|at| at as u8))
}

#[test]
fn a_draw_matches_the_published_test_vector() {
    let seed = counting_seed();
    assert_eq!(
        seed.commitment().to_string(),
        "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
    );
    let (winner, list_hash) = draw(&seed, &numbers([2, 3, 5, 7, 11])).unwrap();
    assert_eq!(
        (list_hash.to_string().as_str(), winner.get()),
        ("563d8e0603dcc07d784135d99fd81ff6bf98495e898ec1f52e2e7605320cf6dc", 3)
    );
}

#[test]
fn a_draw_matches_the_second_test_vector_which_discards_a_hash() {
    let (winner, list_hash) = draw(&counting_seed(), &numbers([10, 20, 30])).unwrap();
    assert_eq!(
        (list_hash.to_string().as_str(), winner.get()),
        ("a1852ec81c3b20981618e10c24edce1a85ba43ef5f09aaf13bd44d6a715ed5b5", 10)
    );
    // The first hash gives place 3, which is out of range for three tickets counted from 0.
    let bytes = [&counting_seed().0[..], &list_hash.0, &[0; 4]].concat();
    assert_eq!(Sha256::digest(bytes)[7] & 0b11, 3);
}

#[test]
fn the_documentation_contains_the_test_vectors() {
    let document = include_str!("../../../../docs/raffle-proof.md");
    let seed = counting_seed();
    assert!(document.contains(&seed.reveal()) && document.contains(&seed.commitment().to_string()));
    assert!(document.contains(Proof::METHOD));
    for (sold, named) in [(&[2, 3, 5, 7, 11][..], "2, 3, 5, 7, 11"), (&[10, 20, 30], "10, 20, 30")] {
        let (winner, list_hash) = draw(&seed, &numbers(sold.iter().copied())).unwrap();
        let row = document.lines().find(|line| line.starts_with(&format!("| {named} |"))).unwrap();
        assert!(row.contains(&list_hash.to_string()) && row.ends_with(&format!(" {winner} |")), "{row}");
    }
}

#[test]
fn a_thousand_draws_of_ten_tickets_are_uniform() {
    assert_uniform(10, 1_000, 27.877);
}

#[test]
fn draws_are_uniform_if_the_number_of_tickets_is_not_a_power_of_two() {
    // Chi-square bounds at p = 0.001, with degrees of freedom one less than the number of tickets: NIST/SEMATECH
    // e-Handbook of Statistical Methods, 1.3.6.7.4.
    for (tickets, bound) in
        [(2, 10.828), (3, 13.816), (5, 18.467), (6, 20.515), (7, 22.458), (11, 29.588), (13, 32.909)]
    {
        assert_uniform(tickets, 3_000, bound);
    }
    for (tickets, bound) in [(33, 62.487), (51, 86.661), (100, 148.230)] {
        assert_uniform(tickets, 20_000, bound);
    }
}

/// Draws many times with fixed seeds and checks that each ticket wins about equally often.
fn assert_uniform(tickets: u32, draws: u32, bound: f64) {
    // The list has gaps, as canceled tickets leave them.
    let sold = numbers((0..tickets).map(|at| 3 * at + 1));
    let mut won: BTreeMap<TicketNumber, u32> = BTreeMap::new();
    for number in 0..draws {
        let (winner, _) = draw(&seed(number), &sold).unwrap();
        assert!(sold.contains(&winner), "{winner} was not sold");
        *won.entry(winner).or_default() += 1;
    }
    let expected = f64::from(draws) / f64::from(tickets);
    let square = |number| (f64::from(won.get(number).copied().unwrap_or(0)) - expected).powi(2) / expected;
    let chi: f64 = sold.iter().map(square).sum();
    assert!(chi < bound, "{tickets} tickets: chi-square is {chi}, and {bound} is the bound");
}

#[test]
fn without_tickets_there_is_no_winner_and_a_single_ticket_always_wins() {
    assert_eq!(draw(&seed(1), &[]), None);
    for number in 0..50 {
        assert_eq!(draw(&seed(number), &numbers([42])).unwrap().0.get(), 42);
    }
}

#[test]
fn a_seed_is_not_printed() {
    let seed = counting_seed();
    assert_eq!(format!("{seed:?}"), "Seed(…)");
    let json = serde_json::to_value(&seed).unwrap();
    assert_eq!(json, seed.reveal());
    assert_eq!(serde_json::from_value::<Seed>(json).unwrap(), seed);
    for text in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        assert!(serde_json::from_value::<Digest>(text.into()).is_err(), "{text}");
    }
}

fn raffle(seed: &Seed) -> Raffle {
    let new = NewRaffle {
        title: "Autumn".parse().unwrap(),
        prize: "A bicycle".parse().unwrap(),
        tickets: 100.try_into().unwrap(),
        limit: 2.try_into().unwrap(),
        closes_at: None,
    };
    let now = Timestamp::UNIX_EPOCH;
    Raffle::open(RaffleId::new(now, &[1; 10]), &new, seed, now, Actor::new("Ann"))
}

fn proof() -> Proof {
    let (seed, sold) = (counting_seed(), numbers([2, 3, 5, 7, 11]));
    let (number, list_hash) = draw(&seed, &sold).unwrap();
    let winner = Winner {
        number,
        holder: crate::base::identity::AccountId::new(Timestamp::UNIX_EPOCH, &[2; 10]),
        name: "Bob".parse().unwrap(),
        email: "bob@example.com".parse().unwrap(),
    };
    let raffle = raffle(&seed);
    let drawn = Drawn { at: Timestamp::UNIX_EPOCH, by: Actor::new("Ann"), winner, seed, list_hash };
    Proof::of(&raffle.closed(drawn), sold)
}

#[test]
fn a_proof_verifies_after_serialization() {
    let proof = proof();
    let file = serde_json::to_string_pretty(&proof).unwrap();
    let read: Proof = serde_json::from_str(&file).unwrap();
    let verdict = read.verify().unwrap();
    assert_eq!((verdict.sold, Some(verdict.winner)), (5, proof.winner));
    assert!(!file.contains("Bob") && !file.contains("bob@"), "{file}");
}

#[test]
fn a_proof_before_the_draw_hides_the_seed() {
    let seed = counting_seed();
    let proof = Proof::of(&raffle(&seed), numbers([1]));
    let file = serde_json::to_string(&proof).unwrap();
    assert!(!file.contains(&seed.reveal()) && file.contains(&seed.commitment().to_string()), "{file}");
    assert_eq!(proof.verify(), Err(ProofError::NotDrawn));
}

#[test]
fn verification_detects_every_change() {
    let right = proof();
    let changed = |change: fn(&mut Proof)| {
        let mut proof = right.clone();
        change(&mut proof);
        proof.verify().unwrap_err()
    };
    let other = |proof: &Proof| if proof.winner.unwrap().get() == 2 { 3 } else { 2 };
    assert!(matches!(changed(|proof| proof.method = "2".into()), ProofError::Method(_)));
    assert!(matches!(changed(|proof| proof.seed = Some(seed(1))), ProofError::OtherSeed(_)));
    assert!(matches!(changed(|proof| proof.commitment = seed(1).commitment()), ProofError::OtherSeed(_)));
    assert!(matches!(changed(|proof| proof.sold = Some(numbers([2, 3, 5, 7]))), ProofError::OtherList(_)));
    assert!(matches!(changed(|proof| proof.sold = Some(numbers([2, 3, 3]))), ProofError::Order(_)));
    assert!(matches!(changed(|proof| proof.sold = Some(numbers([3, 2]))), ProofError::Order(_)));
    assert_eq!(changed(|proof| proof.sold = Some(Vec::new())), ProofError::NothingSold);
    assert_eq!(changed(|proof| proof.sold = None), ProofError::Missing("sold"));
    assert_eq!(changed(|proof| proof.seed = None), ProofError::Missing("seed"));
    assert_eq!(changed(|proof| proof.winner = None), ProofError::Missing("winner"));
    let mut proof = right.clone();
    proof.winner = Some(other(&right).try_into().unwrap());
    assert!(matches!(proof.verify(), Err(ProofError::OtherWinner(_))));
}

/// A second, slow implementation, written from the description alone.
fn reference_draw(seed: &[u8; 32], sold: &[TicketNumber]) -> u32 {
    let list: Vec<u8> = sold.iter().flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let list_hash = Sha256::digest(&list);
    let mut digits = 0;
    while 2_usize.pow(digits) < sold.len() {
        digits += 1;
    }
    let mut counter = 0_u32;
    loop {
        let mut bytes = seed.to_vec();
        bytes.extend_from_slice(&list_hash);
        bytes.extend_from_slice(&counter.to_be_bytes());
        let hash = Sha256::digest(&bytes);
        let binary: String = hash[..8].iter().map(|byte| format!("{byte:08b}")).collect();
        let kept = &binary[64 - digits as usize..];
        let x = if kept.is_empty() { 0 } else { usize::from_str_radix(kept, 2).unwrap() };
        if x < sold.len() {
            return sold[x].get();
        }
        counter += 1;
    }
}

proptest! {
    #[test]
    fn a_draw_matches_a_second_implementation(
        seed in any::<[u8; 32]>(),
        sold in prop::collection::btree_set(1_u32..=100_000, 1..200),
    ) {
        let sold = numbers(sold);
        let (winner, _) = draw(&Seed::new(seed), &sold).unwrap();
        prop_assert_eq!(winner.get(), reference_draw(&seed, &sold));
    }
}
