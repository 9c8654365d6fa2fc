//! The bootstrap of the Lambda function that consumes the table's stream: it updates the statistics and runs the
//! rules.
//!
//! The response names the first record of a batch that was not handled, so that Lambda delivers only that one and
//! the later ones again. A record that cannot be read or applied becomes a dead letter and does not block later
//! records.

use std::process::ExitCode;

use holdfast::app::App;
use holdfast::base::telemetry::unfinished;
use holdfast::hosts::lambda::run_worker;
use holdfast::store::stream::batch;
use lambda_http::Error;
use lambda_http::lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

// A function this small has at most one processor, and answers one request at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run_worker("stream", consume).await
}

async fn consume(app: &App, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let batch = batch(event.payload)?;
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
