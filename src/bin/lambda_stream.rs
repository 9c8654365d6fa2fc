//! The bootstrap of the function that Lambda hands the table's stream to: it counts the statistics and runs the rules.
//!
//! It answers with the first record of a batch that was not dealt with, so that Lambda delivers that one and those behind
//! it again, and no more. A record that cannot be read or applied becomes a dead letter and holds up none behind it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

use std::process::ExitCode;

use holdfast::app::App;
use holdfast::base::telemetry::unfinished;
use holdfast::hosts::lambda::{app_without_pages, ended, log_as_json, request_id, trace_id};
use holdfast::store::stream::batch;
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::{Value, json};

// A function this small has one processor or less, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, for the runtime's own futures around it are already as deep as the compiler goes.
    let handler = async |event: LambdaEvent<Value>| {
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        Box::pin(app.telemetry.measure(&app.clock, "stream", id, trace, take(app, event.payload))).await
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn take(app: &App, event: Value) -> Result<Value, Error> {
    let batch = batch(event)?;
    let failures = match app.projections().consume_batch(&batch).await {
        Ok(()) => Vec::new(),
        Err(error) => {
            let (sequence, records) = (error.sequence.as_issued(), batch.len());
            unfinished();
            tracing::error!(%error, sequence, records, "the rest of a batch is to be delivered again");
            vec![json!({ "itemIdentifier": sequence })]
        }
    };
    Ok(json!({ "batchItemFailures": failures }))
}
