//! The bootstrap of the Lambda function that a schedule calls every minute: it recovers large orders that were
//! interrupted, retries failed runs, and runs the rules that are due.
//!
//! The shortest interval of a schedule is one minute, so one call sweeps as often as its event says.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use holdfast::app::App;
use holdfast::hosts::lambda::{app_without_pages, exit_code, log_as_json, request_id, trace_id};
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// The event of the schedule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sweeps {
    /// The number of sweeps in this call.
    #[serde(default = "one")]
    sweeps: u32,
    /// The number of seconds from the start of one sweep to the start of the next.
    #[serde(default)]
    seconds_between: u64,
}

fn one() -> u32 {
    1
}

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    exit_code(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, because the nesting of the runtime's own futures already reaches the compiler's limit.
    let handler = async |event: LambdaEvent<Sweeps>| {
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        Box::pin(app.telemetry.measure(&app.clock, "sweep", id, trace, sweep_all(app, &event.payload))).await
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// Sweeps as often as requested. A failed sweep does not stop the next one, but the call fails in the end.
async fn sweep_all(app: &App, schedule: &Sweeps) -> Result<Value, Error> {
    let mut failure = None;
    for number in 1..=schedule.sweeps {
        let start = Instant::now();
        if let Err(error) = app.projections().sweep().await {
            tracing::error!(%error, "a sweep failed");
            failure = Some(error);
        }
        if number < schedule.sweeps {
            let between = Duration::from_secs(schedule.seconds_between);
            app.dynamo.sleep(between.saturating_sub(start.elapsed())).await;
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(json!({ "sweeps": schedule.sweeps })),
    }
}
