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
mod tests;
