//! Bounded waiting for a condition: the only place where a case waits for time to pass.

use std::future::Future;
use std::time::{Duration, Instant};

/// The default limit for a condition.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The time between two checks of the condition.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Repeats `check` until it returns `Ok`, and returns its value.
///
/// # Errors
/// The last error, after `limit` has passed.
pub async fn within<T, E, F>(limit: Duration, mut check: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + limit;
    loop {
        match check().await {
            Ok(found) => return Ok(found),
            Err(reason) if Instant::now() >= end => return Err(reason),
            Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Waits until `condition` holds; panics with `what` after [`TIMEOUT`].
pub async fn until<F>(what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let met = within(TIMEOUT, || {
        let check = condition();
        async move { if check.await { Ok(()) } else { Err(()) } }
    });
    assert!(met.await.is_ok(), "timed out after {TIMEOUT:?}: {what}");
}
