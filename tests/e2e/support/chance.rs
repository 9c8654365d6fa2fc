//! Time that a case moves on, and chance that can be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use holdfast::base::clock::Clock;
use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;

/// A clock that a case moves on.
#[derive(Clone, Default)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    /// The system's time, and as much later as the hands were moved.
    pub fn clock(&self) -> Clock {
        let seconds = self.0.clone();
        Clock::from_fn(move || Timestamp::now() + SignedDuration::from_secs(seconds.load(Ordering::SeqCst)))
    }

    /// Moves the hands.
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A die with any number of sides that falls the same for the same seed: SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 on that is less than `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// Something that goes wrong with a write and passes.
pub fn a_fault(dice: &mut Dice) -> Fault {
    match dice.roll(6) {
        0 => Fault::ReplyLost,
        1 => Fault::StatusAfterCommit(500),
        2 => Fault::Throttled,
        3 => Fault::TransactionConflict,
        4 => Fault::ConnectionRefused,
        _ => Fault::TransactionInProgress,
    }
}
