//! The bootstrap of the Lambda function that consumes a Kafka topic with messages about stock.
//!
//! The response lists every record that was not finished, so that Lambda delivers those again.

use std::process::ExitCode;

use holdfast::app::App;
use holdfast::hosts::lambda::run_worker;
use holdfast::inventory::lambda_batch::{BatchResponse, KafkaEvent};
use lambda_http::Error;
use lambda_http::lambda_runtime::LambdaEvent;

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run_worker("inventory", process_batch).await
}

async fn process_batch(app: &App, event: LambdaEvent<KafkaEvent>) -> Result<BatchResponse, Error> {
    let group = &event.context.env_config.function_name;
    let inventory = app.inventory();
    Ok(inventory.process_batch(&event.payload, group).await?)
}
