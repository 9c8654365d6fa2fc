//! A table and secrets on AWS: HTTPS, and AWS's standard ways to find a region and credentials.
//!
//! The standard credential chain here is: environment variables (as Lambda sets them), profiles in `~/.aws` with
//! keys or a role to assume, web identity tokens, the container endpoint of ECS and EKS, and the instance metadata
//! of EC2. `holdfast` also supports profiles that sign in through a browser (IAM Identity Center, after `aws sso
//! login`) or through an external process; the Lambda functions leave these SDKs out.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::process::{ClientError, StartError, app, sleep};
use super::secrets;
use crate::accounts::keys::{KeyRing, Keys};
use crate::app::App;
use crate::base::clock::Clock;
use crate::hosts::config::{Config, Configured, ConfiguredKey, Resolved};
use crate::store::line::Line;

/// Returns a client of DynamoDB on AWS, or at another endpoint. The standard chain provides the credentials, and
/// the region unless one is given.
pub async fn client(region: Option<String>, endpoint: Option<&str>) -> Result<Builder, ClientError> {
    Ok(dynamodb(&sdk_config(region).await?, endpoint))
}

/// Returns the configuration that all AWS clients share: region and credentials from the standard chain, unless a
/// region is given.
pub async fn sdk_config(region: Option<String>) -> Result<SdkConfig, ClientError> {
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

/// Returns a client of the table's stream with these credentials.
#[cfg(feature = "local")]
pub fn streams(sdk: &SdkConfig, endpoint: Option<&str>) -> aws_sdk_dynamodbstreams::config::Builder {
    let builder = aws_sdk_dynamodbstreams::config::Builder::from(sdk);
    match endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint),
        None => builder,
    }
}

/// Builds the application that a configuration describes. Creates the SDK clients once, and reads the secrets.
pub async fn app_of(config: &Config) -> Result<App, StartError> {
    app_over(config, &sdk_config(None).await?).await
}

/// Builds the application with a given region and credentials.
pub async fn app_over(config: &Config, sdk: &SdkConfig) -> Result<App, StartError> {
    let client = dynamodb(sdk, config.dynamodb_endpoint.as_deref());
    let Resolved { cookies, data_keys, sign_up, origin_keys } = if config.names_secrets() {
        let secret_store = secrets::secret_store(sdk, config.secrets_endpoint.as_deref());
        config.resolve(&secret_store, Clock::of_system().now()).await?
    } else {
        config.resolve_inline()?
    };
    let app = app(Line::to_aws(client, sleep()), &config.table, cookies, sign_up);
    let session_limits = config.session_limits;
    let app = App { data_keys, session_limits, trusted_proxies: config.trusted_proxies, origin_keys, ..app };
    Ok(app.with_retries(config.retries))
}

/// Returns the keys of an environment, read from Secrets Manager if they are stored there.
pub async fn keys<K: ConfiguredKey>(configured: &Configured<KeyRing<K>>) -> Result<Keys<K>, StartError> {
    if let Configured::Inline(ring) = configured {
        return Ok(Keys::fixed(ring.clone()));
    }
    let secret_store = secrets::secret_store(&sdk_config(None).await?, None);
    Ok(configured.resolve(&secret_store, Clock::of_system().now()).await?)
}

/// Returns an HTTPS client with the operating system's root certificates. A built-in list would load some
/// milliseconds faster, but would fail behind a proxy, at another endpoint, and after AWS changes its roots.
fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
