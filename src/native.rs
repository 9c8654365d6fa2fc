//! What a process on an operating system has: an HTTP client with TLS of our own, tokio's clock, and AWS's ordinary
//! ways of finding a region and credentials.
//!
//! The ordinary chain of credentials here is: environment variables (as Lambda sets them), profiles in `~/.aws` with
//! keys or a role to assume, web identity tokens, the container endpoint of ECS and EKS, and the instance metadata of
//! EC2. The program for one's own computer takes profiles that sign in through a browser (IAM Identity Center, after
//! `aws sso login`) or by a process of their own as well; the functions do without these SDKs.

#[cfg(feature = "local")]
pub mod engine;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod secrets;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Builder, Credentials, SharedHttpClient};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::accounts::keys::{CookieKeys, KeyRing};
use crate::accounts::sign_up::SignUp;
use crate::app::{App, Aside, Clock, CookiePolicy, Entropy, Platform};
use crate::config::{Config, ConfigError, SecretsError, Settled, Told};
use crate::telemetry::Telemetry;

/// How many leads a process remembers at versions that it has seen.
const SNAPSHOTS: usize = 2_000;

/// What may be logged at all, whatever `RUST_LOG` says: at their lowest levels the SDK, the connection and the embedded
/// engine write out whole requests and answers, and with them people's names, addresses and passwords' hashes.
pub fn discreet() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE).with_target("dynoxide", LevelFilter::DEBUG).with_targets(
        ["aws_config", "aws_sdk", "aws_smithy", "hyper", "lambda_runtime"]
            .map(|name| (name, LevelFilter::INFO)),
    )
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

/// A client of DynamoDB on AWS, or at another endpoint, with region and credentials from the ordinary chain unless a
/// region is given.
///
/// # Errors
/// [`ClientError::NoRegion`].
pub async fn aws(region: Option<String>, endpoint: Option<&str>) -> Result<Builder, ClientError> {
    Ok(dynamodb(&ordinary(region).await?, endpoint))
}

/// What all clients of AWS have in common: region and credentials from the ordinary chain, unless a region is given.
///
/// # Errors
/// [`ClientError::NoRegion`].
pub async fn ordinary(region: Option<String>) -> Result<SdkConfig, ClientError> {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(https()).sleep_impl(TokioSleep::new());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    let config = loader.load().await;
    if config.region().is_some() { Ok(config) } else { Err(ClientError::NoRegion) }
}

fn dynamodb(config: &SdkConfig, endpoint: Option<&str>) -> Builder {
    let builder = Builder::from(config);
    match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    }
}

/// A client of an engine on this machine, which asks for credentials and believes any.
pub fn embedded(endpoint: &str) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "embedded engine"))
}

/// A client of the table's streams, with these credentials.
#[cfg(feature = "local")]
pub fn streams(sdk: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_dynamodbstreams::config::Builder {
    let builder = aws_sdk_dynamodbstreams::config::Builder::from(sdk);
    match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    }
}

/// A client of the streams of an engine on this machine.
#[cfg(feature = "local")]
pub fn embedded_streams(endpoint: &str) -> aws_sdk_dynamodbstreams::config::Builder {
    aws_sdk_dynamodbstreams::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "embedded engine"))
}

/// The application over a table. It tells the log what comes of requests.
pub fn app(client: Builder, table: &str, cookies: CookiePolicy, sign_up: SignUp) -> App {
    let platform = Platform {
        client,
        sleep: SharedAsyncSleep::new(TokioSleep::new()),
        clock: Clock::of_system(),
        entropy: Entropy::of_system(),
        aside: aside(),
        snapshots: SNAPSHOTS,
        telemetry: Telemetry::to_log(),
    };
    App::on(platform, table, cookies, sign_up)
}

/// Slow work on threads of its own.
pub fn aside() -> Aside {
    Aside::by(|work| drop(tokio::task::spawn_blocking(work)))
}

/// The application that a configuration describes. Its SDK clients are made here, once, and its secrets read.
///
/// # Errors
/// [`StartError`].
pub async fn app_of(config: &Config) -> Result<App, StartError> {
    app_over(config, &ordinary(None).await?).await
}

/// The same with the region and credentials that are given.
///
/// # Errors
/// [`StartError`].
pub async fn app_over(config: &Config, sdk: &SdkConfig) -> Result<App, StartError> {
    let client = dynamodb(sdk, config.dynamodb_endpoint.as_deref());
    let Settled { cookies, sign_up } = if config.names_secrets() {
        let vault = secrets::vault(sdk, config.secrets_endpoint.as_deref());
        config.settle(&vault, Clock::of_system().now()).await?
    } else {
        config.settle_here()?
    };
    Ok(app(client, &config.table, cookies, sign_up))
}

/// The keys of cookies that an environment told, read from Secrets Manager if they are there.
///
/// # Errors
/// [`StartError`].
pub async fn cookie_keys(told: &Told<KeyRing>) -> Result<CookieKeys, StartError> {
    if let Told::Here(ring) = told {
        return Ok(CookieKeys::fixed(ring.clone()));
    }
    let vault = secrets::vault(&ordinary(None).await?, None);
    Ok(told.settle(&vault, Clock::of_system().now()).await?)
}

/// HTTPS with the roots that the operating system trusts: a list of our own would be quicker to load by some
/// milliseconds, and would fail behind a proxy, at another endpoint, and on the day that AWS changes its roots.
fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;

    #[test]
    fn what_writes_out_requests_is_kept_from_it() {
        for (target, most) in [
            ("holdfast::web", LevelFilter::TRACE),
            ("dynoxide::server", LevelFilter::DEBUG),
            ("aws_sdk_dynamodb::operation::get_item", LevelFilter::INFO),
            ("aws_smithy_runtime::client::orchestrator::http", LevelFilter::INFO),
            ("hyper_util::client::legacy::pool", LevelFilter::INFO),
            ("lambda_runtime::layers::api_response", LevelFilter::INFO),
        ] {
            for level in [tracing::Level::INFO, tracing::Level::DEBUG, tracing::Level::TRACE] {
                assert_eq!(discreet().would_enable(target, &level), level <= most, "{target} at {level}");
            }
        }
    }
}
