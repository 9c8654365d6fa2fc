//! The open connections, and which of them wait for their clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Reading the head of a request, or waiting for the first one.
    Head,
    /// A request is running.
    Request,
    /// Writing a response, or waiting for the next request.
    Answer,
}

/// A connection as the accept loop sees it.
pub struct Connection {
    phase: AtomicU8,
    /// Whether it has answered a request.
    has_answered: AtomicBool,
    /// Whether its request waits for more of its body.
    waits_for_body: AtomicBool,
    /// Whether the client may still send a body that is not read.
    lingers: AtomicBool,
    /// When it last transferred a byte, in milliseconds since `opened`.
    moved: AtomicU64,
    opened: Instant,
    close: Notify,
}

impl Connection {
    fn new(opened: Instant) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Head as u8),
            has_answered: AtomicBool::new(false),
            waits_for_body: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            moved: AtomicU64::new(since(opened)),
            opened,
            close: Notify::new(),
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Records that bytes were read or written.
    pub fn moved(&self) {
        self.moved.store(since(self.opened), Ordering::Relaxed);
    }

    /// Records that bytes were read. After a response, they start the next request.
    pub fn received(&self) {
        self.moved();
        if self.is(Phase::Answer) {
            self.enter(Phase::Head);
        }
    }

    pub fn begin_request(&self) {
        self.enter(Phase::Request);
    }

    pub fn end_request(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        self.waits_for_body.store(false, Ordering::Relaxed);
        self.moved();
        self.enter(Phase::Answer);
    }

    pub fn set_waits_for_body(&self, waits: bool) {
        self.waits_for_body.store(waits, Ordering::Relaxed);
    }

    /// Records that the connection ends with this response, although the client may still send a body.
    pub fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    pub fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// Returns whether the connection has read nothing yet, or part of a head.
    pub fn reads_head(&self) -> bool {
        self.is(Phase::Head)
    }

    /// Waits until the server closes the connection.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// Returns the order in which connections are closed if there are too many: first those that never sent a
    /// request, each by its waiting time. Returns `None` while the server works on a request.
    fn close_order(&self) -> Option<(bool, u64)> {
        let is_running = self.is(Phase::Request) && !self.waits_for_body.load(Ordering::Relaxed);
        let close_order = (self.has_answered.load(Ordering::Relaxed), self.moved.load(Ordering::Relaxed));
        (!is_running).then_some(close_order)
    }
}

fn since(opened: Instant) -> u64 {
    u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// All open connections.
#[derive(Clone)]
pub struct Connections {
    open: Arc<Mutex<Open>>,
    /// The common start time, which makes the times of connections comparable.
    start: Instant,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
}

/// A connection that is listed as open until this value is dropped.
pub struct Entry {
    pub connection: Arc<Connection>,
    number: u64,
    connections: Connections,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.locked().all.remove(&self.number);
    }
}

impl Connections {
    pub fn new() -> Self {
        Self { open: Arc::default(), start: Instant::now() }
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn enter(&self) -> Entry {
        let connection = Arc::new(Connection::new(self.start));
        let mut open = self.locked();
        let number = open.next;
        open.next += 1;
        open.all.insert(number, Arc::clone(&connection));
        Entry { connection, number, connections: self.clone() }
    }

    /// Closes the connection that has waited longest for its client. Returns whether there was one.
    pub fn close_longest_waiting(&self) -> bool {
        let mut open = self.locked();
        let ranked =
            open.all.iter().filter_map(|(number, connection)| Some((connection.close_order()?, *number)));
        let Some((_, number)) = ranked.min() else { return false };
        // Remove it from the list now, because its task may run later.
        if let Some(connection) = open.all.remove(&number) {
            connection.close.notify_one();
        }
        true
    }

    pub fn close_all(&self) {
        for connection in self.locked().all.values() {
            connection.close.notify_one();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;

    /// Returns the index of the connection that is closed next.
    fn next(connections: &Connections, entries: &[Entry]) -> Option<usize> {
        connections.close_longest_waiting().then(|| {
            let open = connections.locked();
            entries.iter().position(|entry| !open.all.contains_key(&entry.number)).unwrap()
        })
    }

    #[test]
    fn connections_without_a_request_close_first_and_running_ones_stay() {
        let connections = Connections::new();
        let mut entries: Vec<_> = (0..5).map(|_| connections.enter()).collect();
        for (place, moved) in [(0, 50), (1, 40), (2, 30), (3, 20), (4, 10)] {
            entries[place].connection.moved.store(moved, Ordering::Relaxed);
        }
        // The two oldest: one has been answered, and one is running.
        entries[4].connection.has_answered.store(true, Ordering::Relaxed);
        entries[3].connection.begin_request();
        assert_eq!(next(&connections, &entries), Some(2), "the one that waited longest without any request");
        entries.remove(2);
        assert_eq!(next(&connections, &entries), Some(1));
        entries.remove(1);
        assert_eq!(next(&connections, &entries), Some(0));
        entries.remove(0);
        assert_eq!(next(&connections, &entries), Some(1), "then the one that has been answered");
        entries.remove(1);
        assert_eq!(next(&connections, &entries), None, "the last one is running");
        entries[0].connection.set_waits_for_body(true);
        assert_eq!(next(&connections, &entries), Some(0), "unless it waits for its client");
    }
}
