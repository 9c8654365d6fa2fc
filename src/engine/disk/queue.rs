//! The writes that wait for the writer.
//!
//! Requests' writes are taken as they come. While there are some, background writes share one group a second, so that
//! they cost requests next to nothing; otherwise they are taken as they come, too.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::Job;

/// Requests' writes that wait at most. Beyond it, writes are throttled.
const REQUESTS: usize = 1024;
/// Background writes that wait at most.
const BACKGROUND: usize = 256;
/// Writes of each kind that share one sync at most.
const GROUP: usize = 64;
/// How often background writes are done while requests write.
const BACKGROUND_INTERVAL: Duration = Duration::from_secs(1);
/// Requests count as paused when none was written for this long.
const QUIET: Duration = Duration::from_millis(50);

/// How soon a write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// As soon as possible: someone waits for it.
    Request,
    /// When it does not hold up requests.
    Background,
}

/// Why a write was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are too many.
    Full,
    /// The queue is closed.
    Closed,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Job>,
    background: VecDeque<Job>,
    closed: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a write.
    ///
    /// # Errors
    /// [`Refused`]; the write is dropped.
    pub fn push(&self, job: Job, priority: Priority) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        let (queue, limit) = match priority {
            Priority::Request => (&mut waiting.requests, REQUESTS),
            Priority::Background => (&mut waiting.background, BACKGROUND),
        };
        if queue.len() >= limit {
            return Err(Refused::Full);
        }
        queue.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes no further writes. Those that wait are still done, background writes at once.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes no further writes, and drops those that wait.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let dropped = (std::mem::take(&mut waiting.requests), std::mem::take(&mut waiting.background));
        drop(waiting);
        drop(dropped);
    }

    /// Waits until a group can begin. `None` once the queue is closed and empty.
    pub fn next_group(&self, schedule: &mut Schedule, now: &dyn Fn() -> Instant) -> Option<Group> {
        let mut waiting = self.lock();
        loop {
            let now = now();
            let wait = schedule.until_background(now);
            let background = !waiting.background.is_empty() && (wait.is_zero() || waiting.closed);
            if background || !waiting.requests.is_empty() {
                schedule.note(now, !waiting.requests.is_empty(), background);
                return Some(Group { requests: GROUP, background: if background { GROUP } else { 0 } });
            }
            if waiting.closed && waiting.background.is_empty() {
                return None;
            }
            waiting = if waiting.background.is_empty() {
                self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.changed.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Takes the next write of a group: those of requests first.
    pub fn next(&self, group: &mut Group) -> Option<Job> {
        let mut waiting = self.lock();
        if group.requests > 0
            && let Some(job) = waiting.requests.pop_front()
        {
            group.requests -= 1;
            return Some(job);
        }
        if group.background == 0 {
            return None;
        }
        group.background -= 1;
        waiting.background.pop_front()
    }
}

/// How many writes a group may still take of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    requests: usize,
    background: usize,
}

/// When each kind of write was done last.
#[derive(Debug, Default)]
pub struct Schedule {
    request: Option<Instant>,
    background: Option<Instant>,
}

impl Schedule {
    /// How long background writes have to wait.
    fn until_background(&self, now: Instant) -> Duration {
        let remaining = |last: Option<Instant>, time: Duration| {
            last.map_or(Duration::ZERO, |last| (last + time).saturating_duration_since(now))
        };
        remaining(self.request, QUIET).min(remaining(self.background, BACKGROUND_INTERVAL))
    }

    fn note(&mut self, now: Instant, requests: bool, background: bool) {
        if requests {
            self.request = Some(now);
        }
        if background {
            self.background = Some(now);
        }
    }

    /// Notes that a group is on disk. Requests that it answered may write again from now on.
    pub fn end(&mut self, group: Group, now: Instant) {
        self.note(now, group.requests < GROUP, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_writes_wait_until_requests_pause_or_a_second_is_over() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.until_background(start), Duration::ZERO, "nothing was done yet");
        schedule.note(start, true, true);
        assert_eq!(schedule.until_background(at(10)), Duration::from_millis(40));
        for request in (20..=980).step_by(20) {
            schedule.note(at(request), true, false);
        }
        assert_eq!(
            schedule.until_background(at(990)),
            Duration::from_millis(10),
            "the second is over before a pause"
        );
        assert_eq!(schedule.until_background(at(1_000)), Duration::ZERO);
        schedule.note(at(1_000), true, true);
        assert_eq!(schedule.until_background(at(1_001)), Duration::from_millis(49));
        assert_eq!(schedule.until_background(at(1_050)), Duration::ZERO, "requests paused");
        schedule.note(at(1_050), false, true);
        assert_eq!(schedule.until_background(at(1_050)), Duration::ZERO, "they pause still");
    }

    fn job() -> Job {
        Box::new(|_| (true, Box::new(drop)))
    }

    #[test]
    fn a_group_takes_requests_first_and_background_writes_once_a_second() {
        let (queue, mut schedule) = (Queue::default(), Schedule::default());
        let start = Instant::now();
        let now = || start;
        let kinds = |queue: &Queue, mut group: Group| {
            let mut kinds = (0, 0);
            loop {
                let before = group;
                if queue.next(&mut group).is_none() {
                    return kinds;
                }
                kinds.0 += before.requests - group.requests;
                kinds.1 += before.background - group.background;
            }
        };
        for _ in 0..3 {
            queue.push(job(), Priority::Background).unwrap();
            queue.push(job(), Priority::Request).unwrap();
        }
        let group = queue.next_group(&mut schedule, &now).unwrap();
        assert_eq!(kinds(&queue, group), (3, 3));
        queue.push(job(), Priority::Background).unwrap();
        queue.push(job(), Priority::Request).unwrap();
        let group = queue.next_group(&mut schedule, &now).unwrap();
        assert_eq!(kinds(&queue, group), (1, 0), "they were done a moment ago");
        queue.close();
        let group = queue.next_group(&mut schedule, &now).unwrap();
        assert_eq!(kinds(&queue, group), (0, 1), "what waits is done before the end");
        assert!(queue.next_group(&mut schedule, &now).is_none());
        assert_eq!(queue.push(job(), Priority::Request), Err(Refused::Closed));
    }

    #[test]
    fn a_queue_is_bounded_for_each_kind() {
        let queue = Queue::default();
        for (priority, limit) in [(Priority::Background, BACKGROUND), (Priority::Request, REQUESTS)] {
            for _ in 0..limit {
                queue.push(job(), priority).unwrap();
            }
            assert_eq!(queue.push(job(), priority), Err(Refused::Full));
        }
    }
}
