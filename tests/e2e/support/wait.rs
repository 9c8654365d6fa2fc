//! Bounded waiting on a condition: the only place where a case may let time pass.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take before the case fails, unless it says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The pause between two looks at the condition.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` answers `Ok`, and gives back what it found.
///
/// # Errors
/// What the last look said, once `limit` has passed.
pub async fn within<T, E, F>(limit: Duration, mut look: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + limit;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(reason) if Instant::now() >= end => return Err(reason),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits until `condition` holds; panics with `what` if it does not within [`PATIENCE`].
pub async fn until<F>(what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let held = within(PATIENCE, || {
        let look = condition();
        async move { if look.await { Ok(()) } else { Err(()) } }
    });
    assert!(held.await.is_ok(), "waited {PATIENCE:?} in vain: {what}");
}
