//! Virtual time for one future at a time: it advances when nothing else can happen, so waiting takes no real time.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// The sleeping tasks with their wake-up times.
    sleepers: Vec<(Duration, Waker)>,
}

/// A virtual clock and its sleepers. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub struct VirtualTime(Arc<Mutex<State>>);

impl VirtualTime {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        self.state().now
    }

    /// The sleep implementation of this clock.
    pub fn sleep(&self) -> SharedAsyncSleep {
        SharedAsyncSleep::new(self.clone())
    }

    /// Waits for this long.
    pub async fn wait(&self, time: Duration) {
        let end = self.now() + time;
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.now >= end {
                return Poll::Ready(());
            }
            state.sleepers.push((end, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Runs a future to its end. Whenever it waits, the time advances to the next wake-up.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return done;
            }
            let mut state = self.state();
            let next = state.sleepers.iter().map(|(end, _)| *end).filter(|end| *end > state.now).min();
            let now = next.expect("the work waits only for virtual time");
            state.now = now;
            let (awake, asleep) =
                std::mem::take(&mut state.sleepers).into_iter().partition(|(end, _)| *end <= now);
            state.sleepers = asleep;
            drop(state);
            let awake: Vec<(Duration, Waker)> = awake;
            awake.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }
}

impl AsyncSleep for VirtualTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        let time = self.clone();
        Sleep::new(async move { time.wait(duration).await })
    }
}
