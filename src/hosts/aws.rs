//! A table and secrets on AWS: HTTPS, and AWS's ordinary ways of finding a region and credentials.
//!
//! The ordinary chain of credentials here is: environment variables (as Lambda sets them), profiles in `~/.aws` with
//! keys or a role to assume, web identity tokens, the container endpoint of ECS and EKS, and the instance metadata of
//! EC2. `holdfast` also takes profiles that sign in through a browser (IAM Identity Center, after `aws sso login`) or by
//! a process of their own; the functions do without these SDKs.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::process::{ClientError, StartError, app, sleep};
use super::secrets;
use crate::accounts::keys::{CookieKeys, KeyRing};
use crate::app::App;
use crate::base::clock::Clock;
use crate::hosts::config::{Config, Settled, Told};
use crate::store::line::Line;

/// A client of DynamoDB on AWS, or at another endpoint, with region and credentials from the ordinary chain unless a
/// region is given.
///
/// # Errors
/// [`ClientError::NoRegion`].
pub async fn client(region: Option<String>, endpoint: Option<&str>) -> Result<Builder, ClientError> {
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

pub(super) fn dynamodb(config: &SdkConfig, endpoint: Option<&str>) -> Builder {
    let builder = Builder::from(config);
    match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    }
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
    let Settled { cookies, sign_up, origin_keys } = if config.names_secrets() {
        let vault = secrets::vault(sdk, config.secrets_endpoint.as_deref());
        config.settle(&vault, Clock::of_system().now()).await?
    } else {
        config.settle_here()?
    };
    let app = app(Line::to_aws(client, sleep()), &config.table, cookies, sign_up);
    let app = App { trusted_proxies: config.trusted_proxies, origin_keys, ..app };
    Ok(app.with_retries(config.retries))
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
