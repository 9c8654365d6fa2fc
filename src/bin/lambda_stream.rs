//! The bootstrap of the Lambda function that consumes the table's stream: it updates the statistics and runs the
//! rules.
//!
//! The response names the first record of a batch that was not handled, so that Lambda delivers only that one and
//! the later ones again. A record that cannot be read or applied becomes a dead letter and does not block later
//! records.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::process::ExitCode;

use holdfast::app::App;
use holdfast::base::telemetry::unfinished;
use holdfast::hosts::lambda::{app_without_pages, exit_code, log_as_json, request_id, trace_id};
use holdfast::store::stream::batch;
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};
use serde_json::{Value, json};

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    exit_code(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, because the nesting of the runtime's own futures already reaches the compiler's limit.
    let handler = async |event: LambdaEvent<Value>| {
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        Box::pin(app.telemetry.measure(&app.clock, "stream", id, trace, consume(app, event.payload))).await
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn consume(app: &App, event: Value) -> Result<Value, Error> {
    let batch = batch(event)?;
    let failures = match app.projections().consume_batch(&batch).await {
        Ok(()) => Vec::new(),
        Err(error) => {
            let (sequence, records) = (error.sequence.as_issued(), batch.len());
            unfinished();
            tracing::error!(%error, sequence, records, "the rest of a batch will be delivered again");
            vec![json!({ "itemIdentifier": sequence })]
        }
    };
    Ok(json!({ "batchItemFailures": failures }))
}
