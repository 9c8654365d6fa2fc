//! The progress of this process's workers. Health checks use it, and pages show how old counts are.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The age in seconds above which pages show how old counts are.
pub const LATE_SECONDS: u64 = 5;

/// Formats the age of counts, for example `12 seconds`, if pages should show it.
pub fn late_words(age: Option<SignedDuration>) -> Option<String> {
    let seconds = age.and_then(|age| u64::try_from(age.as_secs()).ok());
    let seconds = seconds.filter(|seconds| *seconds > LATE_SECONDS)?;
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        _ => (seconds / 3_600, "hours"),
    };
    Some(format!("{number} {unit}"))
}

/// The number of steps of a sweep that failed. The next sweep tries them again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepFailures {
    /// Large orders that were not completed or aborted.
    pub orders: usize,
    /// Rules that were due and did not run.
    pub rules: usize,
    /// Failed runs of rules that were not retried.
    pub runs: usize,
}

/// The progress of this process's workers: when they last made some, and what went wrong. Clones share it. In a process
/// without workers, as on Lambda, it is unknown.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<Beats>>);

#[derive(Debug, Default)]
struct Beats {
    started: Option<Timestamp>,
    /// All changes up to this time are handled.
    handled: Option<Timestamp>,
    /// When the last sweep finished.
    swept: Option<Timestamp>,
    /// What failed in the last sweep.
    sweep_failures: SweepFailures,
    /// Whether the stream deleted changes before they were read, and no recount was done since.
    lost_changes: bool,
    /// The recount that started after changes were lost.
    recount: Option<String>,
}

impl Heartbeats {
    fn with<T>(&self, access: impl FnOnce(&mut Beats) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records that the workers started.
    pub fn started(&self, now: Timestamp) {
        self.with(|beats| beats.started = Some(now));
    }

    /// Records that all changes up to this time are handled.
    pub fn handled(&self, up_to: Timestamp) {
        self.with(|beats| beats.handled = beats.handled.max(Some(up_to)));
    }

    /// Records that a sweep finished, and what failed in it.
    pub fn swept(&self, now: Timestamp, failures: SweepFailures) {
        self.with(|beats| (beats.swept, beats.sweep_failures) = (Some(now), failures));
    }

    /// Records that the stream deleted changes before they were read.
    pub fn lost_changes(&self) {
        self.with(|beats| (beats.lost_changes, beats.recount) = (true, None));
    }

    /// Records that a recount started. Only one that starts after changes were lost includes all of them.
    pub fn recount_started(&self, id: &str) {
        self.with(|beats| beats.recount = beats.lost_changes.then(|| id.to_owned()));
    }

    /// Records that a recount was completed.
    pub fn recounted(&self, id: &str) {
        self.with(|beats| {
            if beats.recount.as_deref() == Some(id) {
                (beats.lost_changes, beats.recount) = (false, None);
            }
        });
    }

    /// Returns how far the handling of changes is behind, or `None` in a process without workers.
    pub fn stream_age(&self, now: Timestamp) -> Option<SignedDuration> {
        self.with(|beats| since(beats.handled.or(beats.started), beats, now))
    }

    /// Returns what failed in the last sweep that finished.
    pub fn sweep_failures(&self) -> SweepFailures {
        self.with(|beats| beats.sweep_failures)
    }

    /// Returns whether changes were lost, and no recount was done since.
    pub fn has_lost_changes(&self) -> bool {
        self.with(|beats| beats.lost_changes)
    }

    /// Returns the time since the last sweep finished, or `None` in a process without workers.
    pub fn sweep_age(&self, now: Timestamp) -> Option<SignedDuration> {
        self.with(|beats| since(beats.swept.or(beats.started), beats, now))
    }
}

fn since(time: Option<Timestamp>, beats: &Beats, now: Timestamp) -> Option<SignedDuration> {
    beats.started?;
    Some(now.duration_since(time?).max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_age_is_shown_if_it_is_more_than_five_seconds() {
        for (seconds, words) in [
            (-1, None),
            (5, None),
            (6, Some("6 seconds")),
            (119, Some("119 seconds")),
            (120, Some("2 minutes")),
            (7_199, Some("119 minutes")),
            (7_200, Some("2 hours")),
        ] {
            let age = Some(SignedDuration::from_secs(seconds));
            assert_eq!(late_words(age).as_deref(), words, "{seconds}");
        }
        assert_eq!(late_words(None), None);
    }

    #[test]
    fn ages_are_known_once_workers_started_and_never_go_back() {
        let beats = Heartbeats::default();
        assert_eq!((beats.stream_age(at(9)), beats.sweep_age(at(9))), (None, None));
        beats.started(at(10));
        assert_eq!(beats.stream_age(at(15)), Some(SignedDuration::from_secs(5)));
        beats.handled(at(12));
        beats.handled(at(11));
        beats.swept(at(14), SweepFailures { orders: 2, ..SweepFailures::default() });
        let other = beats.clone();
        assert_eq!(other.stream_age(at(15)), Some(SignedDuration::from_secs(3)));
        assert_eq!(other.sweep_age(at(15)), Some(SignedDuration::from_secs(1)));
        assert_eq!(other.stream_age(at(1)), Some(SignedDuration::ZERO), "clocks differ");
        assert_eq!(other.sweep_failures().orders, 2);
        beats.swept(at(15), SweepFailures::default());
        assert_eq!(other.sweep_failures(), SweepFailures::default());
    }

    #[test]
    fn changes_are_lost_until_a_later_recount_is_completed() {
        let beats = Heartbeats::default();
        beats.recount_started("earlier");
        beats.lost_changes();
        beats.recounted("earlier");
        assert!(beats.has_lost_changes(), "this recount may have counted before the lost changes");
        beats.recount_started("interrupted");
        beats.recount_started("second");
        beats.recounted("interrupted");
        assert!(beats.has_lost_changes());
        beats.lost_changes();
        beats.recounted("second");
        assert!(beats.has_lost_changes(), "more changes were lost while it ran");
        beats.recount_started("third");
        beats.recounted("third");
        assert!(!beats.has_lost_changes());
    }
}
