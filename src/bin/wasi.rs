//! The whole web application as a WebAssembly component: any host of `wasi:http` can serve it, for example
//! `wasmtime serve`.
//!
//! It runs the same router as the other hosts, and the same environment variables configure it. Only the platform
//! differs: the host's HTTP client carries requests to DynamoDB, which are signed here, and the host's clock wakes
//! sleeping tasks. A host may start the component anew for each request, so memory must not hold anything that is
//! not in the table.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

use std::convert::Infallible;
use std::io::{Write as _, stdout};
use std::sync::LazyLock;

use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region, SharedHttpClient};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_wasm::wasi::{WasiHttpClientBuilder, WasiSleep};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use holdfast::app::{App, Platform, build_router};
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::base::rng::Rng;
use holdfast::base::telemetry::Telemetry;
use holdfast::hosts::config::aws::AwsVariables;
use holdfast::hosts::config::{Config, ConfigError, Resolved, SecretsError};
use holdfast::store::line::Line;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tower::{Layer as _, Service};

/// How many lead versions are cached, for hosts that keep the component between requests.
const SNAPSHOTS: usize = 200;

/// Created at the first request of an instance.
static ROUTER: LazyLock<Router> = LazyLock::new(|| match app() {
    Ok(app) => build_router(app).0,
    Err(error) => {
        eprintln!("{error}");
        Router::new().fallback(async || {
            (StatusCode::INTERNAL_SERVER_ERROR, "Holdfast isn't set up. See its log for details.\n")
        })
    }
});

#[wstd_axum::http_server]
fn main() -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send {
    // This wraps the router instead of being one of its layers, because the router sets the length of a response.
    from_fn(adapt_to_host).layer(ROUTER.clone())
}

/// Compensates for differences between hosts of `wasi:http` and servers. Hosts remove the `Host` header and pass it as
/// part of the URI. They also check a response against its length, even for HEAD.
async fn adapt_to_host(mut request: Request, next: Next) -> Response {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    let only_head = request.method() == Method::HEAD;
    let mut response = next.run(request).await;
    if only_head {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

/// Creates the application that the environment describes.
fn app() -> Result<App, StartError> {
    let lookup = |name: &str| std::env::var(name).ok();
    let config = Config::from_lookup(lookup)?;
    let Resolved { cookies, data_keys, sign_up, origin_keys } = config.resolve_inline()?;
    let aws = AwsVariables::from_lookup(lookup)?;
    let client = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(SharedHttpClient::new(HostClient(WasiHttpClientBuilder::new().build())))
        .region(Region::new(aws.region))
        .credentials_provider(aws.credentials);
    let client = match &config.dynamodb_endpoint {
        Some(endpoint) => client.endpoint_url(endpoint),
        None => client,
    };
    let sleep = SharedAsyncSleep::new(WasiSleep);
    let platform = Platform {
        line: Line::to_aws(client, sleep.clone()),
        sleep,
        clock: Clock::of_system(),
        rng: Rng::of_system(),
        blocking: BlockingPool::here(),
        snapshots: SNAPSHOTS,
        telemetry: Telemetry::to(|report| {
            // Nothing is lost if standard output is closed.
            let _ = writeln!(stdout().lock(), "{}", json!(report));
        }),
    };
    let app = App::on(platform, &config.table, cookies, sign_up);
    // A host of `wasi:http` does not expose the peer, so the client's address is known only behind a trusted proxy.
    let session_limits = config.session_limits;
    let app = App { data_keys, session_limits, trusted_proxies: config.trusted_proxies, origin_keys, ..app };
    Ok(app.with_retries(config.retries))
}

/// Why the component cannot start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// Its environment is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its environment names secrets in a secret store, which it cannot read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// The host's HTTP client. It reports every failure as a retryable connection error, as other clients do. The
/// underlying client reports all of them as user errors.
#[derive(Debug)]
struct HostClient(SharedHttpClient);

impl HttpClient for HostClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async {
            answer.await.map_err(|error| ConnectorError::io(error.into_source()))
        })
    }
}
