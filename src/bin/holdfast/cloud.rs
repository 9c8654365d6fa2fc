//! `holdfast serve --table`: the same application over a table on AWS, for people who run containers or machines
//! instead of Lambda.
//!
//! Besides the flags, it reads the same environment variables as the Lambda functions. Several servers can serve one
//! table, also together with the functions: the background workers keep their checkpoints in the table.

use std::time::Instant;

use axum::{Extension, Router};
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::{App, build_router};
pub use holdfast::hosts::aws::keys;
use holdfast::hosts::config::Config;
use holdfast::hosts::process::StartError;
use holdfast::hosts::{aws, process, table};
use holdfast::store::line::Line;
use holdfast::web::request::BasePath;
use tokio::net::TcpListener;

use crate::cli::{ServeOptions, TableOptions};
use crate::console::print;
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::http_server::Limits;
use crate::local::no_cookies;
use crate::shutdown::serve_until_stopped;
use crate::signals::Signals;
use crate::workers::Workers;

/// Serves the table until a signal asks the process to stop.
pub async fn run(options: &ServeOptions, name: &str) -> Result<(), Failure> {
    let start = Instant::now();
    let lookup = |variable: &str| match variable {
        "HOLDFAST_TABLE" => Some(name.to_owned()),
        "HOLDFAST_SIGN_UP" => Some(options.sign_up.clone()),
        "HOLDFAST_INVITATION_CODE" => options.code().map(str::to_owned),
        other => std::env::var(other).ok(),
    };
    let config = Config::from_lookup(lookup).map_err(StartError::Config)?;
    let hosts = Hosts::only(&options.hosts, format!("{}/health", config.base_path)).ok_or(Failure::NoHost)?;
    let signals = Signals::listen().map_err(Failure::Runtime)?;
    let address = options.address();
    let listener = TcpListener::bind(address).await.map_err(|cause| Failure::Address { address, cause })?;
    let address = listener.local_addr().map_err(Failure::Runtime)?;
    let sdk = aws::sdk_config(options.region.clone()).await.map_err(StartError::Client)?;
    if options.create_table {
        table::create(&sdk, config.dynamodb_endpoint.as_deref(), name).await?;
    }
    let app = App { trusted_proxies: options.trusted_proxies, ..aws::app_over(&config, &sdk).await? };
    print(&format!("Holdfast is at http://{address}{}", config.base_path));
    tracing::info!(%address, table = name, milliseconds = start.elapsed().as_millis(), "ready");
    let workers = (!options.no_workers)
        .then(|| Workers::of_table(&app, aws::streams(&sdk, config.dynamodb_endpoint.as_deref())));
    let router = hosts.guard(router(app, &config.base_path));
    let served = serve_until_stopped(listener, router, Limits::of(&options.limits), signals).await;
    if let Some(workers) = workers {
        workers.stop().await;
    }
    if served.is_ok() {
        tracing::info!("stopped");
    }
    served
}

/// Opens the application for commands on this table.
pub async fn open(options: &TableOptions, table: &str) -> Result<App, Failure> {
    let client = aws::client(options.region.clone(), None).await?;
    let line = Line::to_aws(client, process::sleep());
    Ok(process::app(line, table, no_cookies(), SignUp::Off))
}

/// Mounts the application under its base path. Routes see paths without the base path, and links include it.
fn router(app: App, base_path: &str) -> Router {
    let (router, _) = build_router(app);
    if base_path.is_empty() {
        return router;
    }
    Router::new().nest(base_path, router).layer(Extension(BasePath(base_path.to_owned())))
}
