//! What the bootstraps of all functions on AWS Lambda do alike.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_http::lambda_runtime::Context;
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

/// Logs one JSON object a line, as CloudWatch reads them; a panic is one of them.
pub fn log_as_json() {
    log_panics();
    let events = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    tracing_subscriber::registry().with(redact()).with(log_filter("info")).with(events).init();
}

/// The application in a function that serves no pages.
///
/// # Errors
/// [`StartError`].
pub async fn app_without_pages() -> Result<App, StartError> {
    let config = Config::without_pages(|name| std::env::var(name).ok(), &Rng::of_system())?;
    Ok(App { telemetry: to_cloudwatch(), ..app_of(&config).await? })
}

/// Prints one line for each request or batch, of which CloudWatch makes a log entry and metrics: those that
/// `HOLDFAST_METRICS` names, `essential` unless it is set to `detailed`.
pub fn to_cloudwatch() -> Telemetry {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let named = std::env::var(METRICS).ok().filter(|text| !text.is_empty());
    let metrics = named.map_or(Ok(Metrics::Essential), |text| text.parse());
    let metrics = metrics.unwrap_or_else(|invalid| {
        tracing::warn!("{METRICS} is wrong: {invalid} The essential ones are made.");
        Metrics::Essential
    });
    Telemetry::to(move |report| {
        // Where nobody reads it, nobody misses it.
        let _ = writeln!(stdout().lock(), "{}", embedded_metrics(report, &function, metrics));
    })
}

/// Under what the log of a function names an invocation.
pub fn request_id(context: &Context) -> RequestId {
    RequestId(context.request_id.clone())
}

/// What is left of the time that an invocation may take, less what it takes to send the answer; nothing where the runtime
/// does not say, as some that run functions locally.
pub fn time_left(context: &Context) -> Option<TimeLeft> {
    const MARGIN: Duration = Duration::from_secs(1);
    let left = context.deadline().duration_since(SystemTime::now()).ok()?;
    left.checked_sub(MARGIN).map(TimeLeft)
}

/// The trace that Lambda says an invocation belongs to.
pub fn trace_id(context: &Context) -> Option<TraceId> {
    context.xray_trace_id.as_deref().and_then(TraceId::new)
}

/// The end of a function that runs until it is ended.
pub fn ended<E: std::fmt::Display>(ended: Result<(), E>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}
