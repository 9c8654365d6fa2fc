//! What a process on an operating system provides: threads, tokio's clock and a log. With features also AWS
//! (`aws`), Kafka (`kafka`) and Lambda (`lambda`).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::any::Any;
use std::str::FromStr as _;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::accounts::cookies::CookiePolicy;
use crate::accounts::sign_up::SignUp;
use crate::app::{App, Platform};
use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Telemetry;
use crate::hosts::config::{ConfigError, SecretsError};
use crate::store::line::Line;

/// How many lead versions a process caches.
const SNAPSHOTS: usize = 2_000;

/// Returns the upper limit of the log, regardless of `RUST_LOG`. At their lowest levels, the SDK and the HTTP
/// connection log whole requests and responses, and with them people's names, addresses and password hashes.
pub fn redact() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE).with_targets(
        ["aws_config", "aws_sdk", "aws_smithy", "hyper", "lambda_runtime"]
            .map(|name| (name, LevelFilter::INFO)),
    )
}

/// Returns the log filter: `RUST_LOG` (`info`, or `holdfast=debug,info`) if it is set and valid, otherwise
/// `default`.
pub fn log_filter(default: &str) -> Targets {
    let chosen = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    chosen
        .and_then(|text| Targets::from_str(&text).ok())
        .or_else(|| Targets::from_str(default).ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

/// Logs each panic as one line with its source location, instead of the lines that a panic prints by default.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug in the program: {}", panic_message(panic.payload()));
    }));
}

/// Returns the message of a panic, if it is a literal. A formatted message may contain what a person typed.
fn panic_message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("its message is left out")
}

/// Why no AWS client can be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No region is configured.
    #[error("no AWS region is set: set AWS_REGION, or a region in the AWS profile")]
    NoRegion,
}

/// Why a program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// AWS cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// Builds the application over a table. It logs the outcome of each request.
pub fn app(line: Line, table: &str, cookies: CookiePolicy, sign_up: SignUp) -> App {
    let platform = Platform {
        line,
        sleep: sleep(),
        clock: Clock::of_system(),
        rng: Rng::of_system(),
        blocking: blocking(),
        snapshots: SNAPSHOTS,
        telemetry: Telemetry::to_log(),
    };
    App::on(platform, table, cookies, sign_up)
}

/// Returns tokio's clock.
pub fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

/// Returns a pool of threads for slow work.
pub fn blocking() -> BlockingPool {
    BlockingPool::by(|work| drop(tokio::task::spawn_blocking(work)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;

    #[test]
    fn a_panic_is_logged_without_user_input() {
        let literal = std::panic::catch_unwind(|| panic!("the queue is broken")).unwrap_err();
        assert_eq!(panic_message(literal.as_ref()), "the queue is broken");
        let typed = String::from("Ann Lee");
        let quoted = std::panic::catch_unwind(|| panic!("{typed} is no number")).unwrap_err();
        assert_eq!(panic_message(quoted.as_ref()), "its message is left out");
    }

    #[test]
    fn libraries_that_log_requests_are_limited() {
        for (target, most) in [
            ("holdfast::web", LevelFilter::TRACE),
            ("aws_sdk_dynamodb::operation::get_item", LevelFilter::INFO),
            ("aws_smithy_runtime::client::orchestrator::http", LevelFilter::INFO),
            ("hyper_util::client::legacy::pool", LevelFilter::INFO),
            ("lambda_runtime::layers::api_response", LevelFilter::INFO),
        ] {
            for level in [tracing::Level::INFO, tracing::Level::DEBUG, tracing::Level::TRACE] {
                assert_eq!(redact().would_enable(target, &level), level <= most, "{target} at {level}");
            }
        }
    }
}
