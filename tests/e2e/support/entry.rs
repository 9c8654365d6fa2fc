//! The entry between clients and the application: none, a real socket, or the WebAssembly component in `wasmtime
//! serve`.
//!
//! The component's calls of DynamoDB go over the case's wire, like those of the application in this process, so
//! that they are counted and can fail the same way. Clients use a router in every case.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Body;
use futures_util::FutureExt;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::OnceCell;
use tower::service_fn;

use super::connector::Wire;
use super::environment::TestEnvironment;
use super::http::Server;
use super::missing_tool::MissingTool;
use super::outcome::Outcome;
use super::process::{self, Process};
use super::wait;
use super::workspace::{COOKIE_SECRET, DATA_SECRET};

/// How requests reach the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// The router is called directly.
    Router,
    /// The same router behind a real socket: the native server.
    Socket,
    /// The WebAssembly component.
    Component,
}

/// A process or server that was started for a case and ends with it.
pub enum Running {
    /// A server in this process.
    Server(#[expect(dead_code, reason = "it is only dropped")] Server),
    /// A separate process.
    Process(Process),
}

impl Running {
    /// The output of a process.
    pub fn output(&self) -> Option<String> {
        match self {
            Self::Server(_) => None,
            Self::Process(process) => Some(process.output()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Process(process) = self {
            process.end();
        }
    }
}

/// The application as clients reach it. `router` is the application in this process.
pub async fn of(environment: &TestEnvironment, router: Router) -> Router {
    match environment.entry() {
        Entry::Router => router,
        Entry::Socket => {
            let server = Server::of(router).await;
            let address = authority(&server.url(""));
            environment.keep(Running::Server(server));
            forwarding(address)
        }
        Entry::Component => forwarding(component(environment).await),
    }
}

/// A router that forwards every request unchanged to another address and returns its answer.
fn forwarding(to: Authority) -> Router {
    let client = client();
    Router::new().fallback_service(service_fn(move |request: Request<Body>| {
        let (client, to) = (client.clone(), to.clone());
        async move {
            let request_line = format!("{} {}", request.method(), request.uri());
            let answer = client.request(readdressed(request, to)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{request_line} was not answered: {error:?}"));
            Ok::<_, Infallible>(answer.map(Body::new))
        }
    }))
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn authority(url: &str) -> Authority {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().expect("the address of a server is well formed")
}

fn readdressed(mut request: Request<Body>, to: Authority) -> Request<Body> {
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(to);
    parts.path_and_query = parts.path_and_query.or(Some(PathAndQuery::from_static("/")));
    *request.uri_mut() = Uri::from_parts(parts).expect("a path and an address make a URI");
    request
}

/// Starts the component over the case's table and returns its address.
async fn component(environment: &TestEnvironment) -> Authority {
    let tools = tools().await.unwrap_or_else(|missing_tool| panic!("{missing_tool}"));
    let (address, running) =
        store_over(environment.wire().clone(), authority(environment.engine().endpoint())).await;
    environment.keep(running);
    let mut command = Command::new(&tools.wasmtime);
    command.args(["serve", "--allow-precompiled", "-S", "cli", "--addr", "127.0.0.1:0"]);
    for (name, value) in [
        ("HOLDFAST_TABLE", environment.table()),
        ("HOLDFAST_COOKIE_KEY", COOKIE_SECRET),
        ("HOLDFAST_DATA_KEY", DATA_SECRET),
        ("HOLDFAST_SECURE_COOKIES", "false"),
        // A loaded machine may take longer than a person should wait.
        ("HOLDFAST_REQUEST_SECONDS", "28"),
        ("HOLDFAST_DYNAMODB_ENDPOINT", &address),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key()),
        ("AWS_SECRET_ACCESS_KEY", "dummy"),
    ] {
        command.args(["--env", &format!("{name}={value}")]);
    }
    command.arg(&tools.compiled);
    let name = format!("wasmtime-{:016x}", getrandom::u64().expect("the system gives random numbers"));
    let process = Process::start(&name, &command).expect("wasmtime starts");
    environment.keep(Running::Process(process.clone()));
    let address = wait::within(Duration::from_secs(30), || async {
        let output = process.output();
        let address = output.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
        assert!(process.ended().is_none(), "wasmtime ended: {output}");
        address.map(|(address, _)| authority(address)).ok_or(output)
    });
    address.await.unwrap_or_else(|output| panic!("wasmtime does not serve: {output}"))
}

/// Serves the engine at `store` at a new address, with all calls going over `wire`.
async fn store_over(wire: Wire, store: Authority) -> (String, Running) {
    let client = client();
    let router = Router::new().fallback(async move |request: Request<Body>| {
        let (head, body) = readdressed(request, store.clone()).into_parts();
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            // The component has canceled the call and does not wait for an answer.
            return cut_off();
        };
        let request = Request::from_parts(head, SdkBody::from(body));
        let request = HttpRequest::try_from(request).expect("a call is a request");
        let outcome =
            wire.carry(request, move |request| async move { forwarded(&client, request).await }).await;
        match outcome.map(HttpResponse::try_into_http1x) {
            Ok(answer) => answer.expect("the store's answer is valid").map(Body::new),
            Err(_) => cut_off(),
        }
    });
    let server = Server::of(router).await;
    (server.url(""), Running::Server(server))
}

async fn forwarded(client: &Client<HttpConnector, Body>, request: HttpRequest) -> Outcome {
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::io(error);
    let request = request.try_into_http1x().map_err(|error| broken(error.into()))?;
    let answer = client.request(request.map(Body::new)).await.map_err(|error| broken(error.into()))?;
    let (head, body) = answer.into_parts();
    let body =
        axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|error| broken(error.into()))?;
    let answer = Response::from_parts(head, SdkBody::from(body));
    HttpResponse::try_from(answer).map_err(|error| broken(error.into()))
}

/// An answer whose connection breaks before its body begins.
fn cut_off() -> Response<Body> {
    let broken = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut off")) });
    Response::new(Body::from_stream(broken))
}

/// The tools for serving the component.
#[derive(Clone, Debug)]
pub struct Tools {
    wasmtime: PathBuf,
    /// The component as machine code, so that each case's host starts at once.
    compiled: PathBuf,
}

static TOOLS: OnceCell<Result<Tools, MissingTool>> = OnceCell::const_new();

/// The tools for serving the component, prepared once for the whole run.
///
/// # Errors
/// `wasmtime` or the component is missing.
pub async fn tools() -> Result<&'static Tools, MissingTool> {
    let tools = TOOLS
        .get_or_init(|| async {
            let found = tokio::task::spawn_blocking(compile).map(|found| match found {
                Ok(found) => found,
                Err(error) => Err(error.to_string()),
            });
            found.await.map_err(|why| MissingTool {
                what: "the WebAssembly component",
                why,
                remedy: "Run infra/wasm-build and set HOLDFAST_COMPONENT to what it has built; install wasmtime \
                         on PATH, or set WASMTIME to its path",
            })
        })
        .await;
    tools.as_ref().map_err(Clone::clone)
}

fn compile() -> Result<Tools, String> {
    let component = std::env::var_os("HOLDFAST_COMPONENT").ok_or("HOLDFAST_COMPONENT is not set")?;
    let wasmtime = std::env::var_os("WASMTIME").map(PathBuf::from).or_else(|| process::on_path("wasmtime"));
    let wasmtime = wasmtime.ok_or("wasmtime was not found on PATH")?;
    let compiled = process::target().join("tmp/component.cwasm");
    std::fs::create_dir_all(process::target().join("tmp")).map_err(|error| error.to_string())?;
    let made = Command::new(&wasmtime).arg("compile").arg("-o").arg(&compiled).arg(&component).output();
    let made = made.map_err(|error| format!("{}: {error}", wasmtime.display()))?;
    if made.status.success() {
        Ok(Tools { wasmtime, compiled })
    } else {
        Err(format!("wasmtime does not compile it: {}", String::from_utf8_lossy(&made.stderr)))
    }
}
