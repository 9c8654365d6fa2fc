//! Hashes passwords: few at once, in reused memory, behind bounded queues.
//!
//! Invariants: at most [`Limits::at_once`] passwords are hashed at the same time, in as many buffers of 19 MiB. A
//! request that finds its queue full is refused before anything is read or hashed. Devices that signed in before have a
//! separate queue, which strangers cannot fill.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::password::Memory;
use crate::base::blocking::BlockingPool;

/// The limits for hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of passwords that are hashed at once. Each uses one processor core and 19 MiB.
    pub at_once: usize,
    /// The length of each queue, including running requests. Strangers and known devices have separate queues.
    pub waiting: usize,
}

impl Default for Limits {
    /// Hashes two at once. The last request of both full queues waits about 0.7 s on an idle processor (42 ms each).
    fn default() -> Self {
        Self { at_once: 2, waiting: 16 }
    }
}

/// The queue of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// For devices that have not signed in before.
    Strangers,
    /// For devices that signed in before, and for signed-in people.
    Known,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct QueueFull;

/// Hashing did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hashing a password did not complete")]
pub struct HashingStopped;

/// A place in a queue, for all passwords that one request hashes. Dropping it frees the place.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "dropping it frees the place")] OwnedSemaphorePermit);

/// Hashes passwords. Clones share the queues and the memory.
#[derive(Clone)]
pub struct Hashing(Arc<Inner>);

struct Inner {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
    running: Arc<Semaphore>,
    memory: Mutex<Vec<Memory>>,
}

impl Hashing {
    /// Creates empty queues with these limits. Memory is allocated when it is first needed.
    pub fn new(limits: Limits) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self(Arc::new(Inner {
            strangers: semaphore(limits.waiting),
            known: semaphore(limits.waiting),
            running: semaphore(limits.at_once),
            memory: Mutex::default(),
        }))
    }

    /// Takes a place in a queue without waiting.
    ///
    /// # Errors
    /// [`QueueFull`] if all places are taken.
    pub fn enter(&self, queue: Queue) -> Result<Permit, QueueFull> {
        let semaphore = match queue {
            Queue::Strangers => &self.0.strangers,
            Queue::Known => &self.0.known,
        };
        semaphore.clone().try_acquire_owned().map(Permit).map_err(|_| QueueFull)
    }

    /// Runs `hash` on the blocking pool, in the order in which requests arrive.
    ///
    /// # Errors
    /// [`HashingStopped`] if it did not complete.
    pub async fn run<T: Send + 'static>(
        &self,
        blocking: &BlockingPool,
        _permit: &Permit,
        hash: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashingStopped> {
        let running = self.0.running.clone().acquire_owned().await.map_err(|_| HashingStopped)?;
        let inner = self.0.clone();
        let work = move || {
            let mut memory = inner.take_memory();
            let hashed = hash(&mut memory);
            inner.return_memory(memory);
            // The work holds the permit, because it continues even if its request is canceled.
            drop(running);
            hashed
        };
        blocking.run(work).await.map_err(|_| HashingStopped)
    }

    /// Returns the number of buffers that are kept for reuse.
    #[cfg(test)]
    fn pooled(&self) -> usize {
        self.0.memory.lock().unwrap().len()
    }
}

impl Inner {
    fn take_memory(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn return_memory(&self, memory: Memory) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashing")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    type QueuedWork = Arc<Mutex<Vec<Box<dyn FnOnce() + Send>>>>;

    /// Returns a pool that queues its work until the test runs it.
    fn queued_pool() -> (BlockingPool, QueuedWork) {
        let queue = Arc::new(Mutex::new(Vec::new()));
        let works = queue.clone();
        (BlockingPool::by(move |work| works.lock().unwrap().push(work)), queue)
    }

    #[test]
    fn a_full_queue_of_strangers_does_not_block_known_devices() {
        let hashing = Hashing::new(Limits { at_once: 1, waiting: 2 });
        let permits = [hashing.enter(Queue::Strangers), hashing.enter(Queue::Strangers)];
        assert!(permits.iter().all(Result::is_ok));
        assert_eq!(hashing.enter(Queue::Strangers).err(), Some(QueueFull));
        assert!(hashing.enter(Queue::Known).is_ok());
        drop(permits);
        assert!(hashing.enter(Queue::Strangers).is_ok(), "a dropped permit frees its place");
    }

    #[test]
    fn concurrency_is_limited_and_memory_is_reused() {
        let hashing = Hashing::new(Limits { at_once: 2, waiting: 8 });
        let (blocking, started) = queued_pool();
        let permit = hashing.enter(Queue::Strangers).unwrap();
        let mut waiting: Vec<_> =
            (0..6).map(|number| Box::pin(hashing.run(&blocking, &permit, move |_| number))).collect();
        let mut done = Vec::new();
        for round in 0..3 {
            waiting.retain_mut(|one| match one.as_mut().now_or_never() {
                Some(hashed) => {
                    done.push(hashed.unwrap());
                    false
                }
                None => true,
            });
            let works = std::mem::take(&mut *started.lock().unwrap());
            assert_eq!(works.len(), 2, "round {round}");
            works.into_iter().for_each(|work| work());
        }
        done.extend(waiting.into_iter().map(|one| one.now_or_never().unwrap().unwrap()));
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
        assert!(hashing.pooled() <= 2, "{} buffers", hashing.pooled());
    }

    #[test]
    fn work_of_a_canceled_request_still_counts_as_running() {
        let hashing = Hashing::new(Limits { at_once: 1, waiting: 8 });
        let (blocking, started) = queued_pool();
        let permit = hashing.enter(Queue::Strangers).unwrap();
        let mut canceled = Box::pin(hashing.run(&blocking, &permit, |_| ()));
        assert!(canceled.as_mut().now_or_never().is_none());
        drop(canceled);
        let mut next = Box::pin(hashing.run(&blocking, &permit, |_| ()));
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(started.lock().unwrap().len(), 1, "the second has not started");
        let work = started.lock().unwrap().remove(0);
        work();
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(started.lock().unwrap().len(), 1);
    }
}
