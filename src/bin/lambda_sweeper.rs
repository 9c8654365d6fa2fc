//! The bootstrap of the Lambda function that a schedule calls every minute: it recovers large orders that were
//! interrupted, retries failed runs, and runs the rules that are due.
//!
//! The shortest interval of a schedule is one minute, so the event of a call says how often it sweeps.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use holdfast::app::App;
use holdfast::hosts::lambda::run_worker;
use lambda_http::Error;
use lambda_http::lambda_runtime::LambdaEvent;
use serde::Deserialize;
use serde_json::{Value, json};

/// The event of the schedule.
#[derive(Deserialize)]
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
    run_worker("sweep", sweep_all).await
}

/// Sweeps as often as requested. A failed sweep does not stop the next one, but the call fails in the end.
async fn sweep_all(app: &App, event: LambdaEvent<Sweeps>) -> Result<Value, Error> {
    let Sweeps { sweeps, seconds_between } = event.payload;
    let mut failure = None;
    for number in 1..=sweeps {
        let start = Instant::now();
        if let Err(error) = app.projections().sweep().await {
            tracing::error!(%error, "a sweep failed");
            failure = Some(error);
        }
        if number < sweeps {
            let between = Duration::from_secs(seconds_between);
            app.dynamo.sleep(between.saturating_sub(start.elapsed())).await;
        }
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(json!({ "sweeps": sweeps })),
    }
}
