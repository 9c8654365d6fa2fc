//! The sold numbers of a raffle, in blocks that sell independently.

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Sales, TicketCount, TicketNumber};
use crate::base::values::Version;

/// The most blocks of a pool. One transaction of the draw and one read of a page cover all of them.
const MOST_BLOCKS: u32 = 32;
/// The fewest numbers of a block, if the raffle has enough. With smaller blocks, more purchases would need two
/// blocks.
const FEWEST_NUMBERS: u32 = 4;

/// One bit for each number of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bits(Vec<u8>);

impl Bits {
    fn none(size: u32) -> Self {
        Self(vec![0; size.div_ceil(8) as usize])
    }

    fn get(&self, at: u32) -> bool {
        self.0.get(at as usize / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    }

    fn set(&mut self, at: u32, value: bool) {
        if let Some(byte) = self.0.get_mut(at as usize / 8) {
            let bit = 1 << (at % 8);
            *byte = if value { *byte | bit } else { *byte & !bit };
        }
    }
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Bits;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bits, E> {
                Ok(Bits(bytes.to_vec()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bits, E> {
                Ok(Bits(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// Consecutive numbers of a raffle, with a bit for each that tells whether it is sold. Changes to the same block
/// conflict; changes to different blocks do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    number: u32,
    first: u32,
    size: u32,
    taken: Bits,
    /// 1 at creation, +1 with every change.
    pub version: Version,
    #[serde(skip_serializing_if = "Sales::is_empty")]
    sales: Sales,
}

/// A block as stored, before it is validated.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBlock {
    number: u32,
    first: u32,
    size: u32,
    taken: Bits,
    version: Version,
    #[serde(default)]
    sales: Sales,
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let RawBlock { number, first, size, taken, version, sales } = RawBlock::deserialize(deserializer)?;
        let last = first.checked_add(size).filter(|end| first > 0 && *end <= TicketCount::MAX + 1);
        if taken.0.len() != size.div_ceil(8) as usize || last.is_none() {
            return Err(D::Error::custom("the bitmap or the range of a block is invalid"));
        }
        Ok(Self { number, first, size, taken, version, sales })
    }
}

impl Block {
    /// Returns the block's index in its raffle, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    fn numbers(&self, taken: bool) -> impl Iterator<Item = TicketNumber> + '_ {
        let numbers = (0..self.size).filter(move |at| self.taken.get(*at) == taken);
        numbers.filter_map(|at| TicketNumber::try_from(self.first + at).ok())
    }

    /// Returns how many of its numbers are sold.
    pub fn sold(&self) -> u32 {
        self.taken.0.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Returns how many of its numbers are free.
    pub fn free(&self) -> u32 {
        self.size.saturating_sub(self.sold())
    }

    fn has(&self, number: TicketNumber) -> bool {
        (self.first..self.first + self.size).contains(&number.get())
    }

    /// Returns the block with `numbers` sold or freed, `minute` minutes after the raffle was opened.
    fn changed(&self, numbers: &[TicketNumber], taken: bool, minute: u32) -> Self {
        let mut block = Self { version: self.version.next(), ..self.clone() };
        for number in numbers {
            block.taken.set(number.get() - self.first, taken);
        }
        let count = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
        block.sales.record(minute, if taken { count } else { -count });
        block
    }

    /// Returns the block as it is after the draw: the same numbers are sold, but the version is new. A change based
    /// on an earlier read is then refused.
    pub fn frozen(&self) -> Self {
        Self { version: self.version.next(), ..self.clone() }
    }
}

/// The numbers a purchase takes from one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The block before the purchase.
    pub before: Block,
    /// The block with the numbers sold.
    pub after: Block,
    /// The numbers.
    pub numbers: Vec<TicketNumber>,
}

/// All blocks of a raffle, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    blocks: Vec<Block>,
}

impl Pool {
    /// Creates the pool of a new raffle, in blocks of about equal size.
    pub fn new(tickets: TicketCount) -> Self {
        let tickets = tickets.get();
        let count = (tickets / FEWEST_NUMBERS).clamp(1, MOST_BLOCKS);
        let mut first = 1;
        let block = |number| {
            let size = tickets / count + u32::from(number < tickets % count);
            let (taken, version, sales) = (Bits::none(size), Version::FIRST, Sales::default());
            let block = Block { number, first, size, taken, version, sales };
            first += size;
            block
        };
        Self { blocks: (0..count).map(block).collect() }
    }

    /// Builds a pool of stored blocks. Returns `None` if a block is missing or out of order.
    pub fn of(blocks: Vec<Block>, tickets: TicketCount) -> Option<Self> {
        let mut next = 1;
        for (at, block) in blocks.iter().enumerate() {
            if block.number as usize != at || block.first != next {
                return None;
            }
            next += block.size;
        }
        (next == tickets.get() + 1).then_some(Self { blocks })
    }

    /// Returns the blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns how many numbers are sold.
    pub fn sold(&self) -> u32 {
        self.blocks.iter().map(Block::sold).sum()
    }

    /// Returns how many numbers are free.
    pub fn remaining(&self) -> u32 {
        self.blocks.iter().map(Block::free).sum()
    }

    /// Returns how often the blocks have changed.
    pub fn changes(&self) -> u64 {
        self.blocks.iter().map(|block| block.version.get() - 1).sum()
    }

    /// Returns the sold numbers, ascending.
    pub fn sold_numbers(&self) -> Vec<TicketNumber> {
        self.blocks.iter().flat_map(|block| block.numbers(true)).collect()
    }

    /// Returns the block that contains a number.
    pub fn block_of(&self, number: TicketNumber) -> Option<&Block> {
        self.blocks.iter().find(|block| block.has(number))
    }

    /// Frees a number, `minute` minutes after the raffle was opened. Returns its block before and after, or `None` if
    /// the number is not sold.
    pub fn cancel(&self, number: TicketNumber, minute: u32) -> Option<(Block, Block)> {
        let block = self.block_of(number)?;
        let sold = block.taken.get(number.get() - block.first);
        sold.then(|| (block.clone(), block.changed(&[number], false, minute)))
    }

    /// Picks free numbers for a purchase, `minute` minutes after the raffle was opened. Returns `None` if too few are
    /// left.
    ///
    /// `random` spreads concurrent buyers over the blocks, in proportion to the free numbers of each block. Starting
    /// there, the first block with enough free numbers is used. If no block has enough, several blocks are combined.
    pub fn pick(&self, quantity: u32, random: u32, minute: u32) -> Option<Vec<Pick>> {
        let remaining = self.remaining();
        if quantity == 0 || quantity > remaining {
            return None;
        }
        let order = self.from(random, remaining);
        let whole = order.iter().find(|block| block.free() >= quantity);
        let blocks = whole.map_or(order.clone(), |block| vec![block]);
        let mut missing = quantity as usize;
        let mut picks = Vec::new();
        for block in blocks {
            let numbers: Vec<_> = block.numbers(false).take(missing).collect();
            missing -= numbers.len();
            if !numbers.is_empty() {
                let after = block.changed(&numbers, true, minute);
                picks.push(Pick { before: block.clone(), after, numbers });
            }
        }
        Some(picks)
    }

    /// Returns the blocks in order, starting with the block of a random free number and wrapping around.
    fn from(&self, random: u32, remaining: u32) -> Vec<&Block> {
        // `random` is scaled to `0..remaining`. The result need not be perfectly uniform.
        let place = (u64::from(random) * u64::from(remaining)) >> 32;
        let mut passed = 0;
        let start = self.blocks.iter().position(|block| {
            passed += u64::from(block.free());
            passed > place
        });
        let (before, from) = self.blocks.split_at(start.unwrap_or_default());
        from.iter().chain(before).collect()
    }

    /// Returns the pool with changed blocks in place of the old ones.
    pub fn with<'a>(&self, changed: impl IntoIterator<Item = &'a Block>) -> Self {
        let mut blocks = self.blocks.clone();
        for block in changed {
            if let Some(place) = blocks.get_mut(block.number as usize) {
                *place = block.clone();
            }
        }
        Self { blocks }
    }

    /// Returns the pool with all blocks [frozen](Block::frozen).
    pub fn frozen(&self) -> Self {
        Self { blocks: self.blocks.iter().map(Block::frozen).collect() }
    }

    /// Returns the sales over time, summed over all blocks.
    pub fn sales(&self) -> Sales {
        self.blocks.iter().fold(Sales::default(), |all, block| all.and(&block.sales))
    }
}

#[cfg(test)]
mod tests {
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
}
