//! The clock: the time of day, and monotonic ticks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock with the time of day and monotonic ticks.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ticks: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// Returns the system's clock.
    pub fn of_system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "this is the source of the time")]
        Self::from_fn(Timestamp::now)
    }

    /// Creates a clock with the time of day from a function and the ticks of the system.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let start = Instant::now();
        Self { now: Arc::new(now), ticks: Arc::new(move || start.elapsed()) }
    }

    /// Replaces the ticks. The function must be monotonic.
    #[must_use]
    pub fn with_ticks(self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { ticks: Arc::new(ticks), ..self }
    }

    /// Returns the time since a fixed moment in the past. Deadlines use it because the time of day can be set back.
    pub fn ticks(&self) -> Duration {
        (self.ticks)()
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        // Whole milliseconds, because ids have no finer time and people read none.
        let now = (self.now)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
