//! A request body with a limit on the time between its pieces.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::load::Running;

/// The state of a body after its request, for the code that answers it.
#[derive(Default)]
pub struct BodyOutcome {
    is_asked_for: AtomicBool,
    is_late: AtomicBool,
    is_waiting: AtomicBool,
    rest: Mutex<Option<Incoming>>,
}

impl BodyOutcome {
    /// Returns whether the application read any of the body.
    pub fn is_asked_for(&self) -> bool {
        self.is_asked_for.load(Ordering::Relaxed)
    }

    /// Returns whether the client sent it too slowly.
    pub fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    /// Returns whether the request waited for the client when it was last polled.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// Takes the unread rest of the body, if its reader was dropped.
    pub fn take_rest(&self) -> Option<Incoming> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub struct RequestBody {
    /// `None` after the end of the body or an error.
    incoming: Option<Incoming>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    running: Arc<Running>,
    outcome: Arc<BodyOutcome>,
}

impl RequestBody {
    /// Wraps the body of a running request. Its pieces must arrive within `limit` of each other.
    pub fn new(incoming: Incoming, limit: Duration, running: Arc<Running>) -> (Self, Arc<BodyOutcome>) {
        let outcome = Arc::<BodyOutcome>::default();
        let body =
            Self { incoming: Some(incoming), limit, timer: None, running, outcome: Arc::clone(&outcome) };
        (body, outcome)
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }

    fn set_waiting(&self, waiting: bool) {
        self.outcome.is_waiting.store(waiting, Ordering::Relaxed);
        if waiting { self.running.wait_for_client() } else { self.running.resume() }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.outcome.is_asked_for.store(true, Ordering::Relaxed);
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else {
            self.set_waiting(true);
            if self.poll_late(cx).is_pending() {
                return Poll::Pending;
            }
            self.set_waiting(false);
            self.outcome.is_late.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        };
        self.timer = None;
        self.set_waiting(false);
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let rest = self.incoming.take().filter(|incoming| !incoming.is_end_stream());
        *self.outcome.rest.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}
