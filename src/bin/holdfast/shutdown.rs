//! Serving until the process is asked to stop.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::http_server::{HttpServer, Limits};
use crate::signals::Signals;

/// The longest wait for running requests and workers when the server stops.
pub const GRACE: Duration = Duration::from_secs(10);

/// Serves until the first signal, and then lets running requests finish for a while. The second signal stops
/// immediately. Fails if the server stops by itself.
pub async fn serve_until_stopped(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut signals: Signals,
) -> Result<(), Failure> {
    let mut server = HttpServer::start(listener, router, limits);
    let signal = tokio::select! {
        error = server.ended() => return Err(Failure::Serving(error)),
        signal = signals.next() => signal,
    };
    tracing::info!(
        "{signal}: finishing running requests for at most {} s; repeat to stop immediately",
        GRACE.as_secs()
    );
    tokio::select! {
        finished = server.stop(GRACE) => {
            if !finished {
                tracing::warn!("some requests did not finish in time and were cut off");
            }
            Ok(())
        }
        signal = signals.next() => {
            tracing::warn!("{signal}: stopped immediately");
            std::process::exit(130);
        }
    }
}
