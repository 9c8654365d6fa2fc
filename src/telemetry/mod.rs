//! What is told of each request and batch: one line, with what came of it and what it cost.
//!
//! What always holds: a request is told once, by its route's pattern and never by its address, with its sender's role
//! and never with who it was; telling can neither fail nor change an answer. Who listens comes in through
//! [`App`]: a line that CloudWatch makes metrics of on Lambda, the log elsewhere.

mod heartbeats;
mod report;
pub(crate) mod tally;
mod trace;

pub use heartbeats::{Heartbeats, LATE_SECONDS, late_words};
pub use report::{Metrics, Report, embedded_metrics};
pub use tally::{Tally, unfinished};
pub use trace::{PassOn, TraceId};

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderName;
use tracing::Instrument as _;

use crate::app::App;
use crate::web::respond::header_text;

/// What every answer carries, to be quoted to whoever reads the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Under what a request is found in the log. Whoever received it may have named it already (Lambda does).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

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

/// The layer around everything else: each request has an id, a tally, and is told when it is answered.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let named = request.extensions_mut().remove::<RequestId>();
    let id = named.unwrap_or_else(|| RequestId(app.entropy.uuid().to_string()));
    let trace = request.extensions_mut().remove::<TraceId>().or_else(|| TraceId::of(request.headers()));
    let (tally, method) = (Tally::new(trace), request.method().clone());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = id.0);
    let start = Instant::now();
    let mut response = tally.over(next.run(request)).instrument(span).await;
    let status = response.status();
    let latency = start.elapsed();
    (app.telemetry.0)(&Report::of_request(&app, &id, &method, status, latency, &tally));
    response.headers_mut().insert(REQUEST_ID, header_text(&id.0));
    response
}

/// Does some work that is no request (a batch of the stream, a sweep), and tells what came of it.
///
/// # Errors
/// As the work.
pub async fn measured<T, E>(
    app: &App,
    name: &'static str,
    id: RequestId,
    trace: Option<TraceId>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let tally = Tally::new(trace);
    let span = tracing::info_span!("batch", id = id.0);
    let start = Instant::now();
    let done = tally.over(work).instrument(span).await;
    (app.telemetry.0)(&Report::of_batch(app, &id, name, done.is_ok(), start.elapsed(), &tally));
    done
}
