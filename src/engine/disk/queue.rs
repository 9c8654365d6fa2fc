//! The queue of writes.
//!
//! Request writes are processed as they arrive. While requests write, background writes share one group a
//! second, so that they barely slow requests down. Otherwise they are processed as they arrive, too.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::error::EngineError;
use super::super::state::WriteContext;

/// Answers a write after its group is on disk or has failed.
pub type Completion = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// Evaluates a write. Returns whether to store it, and its completion.
pub type Job = Box<dyn FnOnce(&mut WriteContext<'_>) -> (bool, Completion) + Send>;

/// The maximum number of queued request writes. Further writes are throttled.
const MAX_REQUESTS: usize = 1024;
/// The maximum number of queued background writes.
const MAX_BACKGROUND: usize = 256;
/// The maximum number of writes of each priority in one group.
const MAX_GROUP: usize = 64;
/// The interval of background writes while requests write.
const BACKGROUND_INTERVAL: Duration = Duration::from_secs(1);
/// The time without request writes after which background writes need not wait.
const REQUEST_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// As soon as possible, because a caller is waiting.
    Request,
    /// When it does not delay requests.
    Background,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    Full,
    Closed,
}

#[derive(Default)]
struct QueueState {
    requests: VecDeque<Job>,
    background: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
pub struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, job: Job, priority: Priority) -> Result<(), PushError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        let (queue, limit) = match priority {
            Priority::Request => (&mut state.requests, MAX_REQUESTS),
            Priority::Background => (&mut state.background, MAX_BACKGROUND),
        };
        if queue.len() >= limit {
            return Err(PushError::Full);
        }
        queue.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Rejects further writes. Queued writes are still processed, and background writes no longer wait.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Rejects further writes and drops the queued ones.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = (std::mem::take(&mut state.requests), std::mem::take(&mut state.background));
        drop(state);
        drop(dropped);
    }

    /// Waits until a group can start. Returns `None` when the queue is closed and empty.
    pub fn next_group(&self, schedule: &mut Schedule, now: &dyn Fn() -> Instant) -> Option<Group> {
        let mut state = self.lock();
        loop {
            let now = now();
            let wait = schedule.background_delay(now);
            let background = !state.background.is_empty() && (wait.is_zero() || state.closed);
            if background || !state.requests.is_empty() {
                schedule.record(now, !state.requests.is_empty(), background);
                return Some(Group {
                    requests: MAX_GROUP,
                    background: if background { MAX_GROUP } else { 0 },
                });
            }
            if state.closed && state.background.is_empty() {
                return None;
            }
            state = if state.background.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Takes the next write of a group. Request writes come first.
    pub fn next(&self, group: &mut Group) -> Option<Job> {
        let mut state = self.lock();
        if group.requests > 0
            && let Some(job) = state.requests.pop_front()
        {
            group.requests -= 1;
            return Some(job);
        }
        if group.background == 0 {
            return None;
        }
        group.background -= 1;
        state.background.pop_front()
    }
}

/// The number of writes of each priority that a group can still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    requests: usize,
    background: usize,
}

/// The time of the last write of each priority.
#[derive(Debug, Default)]
pub struct Schedule {
    request: Option<Instant>,
    background: Option<Instant>,
}

impl Schedule {
    /// Returns how long background writes must wait.
    fn background_delay(&self, now: Instant) -> Duration {
        let remaining = |last: Option<Instant>, time: Duration| {
            last.map_or(Duration::ZERO, |last| (last + time).saturating_duration_since(now))
        };
        remaining(self.request, REQUEST_PAUSE).min(remaining(self.background, BACKGROUND_INTERVAL))
    }

    fn record(&mut self, now: Instant, requests: bool, background: bool) {
        if requests {
            self.request = Some(now);
        }
        if background {
            self.background = Some(now);
        }
    }

    /// Records that a group is on disk. The requests that it answered may write again from now on.
    pub fn finish_group(&mut self, group: Group, now: Instant) {
        self.record(now, group.requests < MAX_GROUP, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_writes_wait_for_a_pause_in_requests_or_one_second() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.background_delay(start), Duration::ZERO, "no writes yet");
        schedule.record(start, true, true);
        assert_eq!(schedule.background_delay(at(10)), Duration::from_millis(40));
        for request in (20..=980).step_by(20) {
            schedule.record(at(request), true, false);
        }
        assert_eq!(
            schedule.background_delay(at(990)),
            Duration::from_millis(10),
            "the interval ends before a pause"
        );
        assert_eq!(schedule.background_delay(at(1_000)), Duration::ZERO);
        schedule.record(at(1_000), true, true);
        assert_eq!(schedule.background_delay(at(1_001)), Duration::from_millis(49));
        assert_eq!(schedule.background_delay(at(1_050)), Duration::ZERO, "requests paused");
        schedule.record(at(1_050), false, true);
        assert_eq!(schedule.background_delay(at(1_050)), Duration::ZERO, "requests are still paused");
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
        assert_eq!(kinds(&queue, group), (1, 0), "the interval has not passed");
        queue.close();
        let group = queue.next_group(&mut schedule, &now).unwrap();
        assert_eq!(kinds(&queue, group), (0, 1), "queued writes run after the queue is closed");
        assert!(queue.next_group(&mut schedule, &now).is_none());
        assert_eq!(queue.push(job(), Priority::Request), Err(PushError::Closed));
    }

    #[test]
    fn the_queue_is_bounded_per_priority() {
        let queue = Queue::default();
        for (priority, limit) in [(Priority::Background, MAX_BACKGROUND), (Priority::Request, MAX_REQUESTS)] {
            for _ in 0..limit {
                queue.push(job(), priority).unwrap();
            }
            assert_eq!(queue.push(job(), priority), Err(PushError::Full));
        }
    }
}
