//! The outermost layer: it reports each request.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::respond::header_text;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::{REQUEST_ID, RequestId, RequestMetrics, Telemetry, TraceId};

/// The dependencies of the layer.
#[derive(Debug, Clone)]
pub struct Observer {
    /// The receiver of reports.
    pub telemetry: Telemetry,
    /// The clock.
    pub clock: Clock,
    /// The source of ids for requests without one.
    pub rng: Rng,
}

/// Gives each request an id, collects its metrics, and reports it after the answer.
pub async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let named = request.extensions_mut().remove::<RequestId>();
    let id = named.unwrap_or_else(|| RequestId(observer.rng.uuid().to_string()));
    let trace = request.extensions_mut().remove::<TraceId>().or_else(|| TraceId::of(request.headers()));
    let (metrics, method) = (RequestMetrics::new(trace), request.method().clone());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = id.0);
    let start = Instant::now();
    let mut response = metrics.over(next.run(request)).instrument(span).await;
    let status = response.status();
    let latency = start.elapsed();
    observer.telemetry.request(observer.clock.now(), &id, &method, status, latency, &metrics);
    response.headers_mut().insert(REQUEST_ID, header_text(&id.0));
    response
}
