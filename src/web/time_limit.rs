//! The layer that sets the deadline of a request, and fences the writes of pages.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::request::is_api;
use crate::store::Dynamo;

/// The time that a request may take, if its host allows less than the configuration.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft(pub Duration);

/// Sets the deadline of each request. All of its work ends before it.
///
/// The writes of every request from a page are fenced here, and not by their handlers, so that no form can end with an
/// unknown outcome because its handler forgot the fence.
pub async fn limit_time(State(dynamo): State<Dynamo>, mut request: Request, next: Next) -> Response {
    let left = request.extensions_mut().remove::<TimeLeft>().map(|TimeLeft(left)| left);
    let is_form = !request.method().is_safe() && !is_api(request.uri());
    let work = async {
        if is_form {
            dynamo.fence_writes();
        }
        next.run(request).await
    };
    dynamo.within(left, work).await
}
