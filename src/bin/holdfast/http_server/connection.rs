//! Which connections are open, and which of them wait for their clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It reads the head of a request, or waits for the first one.
    Head,
    /// A request runs.
    Request,
    /// It writes an answer, or waits for the next request.
    Answer,
}

/// One connection, as the accept loop sees it.
pub struct Connection {
    phase: AtomicU8,
    /// Whether it has answered a request.
    has_answered: AtomicBool,
    /// Whether its request waits for the client to send more of the body.
    waits_for_body: AtomicBool,
    /// Whether the client may still send a body that is not read.
    lingers: AtomicBool,
    /// When it last moved a byte, in milliseconds since `opened`.
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

    /// Notes that a byte was read or written.
    pub fn moved(&self) {
        self.moved.store(since(self.opened), Ordering::Relaxed);
    }

    /// Notes that bytes were read. After an answer they begin the next request.
    pub fn received(&self) {
        self.moved();
        if self.is(Phase::Answer) {
            self.enter(Phase::Head);
        }
    }

    /// Notes that a request runs from now on.
    pub fn begin_request(&self) {
        self.enter(Phase::Request);
    }

    /// Notes that the request has its answer.
    pub fn end_request(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        self.waits_for_body.store(false, Ordering::Relaxed);
        self.moved();
        self.enter(Phase::Answer);
    }

    /// Notes whether the request waits for more of its body.
    pub fn set_waits_for_body(&self, waits: bool) {
        self.waits_for_body.store(waits, Ordering::Relaxed);
    }

    /// Notes that the connection ends with this answer, though the client may still send a body.
    pub fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Whether the client may still send a body that is not read.
    pub fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// Whether it has read a part of a head, or nothing yet.
    pub fn reads_head(&self) -> bool {
        self.is(Phase::Head)
    }

    /// Waits until the server closes it.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// In which order connections are closed where there are too many: first those that have never sent a request, each by
    /// how long it waits. `None` while the server works on a request of it.
    fn rank(&self) -> Option<(bool, u64)> {
        let works = self.is(Phase::Request) && !self.waits_for_body.load(Ordering::Relaxed);
        let rank = (self.has_answered.load(Ordering::Relaxed), self.moved.load(Ordering::Relaxed));
        (!works).then_some(rank)
    }
}

fn since(opened: Instant) -> u64 {
    u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// All open connections.
#[derive(Clone)]
pub struct Connections {
    open: Arc<Mutex<Open>>,
    /// From when all count their time, so that it can be compared.
    start: Instant,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
}

/// A connection that is listed as open until this is dropped.
pub struct Entry {
    /// The connection.
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
    /// None yet.
    pub fn new() -> Self {
        Self { open: Arc::default(), start: Instant::now() }
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a new connection.
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
        let ranked = open.all.iter().filter_map(|(number, connection)| Some((connection.rank()?, *number)));
        let Some((_, number)) = ranked.min() else { return false };
        // It is taken off the list now, for its task may run later.
        if let Some(connection) = open.all.remove(&number) {
            connection.close.notify_one();
        }
        true
    }

    /// Closes all of them.
    pub fn close_all(&self) {
        for connection in self.locked().all.values() {
            connection.close.notify_one();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use super::*;

    /// Which of the connections is closed next, by its place.
    fn next(connections: &Connections, entries: &[Entry]) -> Option<usize> {
        connections.close_longest_waiting().then(|| {
            let open = connections.locked();
            entries.iter().position(|entry| !open.all.contains_key(&entry.number)).unwrap()
        })
    }

    #[test]
    fn those_without_a_request_go_first_and_those_at_work_stay() {
        let connections = Connections::new();
        let mut entries: Vec<_> = (0..5).map(|_| connections.enter()).collect();
        for (place, moved) in [(0, 50), (1, 40), (2, 30), (3, 20), (4, 10)] {
            entries[place].connection.moved.store(moved, Ordering::Relaxed);
        }
        // The oldest two: one has been answered, one is at work.
        entries[4].connection.has_answered.store(true, Ordering::Relaxed);
        entries[3].connection.begin_request();
        assert_eq!(next(&connections, &entries), Some(2), "the longest without any request");
        entries.remove(2);
        assert_eq!(next(&connections, &entries), Some(1));
        entries.remove(1);
        assert_eq!(next(&connections, &entries), Some(0));
        entries.remove(0);
        assert_eq!(next(&connections, &entries), Some(1), "then the one that has been answered");
        entries.remove(1);
        assert_eq!(next(&connections, &entries), None, "the last one is at work");
        entries[0].connection.set_waits_for_body(true);
        assert_eq!(next(&connections, &entries), Some(0), "unless it waits for its client");
    }
}
