//! The layer that answers for a handler that panicked.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use super::problem::Problem;

/// Answers 500 where a handler panics. The process's panic hook has logged the panic by then, so nothing is logged here.
///
/// Where a panic ends the process, as in WebAssembly, there is nothing to answer.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    // What a handler changes lies in the store, in whole transactions, or behind locks that survive a panic.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answered.unwrap_or_else(|_| Problem::internal().into_response())
}
