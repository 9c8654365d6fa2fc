//! The bootstrap of the function that a schedule calls each minute: it settles large orders that were cut off, tries
//! failed runs again, and runs the rules whose time has come.
//!
//! A schedule knows no shorter time than a minute, so one call sweeps as often as its event says.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use holdfast::app::App;
use holdfast::hosts::lambda::{app_without_pages, ended, log_as_json, request_id, trace_id};
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the schedule's event says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sweeps {
    /// How often this call sweeps.
    #[serde(default = "one")]
    sweeps: u32,
    /// How long after the beginning of a sweep the next one begins.
    #[serde(default)]
    seconds_between: u64,
}

fn one() -> u32 {
    1
}

// A function this small has one processor or less, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, for the runtime's own futures around it are already as deep as the compiler goes.
    let handler = async |event: LambdaEvent<Sweeps>| {
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        Box::pin(app.telemetry.measure(&app.clock, "sweep", id, trace, sweep_all(app, &event.payload))).await
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// Sweeps as often as asked. A sweep that fails keeps the next one not back, and makes the call fail at its end.
async fn sweep_all(app: &App, asked: &Sweeps) -> Result<Value, Error> {
    let mut failure = None;
    for number in 1..=asked.sweeps {
        let start = Instant::now();
        if let Err(error) = app.projections().sweep().await {
            tracing::error!(%error, "a sweep failed");
            failure = Some(error);
        }
        if number < asked.sweeps {
            let between = Duration::from_secs(asked.seconds_between);
            app.dynamo.sleep(between.saturating_sub(start.elapsed())).await;
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(json!({ "sweeps": asked.sweeps })),
    }
}
