//! The bootstrap of the function that Lambda hands a Kafka topic to: messages about stock.
//!
//! It answers with every record that was not finished, so that Lambda hands those over again.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

use std::process::ExitCode;

use holdfast::hosts::lambda::{app_without_pages, ended, log_as_json, request_id, trace_id};
use holdfast::inventory::event::{BatchAnswer, KafkaEvent};
use lambda_http::Error;
use lambda_http::lambda_runtime::{self, LambdaEvent, service_fn};

// A function this small has one processor or less, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log_as_json();
    ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    let app = &app_without_pages().await?;
    // Boxed, for the runtime's own futures around it are already as deep as the compiler goes.
    let handler = async |event: LambdaEvent<KafkaEvent>| {
        let group = event.context.env_config.function_name.clone();
        let (id, trace) = (request_id(&event.context), trace_id(&event.context));
        let inventory = app.inventory();
        let batch = inventory.take_batch(&event.payload, &group);
        let answer: Result<BatchAnswer, Error> =
            Box::pin(app.telemetry.measure(&app.clock, "inventory", id, trace, batch))
                .await
                .map_err(Into::into);
        answer
    };
    lambda_runtime::run(service_fn(handler)).await
}
