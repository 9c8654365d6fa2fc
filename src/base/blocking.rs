//! The pool for slow work, such as hashing passwords.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

/// A pool that runs slow work, so that it does not block other requests.
#[derive(Clone)]
pub struct BlockingPool(Arc<Start>);

type Work = Box<dyn FnOnce() + Send>;

type Start = dyn Fn(Work) + Send + Sync;

/// The work panicked or never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task of the thread pool did not finish")]
pub struct WorkLost;

impl BlockingPool {
    /// Creates a pool that runs work with `start`, for example on a thread.
    pub fn by(start: impl Fn(Work) + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Creates a pool that runs work immediately on the current thread, for hosts with only one thread.
    pub fn here() -> Self {
        Self::by(|work| work())
    }

    /// Runs the work. It runs to its end even if the caller stops waiting.
    ///
    /// # Errors
    /// [`WorkLost`] if the work panicked or never started.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkLost> {
        let (done, outcome) = oneshot::channel();
        // The caller may have stopped waiting.
        (self.0)(Box::new(move || drop(done.send(work()))));
        outcome.await.map_err(|_| WorkLost)
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingPool")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn work_runs_here_or_in_a_queue() {
        assert_eq!(BlockingPool::here().run(|| 7).now_or_never(), Some(Ok(7)));

        let queue = Arc::new(Mutex::new(Vec::new()));
        let shared = queue.clone();
        let blocking = BlockingPool::by(move |work| shared.lock().unwrap().push(work));
        let mut waiting = Box::pin(blocking.run(|| 7));
        assert_eq!(waiting.as_mut().now_or_never(), None, "the work is still queued");
        queue.lock().unwrap().remove(0)();
        assert_eq!(waiting.now_or_never(), Some(Ok(7)));

        let waiting = blocking.run(|| 7);
        let mut waiting = Box::pin(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        queue.lock().unwrap().clear();
        assert_eq!(waiting.now_or_never(), Some(Err(WorkLost)));
    }
}
