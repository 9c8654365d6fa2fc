//! Whether the product can work: the table answers.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::dynamo::{Key, StoreError};
use crate::error::AppError;

/// `GET /health`: 200 if the table answers a read, 503 if not. One call, of one read unit at most.
///
/// # Errors
/// [`StoreError::Unavailable`], whatever keeps the table from answering.
pub async fn health(State(app): State<App>) -> Result<Json<Value>, AppError> {
    match app.dynamo.get(&Key::new("HEALTH", "HEALTH")).await {
        Ok(_) => Ok(Json(json!({ "status": "ok" }))),
        Err(StoreError::Failed { operation, cause }) => {
            Err(StoreError::Unavailable { operation, attempts: 1, last: cause }.into())
        }
        Err(error) => Err(error.into()),
    }
}
