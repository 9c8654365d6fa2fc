//! One request, one deadline: the layer that sets it.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::store::Dynamo;

/// The most time that a request may take, where its host allows less than the configuration does.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft(pub Duration);

/// Gives each request its one deadline, which everything it does ends by.
pub async fn limit_time(State(dynamo): State<Dynamo>, mut request: Request, next: Next) -> Response {
    let left = request.extensions_mut().remove::<TimeLeft>().map(|TimeLeft(left)| left);
    dynamo.within(left, next.run(request)).await
}
