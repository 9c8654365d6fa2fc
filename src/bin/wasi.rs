//! The whole web application as a component for WebAssembly: any host of `wasi:http` serves it, for example
//! `wasmtime serve`.
//!
//! The same router as everywhere answers, and the same environment variables say how. What is special here is what lies
//! beneath: the host's HTTP client carries requests to DynamoDB, which are signed in here, and the host's clock wakes
//! whoever waits. A host may start the component anew for each request, so nothing may be remembered in memory that the
//! table does not hold.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

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
use holdfast::hosts::config::{Config, ConfigError, SecretsError, Settled};
use holdfast::store::line::Line;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tower::{Layer as _, Service};

/// How many leads are remembered at versions that were seen, where the host keeps the component for further requests.
const SNAPSHOTS: usize = 200;

/// Made at the first request that an instance answers.
static ROUTER: LazyLock<Router> = LazyLock::new(|| match app() {
    Ok(app) => build_router(app).0,
    Err(error) => {
        eprintln!("{error}");
        Router::new().fallback(async || {
            (StatusCode::INTERNAL_SERVER_ERROR, "Holdfast is not set up; its log says what is wrong.\n")
        })
    }
});

#[wstd_axum::http_server]
fn main() -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send {
    // Around the router and no part of it, for the router is what gives an answer its length.
    from_fn(at_home).layer(ROUTER.clone())
}

/// Makes up for what hosts of `wasi:http` do otherwise than servers. They keep the header `Host` for themselves and tell
/// it as part of the address. And they hold an answer to its length, also where the question was only for its head.
async fn at_home(mut request: Request, next: Next) -> Response {
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

/// The application that the environment describes.
fn app() -> Result<App, StartError> {
    let lookup = |name: &str| std::env::var(name).ok();
    let config = Config::from_lookup(lookup)?;
    let Settled { cookies, sign_up, origin_keys } = config.settle_here()?;
    let aws = AwsVariables::from_lookup(lookup)?;
    let client = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(SharedHttpClient::new(Host(WasiHttpClientBuilder::new().build())))
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
            // Where nobody reads it, nobody misses it.
            let _ = writeln!(stdout().lock(), "{}", json!(report));
        }),
    };
    let app = App::on(platform, &config.table, cookies, sign_up);
    // A host of `wasi:http` says nothing of the peer, so there is a client's address only where a proxy is trusted.
    let app = App { trusted_proxies: config.trusted_proxies, origin_keys, ..app };
    Ok(app.with_retries(config.retries))
}

/// Why the component cannot begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// Its environment is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its environment names secrets in a vault, and it reads none.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// The host's HTTP client. Whatever kept it from an answer is told as a failure of the connection, as other clients
/// tell it: one that passes by waiting. The client beneath says of each that the request was at fault.
#[derive(Debug)]
struct Host(SharedHttpClient);

impl HttpClient for Host {
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
