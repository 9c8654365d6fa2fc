//! A clock that a case can advance, and reproducible random numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use holdfast::base::clock::Clock;
use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;

/// A clock that the case advances.
#[derive(Clone, Default)]
pub struct AdjustableClock(Arc<AtomicI64>);

impl AdjustableClock {
    /// The system's time plus the time by which the case has advanced the clock.
    pub fn clock(&self) -> Clock {
        let seconds = self.0.clone();
        Clock::from_fn(move || Timestamp::now() + SignedDuration::from_secs(seconds.load(Ordering::SeqCst)))
    }

    /// Advances the clock.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A random number generator with a seed: SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    /// A random number from 0 to `sides` - 1.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    /// A random element.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// A random temporary fault of a write.
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
