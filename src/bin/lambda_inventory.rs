//! The bootstrap of the Lambda function that consumes a Kafka topic with messages about stock.
//!
//! The response lists every record that was not finished, so that Lambda delivers those again.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::process::ExitCode;

use holdfast::hosts::lambda::{app_without_pages, exit_code, log_as_json, request_id, trace_id};
use holdfast::inventory::event::{BatchResponse, KafkaEvent};
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    exit_code(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, because the nesting of the runtime's own futures already reaches the compiler's limit.
    let handler = async |event: LambdaEvent<KafkaEvent>| {
        let group = event.context.env_config.function_name.clone();
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        let inventory = app.inventory();
        let batch = inventory.process_batch(&event.payload, &group);
        let answer: Result<BatchResponse, Error> =
            Box::pin(app.telemetry.measure(&app.clock, "inventory", id, trace, batch))
                .await
                .map_err(Into::into);
        answer
    };
    lambda_runtime::run(service_fn(handler)).await
}
