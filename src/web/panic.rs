//! The layer that answers for a handler that panicked.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::problem::Problem;

/// Answers 500 if a handler panics. The process's panic hook already logged the panic, so nothing is logged here.
///
/// On WebAssembly a panic ends the process, and there is no answer.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    // Handlers change only the store, in whole transactions, and data behind locks that survive a panic.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answered.unwrap_or_else(|_| Problem::internal().into_response())
}
