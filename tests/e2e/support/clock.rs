//! A clock that a case advances.

use std::sync::{Arc, Mutex, PoisonError};

use holdfast::base::clock::Clock;
use jiff::{SignedDuration, Timestamp};

/// A clock that stops until the case advances it. Clones are the same clock.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    /// A clock that shows the current time in whole seconds, which Secrets Manager returns unchanged.
    pub fn new() -> Self {
        let now = Timestamp::from_second(Timestamp::now().as_second());
        Self::at(now.expect("now is a time"))
    }

    /// A clock that shows this time.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    /// The time that it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Advances it.
    pub fn advance(&self, by: SignedDuration) {
        let now = self.now() + by;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// The same clock for the application.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::from_fn(move || clock.now())
    }
}
