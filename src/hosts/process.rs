//! What a process on an operating system has: threads, tokio's clock and a log; with features, AWS's ordinary ways
//! ([`aws`]), Kafka ([`kafka`]) and Lambda ([`lambda`]).

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

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

/// How many leads a process remembers at versions that it has seen.
const SNAPSHOTS: usize = 2_000;

/// What may be logged at all, whatever `RUST_LOG` says: at their lowest levels the SDK and the connection write out whole requests and answers, and with them people's names, addresses and passwords' hashes.
pub fn redact() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE).with_targets(
        ["aws_config", "aws_sdk", "aws_smithy", "hyper", "lambda_runtime"]
            .map(|name| (name, LevelFilter::INFO)),
    )
}

/// What is logged: `RUST_LOG` (`info`, or `holdfast=debug,info`) if it is set and can be read, otherwise `unless_set`.
pub fn log_filter(unless_set: &str) -> Targets {
    let chosen = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    chosen
        .and_then(|text| Targets::from_str(&text).ok())
        .or_else(|| Targets::from_str(unless_set).ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

/// Logs each panic as one line with its place in the code, instead of the lines that a panic writes by itself.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of the program: {}", panic_message(panic.payload()));
    }));
}

/// The message of a panic, if it is a literal. One that was put together may quote what a person typed.
fn panic_message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("its message is left out")
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing says in which region the table is.
    #[error("no AWS region is set: set AWS_REGION, or a region in the AWS profile")]
    NoRegion,
}

/// Why a program cannot begin as its environment says.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// AWS cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A secret that it names is not to be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// The application over a table. It tells the log what comes of requests.
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

/// Tokio's clock.
pub fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

/// Slow work on threads of its own.
pub fn blocking() -> BlockingPool {
    BlockingPool::by(|work| drop(tokio::task::spawn_blocking(work)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;

    #[test]
    fn a_panic_is_logged_without_what_a_person_typed() {
        let literal = std::panic::catch_unwind(|| panic!("the queue is broken")).unwrap_err();
        assert_eq!(panic_message(literal.as_ref()), "the queue is broken");
        let typed = String::from("Ann Lee");
        let quoted = std::panic::catch_unwind(|| panic!("{typed} is no number")).unwrap_err();
        assert_eq!(panic_message(quoted.as_ref()), "its message is left out");
    }

    #[test]
    fn what_writes_out_requests_is_kept_from_it() {
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
