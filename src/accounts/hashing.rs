//! Where passwords are hashed: few at once, in memory that is used again, behind a queue that is bounded.
//!
//! Invariants: at most [`Limits::at_once`] hashings run, and as many pieces of memory of 19 MiB exist; a request that
//! finds the queue full is refused before anything is read or hashed. Devices that signed in before have places of
//! their own, so that strangers cannot fill theirs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::password::Memory;
use crate::base::blocking::BlockingPool;

/// How much is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many hashings run at once. Each uses a whole processor and 19 MiB.
    pub at_once: usize,
    /// How many requests of strangers may wait or run; as many of known devices come on top.
    pub waiting: usize,
}

impl Default for Limits {
    /// Two at once. A place at the end of both queues is some 0.7 s from its turn on a free processor (42 ms each).
    fn default() -> Self {
        Self { at_once: 2, waiting: 16 }
    }
}

/// Whose password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// A device that has not signed in here before.
    Stranger,
    /// A device that signed in before, or a person who is signed in.
    Known,
}

/// All places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub struct QueueFull;

/// The work came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password was not hashed to the end")]
pub struct HashingStopped;

/// A place in the queue, for all hashings of one request. Dropped, it is free again.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it is only dropped")] OwnedSemaphorePermit);

/// Where passwords are hashed. Clones share it.
#[derive(Clone)]
pub struct Hashing(Arc<Inner>);

struct Inner {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
    running: Arc<Semaphore>,
    memory: Mutex<Vec<Memory>>,
}

impl Hashing {
    /// A queue with these limits and no memory yet.
    pub fn new(limits: Limits) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self(Arc::new(Inner {
            strangers: semaphore(limits.waiting),
            known: semaphore(limits.waiting),
            running: semaphore(limits.at_once),
            memory: Mutex::default(),
        }))
    }

    /// Takes a place in the queue, or none at once where all are taken.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub fn place(&self, guest: Guest) -> Result<Place, QueueFull> {
        let queue = match guest {
            Guest::Stranger => &self.0.strangers,
            Guest::Known => &self.0.known,
        };
        queue.clone().try_acquire_owned().map(Place).map_err(|_| QueueFull)
    }

    /// Hashes, in the order in which requests come, where it holds up no other request.
    ///
    /// # Errors
    /// [`HashingStopped`].
    pub async fn run<T: Send + 'static>(
        &self,
        blocking: &BlockingPool,
        _place: &Place,
        hash: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashingStopped> {
        let running = self.0.running.clone().acquire_owned().await.map_err(|_| HashingStopped)?;
        let inner = self.0.clone();
        let work = move || {
            let mut memory = inner.take();
            let hashed = hash(&mut memory);
            inner.give_back(memory);
            // Held by the work, which goes on where the request that waits for it is gone.
            drop(running);
            hashed
        };
        blocking.run(work).await.map_err(|_| HashingStopped)
    }

    /// How many pieces of memory are kept for later.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.0.memory.lock().unwrap().len()
    }
}

impl Inner {
    fn take(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, memory: Memory) {
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

    type Held = Arc<Mutex<Vec<Box<dyn FnOnce() + Send>>>>;

    /// Work that waits until a test does it.
    fn held() -> (BlockingPool, Held) {
        let queue = Arc::new(Mutex::new(Vec::new()));
        let held = queue.clone();
        (BlockingPool::by(move |work| held.lock().unwrap().push(work)), queue)
    }

    #[test]
    fn a_full_queue_refuses_strangers_and_keeps_places_for_known_devices() {
        let hashing = Hashing::new(Limits { at_once: 1, waiting: 2 });
        let places = [hashing.place(Guest::Stranger), hashing.place(Guest::Stranger)];
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(hashing.place(Guest::Stranger).err(), Some(QueueFull));
        assert!(hashing.place(Guest::Known).is_ok());
        drop(places);
        assert!(hashing.place(Guest::Stranger).is_ok(), "a place that was given back is free");
    }

    #[test]
    fn no_more_run_at_once_than_may_and_their_memory_is_used_again() {
        let hashing = Hashing::new(Limits { at_once: 2, waiting: 8 });
        let (blocking, begun) = held();
        let place = hashing.place(Guest::Stranger).unwrap();
        let mut waiting: Vec<_> =
            (0..6).map(|number| Box::pin(hashing.run(&blocking, &place, move |_| number))).collect();
        let mut done = Vec::new();
        for round in 0..3 {
            waiting.retain_mut(|one| match one.as_mut().now_or_never() {
                Some(hashed) => {
                    done.push(hashed.unwrap());
                    false
                }
                None => true,
            });
            let works = std::mem::take(&mut *begun.lock().unwrap());
            assert_eq!(works.len(), 2, "round {round}");
            works.into_iter().for_each(|work| work());
        }
        done.extend(waiting.into_iter().map(|one| one.now_or_never().unwrap().unwrap()));
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
        assert!(hashing.kept() <= 2, "{} pieces of memory", hashing.kept());
    }

    #[test]
    fn what_a_gone_request_had_begun_still_counts_as_running() {
        let hashing = Hashing::new(Limits { at_once: 1, waiting: 8 });
        let (blocking, begun) = held();
        let place = hashing.place(Guest::Stranger).unwrap();
        let mut gone = Box::pin(hashing.run(&blocking, &place, |_| ()));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        let mut next = Box::pin(hashing.run(&blocking, &place, |_| ()));
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(begun.lock().unwrap().len(), 1, "the second has not begun");
        let work = begun.lock().unwrap().remove(0);
        work();
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(begun.lock().unwrap().len(), 1);
    }
}
