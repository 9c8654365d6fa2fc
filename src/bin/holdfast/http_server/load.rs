//! How many requests are worked on. A request that waits for its client's body does not count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;

/// The requests of all connections.
pub struct Load {
    running: AtomicUsize,
    most: usize,
}

impl Load {
    /// No request yet, of so many at most.
    pub fn new(most: usize) -> Self {
        Self { running: AtomicUsize::new(0), most }
    }

    /// Counts one more, if there may be one more.
    fn try_enter(&self) -> bool {
        let one_more = |running: usize| (running < self.most).then_some(running + 1);
        self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// How many run.
    #[cfg(test)]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    fn enter(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that runs. It leaves the load when it is dropped.
pub struct Running {
    load: Arc<Load>,
    connection: Arc<Connection>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is worked on.
    Works,
    /// It waits for its client.
    Waits,
    /// It came when there were too many, or has its answer.
    ProjectionError,
}

impl Running {
    /// A request that begins on this connection.
    pub fn begin(load: &Arc<Load>, connection: &Arc<Connection>) -> Arc<Self> {
        let state = if load.try_enter() { State::Works } else { State::ProjectionError };
        connection.begin_request();
        Arc::new(Self {
            load: Arc::clone(load),
            connection: Arc::clone(connection),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there were too many when it came.
    pub fn is_too_many(&self) -> bool {
        *self.state() == State::ProjectionError
    }

    /// Notes that it waits for more of its body.
    pub fn wait_for_client(&self) {
        self.connection.set_waits_for_body(true);
        let mut state = self.state();
        if *state == State::Works {
            *state = State::Waits;
            self.load.leave();
        }
    }

    /// Notes that it goes on. It was let in already, so it counts even if there are too many by now.
    pub fn go_on(&self) {
        self.connection.set_waits_for_body(false);
        let mut state = self.state();
        if *state == State::Waits {
            *state = State::Works;
            self.load.enter();
        }
    }

    /// Notes that it has its answer.
    pub fn end(&self) {
        let mut state = self.state();
        if *state == State::Works {
            self.load.leave();
        }
        *state = State::ProjectionError;
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::Connections;
    use super::*;

    #[test]
    fn a_request_counts_while_it_is_worked_on() {
        let load = Arc::new(Load::new(2));
        let entry = Connections::new().enter();
        let begin = || Running::begin(&load, &entry.connection);
        let running = || load.running();
        let (first, second) = (begin(), begin());
        assert!(!first.is_too_many() && !second.is_too_many());
        assert!(begin().is_too_many(), "there are two already");
        first.wait_for_client();
        first.wait_for_client();
        assert_eq!(running(), 1, "one waits for its client");
        let third = begin();
        assert!(!third.is_too_many());
        first.go_on();
        first.go_on();
        assert_eq!(running(), 3, "a request that was let in goes on");
        for request in [&first, &second, &third, &third] {
            request.end();
        }
        assert_eq!(running(), 0);
        third.wait_for_client();
        third.go_on();
        assert_eq!(running(), 0, "one that has its answer counts no more");
    }
}
