//! The number of running requests. A request that waits for its client's body does not count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;

/// The running requests of all connections.
pub struct Load {
    running: AtomicUsize,
    max: usize,
}

impl Load {
    pub fn new(max: usize) -> Self {
        Self { running: AtomicUsize::new(0), max }
    }

    /// Counts one more request, if the maximum allows it.
    fn try_enter(&self) -> bool {
        let one_more = |running: usize| (running < self.max).then_some(running + 1);
        self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

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

/// A request. It leaves the load when it ends or is dropped.
pub struct Running {
    load: Arc<Load>,
    connection: Arc<Connection>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server works on it.
    Running,
    /// It waits for its client.
    Waiting,
    /// It arrived when there were too many, or it has its response.
    NotCounted,
}

impl Running {
    pub fn begin(load: &Arc<Load>, connection: &Arc<Connection>) -> Arc<Self> {
        let state = if load.try_enter() { State::Running } else { State::NotCounted };
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

    /// Returns whether there were too many requests when it arrived.
    pub fn is_rejected(&self) -> bool {
        *self.state() == State::NotCounted
    }

    pub fn wait_for_client(&self) {
        self.connection.set_waits_for_body(true);
        let mut state = self.state();
        if *state == State::Running {
            *state = State::Waiting;
            self.load.leave();
        }
    }

    /// Records that the request continues. It was admitted before, so it counts even if there are too many requests
    /// now.
    pub fn resume(&self) {
        self.connection.set_waits_for_body(false);
        let mut state = self.state();
        if *state == State::Waiting {
            *state = State::Running;
            self.load.enter();
        }
    }

    pub fn end(&self) {
        let mut state = self.state();
        if *state == State::Running {
            self.load.leave();
        }
        *state = State::NotCounted;
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::Connections;
    use super::*;

    #[test]
    fn a_request_counts_while_it_runs() {
        let load = Arc::new(Load::new(2));
        let entry = Connections::new().enter();
        let begin = || Running::begin(&load, &entry.connection);
        let running = || load.running();
        let (first, second) = (begin(), begin());
        assert!(!first.is_rejected() && !second.is_rejected());
        assert!(begin().is_rejected(), "there are two already");
        first.wait_for_client();
        first.wait_for_client();
        assert_eq!(running(), 1, "one waits for its client");
        let third = begin();
        assert!(!third.is_rejected());
        first.resume();
        first.resume();
        assert_eq!(running(), 3, "an admitted request continues");
        for request in [&first, &second, &third, &third] {
            request.end();
        }
        assert_eq!(running(), 0);
        third.wait_for_client();
        third.resume();
        assert_eq!(running(), 0, "a finished request does not count");
    }
}
