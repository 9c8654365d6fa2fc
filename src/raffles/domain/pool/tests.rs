//! Blocks and pools: each number is sold at most once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn pool(tickets: u32) -> Pool {
    Pool::new(tickets.try_into().unwrap())
}

fn numbers(picks: &[Pick]) -> Vec<u32> {
    picks.iter().flat_map(|pick| pick.numbers.iter().map(|number| number.get())).collect()
}

#[test]
fn a_pool_has_each_number_once_in_blocks_of_about_equal_size() {
    for (tickets, blocks) in
        [(1, 1), (3, 1), (4, 1), (8, 2), (100, 25), (128, 32), (1_000, 32), (100_000, 32)]
    {
        let pool = pool(tickets);
        assert_eq!(pool.blocks.len(), blocks, "{tickets}");
        let all: Vec<u32> =
            pool.blocks.iter().flat_map(|block| block.numbers(false)).map(TicketNumber::get).collect();
        assert_eq!(all, (1..=tickets).collect::<Vec<_>>());
        let sizes: BTreeSet<u32> = pool.blocks.iter().map(|block| block.size).collect();
        assert!(sizes.len() <= 2, "{sizes:?}");
        assert_eq!(Pool::of(pool.blocks.clone(), tickets.try_into().unwrap()), Some(pool));
    }
}

#[test]
fn a_pool_with_missing_or_duplicate_blocks_is_rejected() {
    let whole = pool(100);
    let tickets = 100.try_into().unwrap();
    assert_eq!(Pool::of(whole.blocks[..24].to_vec(), tickets), None);
    assert_eq!(Pool::of(whole.blocks[1..].to_vec(), tickets), None);
    let twice = [&whole.blocks[..], &whole.blocks[24..]].concat();
    assert_eq!(Pool::of(twice, tickets), None);
    assert_eq!(Pool::of(Vec::new(), tickets), None);
}

#[test]
fn a_purchase_uses_several_blocks_only_if_no_block_has_enough() {
    let mut pool = pool(8);
    let picks = pool.pick(3, 0, 0).unwrap();
    assert_eq!(numbers(&picks), [1, 2, 3]);
    pool = pool.with(picks.iter().map(|pick| &pick.after));
    let picks = pool.pick(3, 0, 0).unwrap();
    assert_eq!(numbers(&picks), [5, 6, 7], "the first block has one left");
    pool = pool.with(picks.iter().map(|pick| &pick.after));
    let picks = pool.pick(2, 0, 0).unwrap();
    assert_eq!((numbers(&picks), picks.len()), (vec![4, 8], 2));
    pool = pool.with(picks.iter().map(|pick| &pick.after));
    assert_eq!((pool.remaining(), pool.pick(1, 0, 0)), (0, None));
    assert_eq!(pool.changes(), 4, "one for each block and purchase");
}

#[test]
fn purchases_are_spread_over_the_blocks() {
    let pool = pool(100);
    let blocks: BTreeSet<u32> = (0..400_u32)
        .map(|step| pool.pick(1, step.wrapping_mul(0x9E37_79B9), 0).unwrap()[0].before.number)
        .collect();
    assert_eq!(blocks.len(), 25);
    assert_eq!(numbers(&pool.pick(1, u32::MAX, 0).unwrap()), [97]);
}

#[test]
fn only_a_sold_number_can_be_canceled() {
    let pool = pool(10);
    let sold = pool.with(pool.pick(2, 0, 5).unwrap().iter().map(|pick| &pick.after));
    let number = |number: u32| TicketNumber::try_from(number).unwrap();
    assert_eq!(sold.cancel(number(3), 6), None);
    assert_eq!(sold.cancel(number(11), 6), None, "a number outside every block");
    let (before, after) = sold.cancel(number(2), 6).unwrap();
    assert_eq!((before.sold(), after.sold()), (2, 1));
    assert_eq!(sold.with([&after]).sold_numbers(), [number(1)]);
    assert_eq!(after.version, before.version.next());
}

#[test]
fn an_invalid_block_is_rejected() {
    let block = serde_json::json!({ "number": 0, "first": 1, "size": 9, "taken": [0], "version": 1 });
    assert!(serde_json::from_value::<Block>(block).is_err());
    let item: std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> =
        serde_dynamo::to_item(&pool(9).blocks[0]).unwrap();
    assert!(item["taken"].is_b(), "{item:?}");
    let mut short = item.clone();
    let bytes = aws_sdk_dynamodb::primitives::Blob::new(vec![0_u8; 7]);
    short.insert("taken".into(), aws_sdk_dynamodb::types::AttributeValue::B(bytes));
    assert!(serde_dynamo::from_item::<_, Block>(short).is_err());
    assert_eq!(serde_dynamo::from_item::<_, Block>(item).unwrap(), pool(9).blocks[0]);
}

proptest! {
    #[test]
    fn each_number_is_sold_at_most_once(
        tickets in 1_u32..300,
        steps in prop::collection::vec((1_u32..6, any::<u32>(), any::<bool>()), 1..120),
    ) {
        let mut pool = pool(tickets);
        let mut sold: BTreeSet<u32> = BTreeSet::new();
        for (quantity, random, cancel) in steps {
            if cancel && let Some(number) = sold.iter().nth(random as usize % sold.len().max(1)).copied() {
                let (before, after) = pool.cancel(number.try_into().unwrap(), 1).unwrap();
                prop_assert_eq!(before.sold(), after.sold() + 1);
                pool = pool.with([&after]);
                sold.remove(&number);
                continue;
            }
            match pool.pick(quantity, random, 0) {
                None => prop_assert!(quantity > tickets - sold.len() as u32),
                Some(picks) => {
                    prop_assert_eq!(numbers(&picks).len(), quantity as usize);
                    for number in numbers(&picks) {
                        prop_assert!((1..=tickets).contains(&number) && sold.insert(number));
                    }
                    pool = pool.with(picks.iter().map(|pick| &pick.after));
                }
            }
            prop_assert_eq!(pool.sold() as usize, sold.len());
            prop_assert_eq!(pool.sold() + pool.remaining(), tickets);
        }
        let numbers: Vec<u32> = pool.sold_numbers().into_iter().map(TicketNumber::get).collect();
        prop_assert_eq!(numbers, sold.into_iter().collect::<Vec<_>>());
    }
}
