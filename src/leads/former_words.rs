//! What a process knows about the search words of version 0.1.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// What this process knows about words of version 0.1 in the table.
#[derive(Debug, Clone, Default)]
pub struct FormerWords(Arc<AtomicU64>);

impl FormerWords {
    /// There are no such words, and there will be none.
    const GONE: u64 = u64::MAX;
    /// How long to wait before the table is asked again, in seconds.
    const ASK_AGAIN: u64 = 60;

    /// Returns whether there are such words, as far as it is known. `None` means that the table must be asked.
    pub(super) fn known(&self, now: Timestamp) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            Self::GONE => Some(false),
            asked if asked + Self::ASK_AGAIN > seconds(now) => Some(true),
            _ => None,
        }
    }

    /// Records what the table says.
    pub(super) fn record(&self, gone: bool, now: Timestamp) {
        self.0.store(if gone { Self::GONE } else { seconds(now) }, Ordering::Relaxed);
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or_default()
}
