//! The parts that the bootstraps of all Lambda functions share.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use futures_util::future::LocalBoxFuture;
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, Context, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::aws::app_of;
use super::process::{StartError, log_filter, log_panics, redact};
use crate::app::App;
use crate::base::rng::Rng;
use crate::base::telemetry::{Metrics, RequestId, Telemetry, TraceId, embedded_metrics};
use crate::hosts::config::Config;
use crate::web::time_limit::TimeLeft;

const METRICS: &str = "HOLDFAST_METRICS";

/// Logs one JSON object per line, as CloudWatch reads them, including panics.
pub fn log_as_json() {
    log_panics();
    let events = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    tracing_subscriber::registry().with(redact()).with(log_filter("info")).with(events).init();
}

/// Runs a function that serves no pages until Lambda stops it. `handle` handles one event; each event is reported under
/// `name`.
pub async fn run_worker<T, R, F>(
    name: &'static str,
    handle: impl Fn(&'static App, LambdaEvent<T>) -> F,
) -> ExitCode
where
    T: DeserializeOwned,
    R: Serialize + 'static,
    F: Future<Output = Result<R, Error>> + 'static,
{
    log_as_json();
    let served = async {
        // The application lives as long as the process.
        let app: &'static App = Box::leak(Box::new(app_without_pages().await?));
        // The type is erased, because the nesting of the runtime's own futures already reaches the compiler's limit.
        let handler = |event: LambdaEvent<T>| -> LocalBoxFuture<'static, Result<R, Error>> {
            let (id, trace) = (request_id(&event.context), trace_id(&event.context));
            Box::pin(app.telemetry.measure(&app.clock, name, id, trace, handle(app, event)))
        };
        lambda_runtime::run(service_fn(handler)).await
    };
    exit_code(served.await)
}

async fn app_without_pages() -> Result<App, StartError> {
    let config = Config::without_pages(|name| std::env::var(name).ok(), &Rng::of_system())?;
    Ok(App { telemetry: to_cloudwatch(), ..app_of(&config).await? })
}

/// Prints one line per request or batch, from which CloudWatch creates a log entry and metrics. `HOLDFAST_METRICS`
/// selects the metrics: `essential` (default) or `detailed`.
pub fn to_cloudwatch() -> Telemetry {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let named = std::env::var(METRICS).ok().filter(|text| !text.is_empty());
    let metrics = named.map_or(Ok(Metrics::Essential), |text| text.parse());
    let metrics = metrics.unwrap_or_else(|invalid| {
        tracing::warn!("{METRICS} is invalid: {invalid} Using the essential metrics.");
        Metrics::Essential
    });
    Telemetry::to(move |report| {
        // Nothing is lost if standard output is closed.
        let _ = writeln!(stdout().lock(), "{}", embedded_metrics(report, &function, metrics));
    })
}

/// Returns the id of an invocation. The function's log has the same id.
pub fn request_id(context: &Context) -> RequestId {
    RequestId(context.request_id.clone())
}

/// Returns the remaining time of an invocation, minus a margin to send the response. Returns `None` if the runtime
/// does not provide it, as some local runtimes do.
pub fn time_left(context: &Context) -> Option<TimeLeft> {
    const MARGIN: Duration = Duration::from_secs(1);
    let left = context.deadline().duration_since(SystemTime::now()).ok()?;
    left.checked_sub(MARGIN).map(TimeLeft)
}

/// Returns the trace of an invocation.
pub fn trace_id(context: &Context) -> Option<TraceId> {
    context.xray_trace_id.as_deref().and_then(TraceId::new)
}

/// Converts the result of a function that runs until it is stopped.
pub fn exit_code<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}
