//! Telemetry: a report for each request and batch, with its outcome and cost.
//!
//! Invariants: each request is reported once, with its route's pattern and never its path, and with its sender's role
//! and never their identity. Reporting cannot fail or change an answer. [`Telemetry`] decides where reports go: on
//! Lambda to a log line from which CloudWatch creates metrics, elsewhere to the log.

mod heartbeats;
pub(crate) mod metrics;
mod report;
mod trace;

pub use heartbeats::{Heartbeats, LATE_SECONDS, SweepFailures, late_words};
pub(crate) use metrics::current_trace;
pub use metrics::{RequestMetrics, unfinished};
pub use report::{ESSENTIAL, Metrics, Report, embedded_metrics};
pub use trace::{TRACE_HEADER, TraceId};

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, Method, StatusCode};
use jiff::Timestamp;
use tracing::Instrument as _;

use super::clock::Clock;

/// The header with the request's id. Every answer has it, so that people can quote it when they report a failure.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request in the log. The host may have assigned it, as Lambda does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The receiver of reports about requests and batches.
#[derive(Clone)]
pub struct Telemetry(Arc<Receiver>);

type Receiver = dyn Fn(&Report) + Send + Sync;

impl Telemetry {
    /// Sends reports to a function, which must not block.
    pub fn to(receiver: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receiver))
    }

    /// Discards all reports.
    pub fn silent() -> Self {
        Self::to(|_| ())
    }

    /// Reports a request.
    pub fn request(
        &self,
        at: Timestamp,
        id: &RequestId,
        method: &Method,
        status: StatusCode,
        latency: Duration,
        metrics: &RequestMetrics,
    ) {
        (self.0)(&Report::of_request(at, id, method, status, latency, metrics));
    }

    /// Runs work that is not a request (a batch of the stream, a sweep) and reports it.
    ///
    /// # Errors
    /// The errors of the work.
    pub async fn measure<T, E>(
        &self,
        clock: &Clock,
        name: &'static str,
        id: RequestId,
        trace: Option<TraceId>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let metrics = RequestMetrics::new(trace);
        let span = tracing::info_span!("batch", id = id.0);
        let start = Instant::now();
        let done = metrics.over(work).instrument(span).await;
        (self.0)(&Report::of_batch(clock.now(), &id, name, done.is_ok(), start.elapsed(), &metrics));
        done
    }

    /// Sends reports to the log, at a level that depends on the outcome.
    pub fn to_log() -> Self {
        Self::to(Report::log)
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}
