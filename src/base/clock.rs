//! The clock: the time of day, and ticks that never go back.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Where the time comes from: the time of day, and ticks that never go back.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ticks: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The system's clock.
    pub fn of_system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "the time comes in here")]
        Self::from_fn(Timestamp::now)
    }

    /// A clock that asks a function for the time of day, and the system for its ticks.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let start = Instant::now();
        Self { now: Arc::new(now), ticks: Arc::new(move || start.elapsed()) }
    }

    /// The same time of day, with the ticks of a function that never goes back.
    #[must_use]
    pub fn with_ticks(self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { ticks: Arc::new(ticks), ..self }
    }

    /// The time since some moment before: deadlines are measured by it, because the time of day can be set back.
    pub fn ticks(&self) -> Duration {
        (self.ticks)()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        // Whole milliseconds: what ids carry, and what people read.
        let now = (self.now)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
