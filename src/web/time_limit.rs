//! The layer that sets the deadline of a request.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::store::Dynamo;

/// The time that a request may take, if its host allows less than the configuration.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft(pub Duration);

/// Sets the deadline of each request. All of its work ends before it.
pub async fn limit_time(State(dynamo): State<Dynamo>, mut request: Request, next: Next) -> Response {
    let left = request.extensions_mut().remove::<TimeLeft>().map(|TimeLeft(left)| left);
    dynamo.within(left, next.run(request)).await
}
