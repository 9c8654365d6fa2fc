//! Limits repeated log messages of a client that retries all the time. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long messages of the same kind are suppressed.
const INTERVAL: Duration = Duration::from_secs(60);
/// The maximum number of kinds.
const MAX_KINDS: usize = 100;

/// The recent messages.
#[derive(Debug, Default)]
pub(super) struct Notices(BTreeMap<String, Notice>);

#[derive(Debug)]
struct Notice {
    last: Instant,
    suppressed: u64,
}

impl Notices {
    /// Decides whether a message of this kind is logged now: the first one is, and then one a minute. Returns the
    /// number of suppressed messages.
    pub(super) fn admit(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if let Some(notice) = self.0.get_mut(kind) {
            if now.saturating_duration_since(notice.last) < INTERVAL {
                notice.suppressed += 1;
                return None;
            }
            let suppressed = std::mem::take(&mut notice.suppressed);
            notice.last = now;
            return Some(suppressed);
        }
        if self.0.len() >= MAX_KINDS {
            self.0.clear();
        }
        self.0.insert(kind.to_owned(), Notice { last: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_once_and_then_once_a_minute() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let mut logged = Vec::new();
        for second in 0..150 {
            if let Some(suppressed) = notices.admit("unreachable", start + Duration::from_secs(second)) {
                logged.push((second, suppressed));
            }
        }
        assert_eq!(logged, [(0, 0), (60, 59), (120, 59)]);
        assert_eq!(notices.admit("another", start), Some(0));
        for kind in 0..1_000 {
            notices.admit(&kind.to_string(), start);
        }
        assert!(notices.0.len() <= MAX_KINDS);
    }
}
