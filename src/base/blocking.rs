//! The pool for slow work, such as hashing passwords.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

/// Where slow work is done, so that it holds up no other request.
#[derive(Clone)]
pub struct BlockingPool(Arc<Start>);

type Work = Box<dyn FnOnce() + Send>;

type Start = dyn Fn(Work) + Send + Sync;

/// Work that was done aside came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work came to no end")]
pub struct WorkLost;

impl BlockingPool {
    /// On a thread to which a function hands the work.
    pub fn by(start: impl Fn(Work) + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Here and now: where there is one thread only.
    pub fn here() -> Self {
        Self::by(|work| work())
    }

    /// Does the work, to its end even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`WorkLost`] if it panicked or was never begun.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkLost> {
        let (done, outcome) = oneshot::channel();
        // Nobody may be waiting any more.
        (self.0)(Box::new(move || drop(done.send(work()))));
        outcome.await.map_err(|_| WorkLost)
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn work_is_done_aside_here_or_by_others() {
        assert_eq!(BlockingPool::here().run(|| 7).now_or_never(), Some(Ok(7)));

        let queue = Arc::new(Mutex::new(Vec::new()));
        let held = queue.clone();
        let blocking = BlockingPool::by(move |work| held.lock().unwrap().push(work));
        let mut waiting = Box::pin(blocking.run(|| 7));
        assert_eq!(waiting.as_mut().now_or_never(), None, "nobody has done it");
        queue.lock().unwrap().remove(0)();
        assert_eq!(waiting.now_or_never(), Some(Ok(7)));

        let waiting = blocking.run(|| 7);
        let mut waiting = Box::pin(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        queue.lock().unwrap().clear();
        assert_eq!(waiting.now_or_never(), Some(Err(WorkLost)));
    }
}
