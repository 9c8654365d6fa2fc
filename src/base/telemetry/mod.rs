//! What is told of each request and batch: one line, with what came of it and what it cost.
//!
//! What always holds: a request is told once, by its route's pattern and never by its address, with its sender's role
//! and never with who it was; telling can neither fail nor change an answer. Who listens comes in through
//! [`Telemetry`]: a line that CloudWatch makes metrics of on Lambda, the log elsewhere.

mod heartbeats;
mod report;
pub(crate) mod tally;
mod trace;

pub use heartbeats::{Heartbeats, LATE_SECONDS, late_words};
pub use report::{Metrics, Report, embedded_metrics};
pub use tally::{Tally, unfinished};
pub use trace::{TRACE_HEADER, TraceId};

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderName;
use http::{Method, StatusCode};
use jiff::Timestamp;
use tracing::Instrument as _;

use super::clock::Clock;

/// What every answer carries, to be quoted to whoever reads the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Under what a request is found in the log. Whoever received it may have named it already (Lambda does).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The trace that the work of now belongs to.
pub(crate) fn current_trace() -> Option<TraceId> {
    tally::current_trace()
}

/// Who is told what came of requests and batches.
#[derive(Clone)]
pub struct Telemetry(Arc<Tell>);

type Tell = dyn Fn(&Report) + Send + Sync;

impl Telemetry {
    /// Tells a function, which must not block.
    pub fn to(tell: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::to(|_| ())
    }

    /// Presents what came of a request.
    pub fn request(
        &self,
        at: Timestamp,
        id: &RequestId,
        method: &Method,
        status: StatusCode,
        latency: Duration,
        tally: &Tally,
    ) {
        (self.0)(&Report::of_request(at, id, method, status, latency, tally));
    }

    /// Does some work that is no request (a batch of the stream, a sweep), and presents what came of it.
    ///
    /// # Errors
    /// As the work.
    pub async fn measure<T, E>(
        &self,
        clock: &Clock,
        name: &'static str,
        id: RequestId,
        trace: Option<TraceId>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let tally = Tally::new(trace);
        let span = tracing::info_span!("batch", id = id.0);
        let start = Instant::now();
        let done = tally.over(work).instrument(span).await;
        (self.0)(&Report::of_batch(clock.now(), &id, name, done.is_ok(), start.elapsed(), &tally));
        done
    }

    /// Tells the log, at the level that the outcome deserves.
    pub fn to_log() -> Self {
        Self::to(Report::log)
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}
