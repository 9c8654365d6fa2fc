//! Which lines of a client that tries again all the time are worth a place in the log. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a line of the same kind is held back.
const QUIET: Duration = Duration::from_secs(60);
/// The most kinds that are remembered.
const MOST_KINDS: usize = 100;

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Notices(BTreeMap<String, Notice>);

#[derive(Debug)]
struct Notice {
    said: Instant,
    hidden: u64,
}

impl Notices {
    /// Whether a line of this kind is written now: the first is, and then one a minute, with how many were held back.
    pub(super) fn admit(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if let Some(notice) = self.0.get_mut(kind) {
            if now.saturating_duration_since(notice.said) < QUIET {
                notice.hidden += 1;
                return None;
            }
            let hidden = std::mem::take(&mut notice.hidden);
            notice.said = now;
            return Some(hidden);
        }
        if self.0.len() >= MOST_KINDS {
            self.0.clear();
        }
        self.0.insert(kind.to_owned(), Notice { said: now, hidden: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_and_then_once_a_minute() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let mut said = Vec::new();
        for second in 0..150 {
            if let Some(hidden) = notices.admit("unreachable", start + Duration::from_secs(second)) {
                said.push((second, hidden));
            }
        }
        assert_eq!(said, [(0, 0), (60, 59), (120, 59)]);
        assert_eq!(notices.admit("another", start), Some(0));
        for kind in 0..1_000 {
            notices.admit(&kind.to_string(), start);
        }
        assert!(notices.0.len() <= MOST_KINDS);
    }
}
