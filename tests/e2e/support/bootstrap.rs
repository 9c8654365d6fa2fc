//! A bootstrap as `sam build` made it, with the Lambda runtime API of cargo-lambda.
//!
//! `HOLDFAST_BOOTSTRAPS` names the folder with the built bootstraps. Each bootstrap has a separate runtime API on a
//! loopback port, because cargo-lambda identifies functions by the names of the project's programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::missing_tool::MissingTool;
use super::process::{self, Process};
use super::{TestEnvironment, wait};

const VARIABLE: &str = "HOLDFAST_BOOTSTRAPS";
const LOOPBACK: &str = "127.0.0.1";
/// The limit for starting the runtime API on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The limit of an invocation in seconds: the longest timeout of a deployed function.
const INVOCATION_LIMIT: &str = "120";

/// A running bootstrap with its runtime API. Dropping it ends both.
pub struct Bootstrap {
    tool: PathBuf,
    function: &'static str,
    port: u16,
    api: Process,
    bootstrap: Process,
}

impl Bootstrap {
    /// Starts the built bootstrap of this function of the template over the environment's table, with additional
    /// variables. Returns `None` and marks the case as not run if it was not built.
    pub async fn start(
        environment: &TestEnvironment,
        resource: &str,
        function: &'static str,
        env: &[(&str, &str)],
    ) -> Option<Self> {
        let (built, tool) = match found(resource) {
            Ok(found) => found,
            Err(why) => {
                environment.report_missing(MissingTool {
                    what: "the built bootstraps",
                    why,
                    remedy: "Run `pip install aws-sam-cli cargo-lambda ziglang` and `sam build`, and set \
                             HOLDFAST_BOOTSTRAPS=.aws-sam/build",
                });
                return None;
            }
        };
        let port = process::free_port().expect("a loopback port is free");
        let api = runtime_api(&tool, port).await;
        let bootstrap =
            Process::start(&format!("{function}-{port}"), &command(environment, &built, function, port, env));
        Some(Self { tool, function, port, api, bootstrap: bootstrap.expect("the bootstrap starts") })
    }

    /// Invokes the function with the event in a file of `tests/fixtures/events`.
    pub async fn invoke(&self, file: &str) -> Value {
        self.invoke_file(fixture(file)).await
    }

    /// Invokes the function with this event.
    pub async fn invoke_with(&self, event: &Value) -> Value {
        let number = getrandom::u64().expect("the system gives random numbers");
        let file = process::target().join("tmp").join(format!("event-{number:016x}.json"));
        std::fs::write(&file, event.to_string()).expect("the event is written");
        let answer = self.invoke_file(file.clone()).await;
        std::fs::remove_file(file).expect("the event is there");
        answer
    }

    async fn invoke_file(&self, event: PathBuf) -> Value {
        let mut command = Command::new(&self.tool);
        command.args(["lambda", "invoke", self.function, "--output-format", "json"]);
        command.args(["--invoke-address", LOOPBACK, "--invoke-port", &self.port.to_string()]);
        command.arg("--data-file").arg(event).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("the thread ends well").expect("cargo-lambda runs");
        assert!(
            output.status.success(),
            "{} was not answered: {}\nIt printed:\n{}",
            self.function,
            String::from_utf8_lossy(&output.stderr),
            self.output()
        );
        serde_json::from_slice(&output.stdout).expect("the answer is JSON")
    }

    /// The bootstrap's output so far.
    pub fn output(&self) -> String {
        self.bootstrap.output()
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        self.bootstrap.end();
        self.api.end();
    }
}

/// An event of `tests/fixtures/events`.
pub fn event(file: &str) -> Value {
    let text = std::fs::read_to_string(fixture(file)).expect("the event is there");
    serde_json::from_str(&text).expect("the event is JSON")
}

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/events").join(format!("{file}.json"))
}

/// The paths of a function's bootstrap and of cargo-lambda.
fn found(resource: &str) -> Result<(PathBuf, PathBuf), String> {
    let folder = std::env::var_os(VARIABLE).ok_or("HOLDFAST_BOOTSTRAPS is not set")?;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(resource).join("bootstrap");
    if !built.is_file() {
        return Err(format!("the folder that {VARIABLE} names has no {resource}/bootstrap"));
    }
    let tool = process::on_path("cargo-lambda").ok_or("cargo-lambda was not found on PATH")?;
    Ok((built, tool))
}

async fn runtime_api(tool: &Path, port: u16) -> Process {
    let mut command = Command::new(tool);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args([
        "lambda",
        "watch",
        "--only-lambda-apis",
        "--ignore-changes",
        "--timeout",
        INVOCATION_LIMIT,
    ]);
    command.args(["--invoke-address", LOOPBACK, "--invoke-port", &port.to_string()]);
    let api = Process::start(&format!("runtime-api-{port}"), &command).expect("cargo-lambda starts");
    // Any request would invoke a function, so this only checks the port.
    let answered = wait::within(START_LIMIT, || tokio::net::TcpStream::connect((LOOPBACK, port))).await;
    assert!(answered.is_ok(), "the runtime API does not answer: {}", api.output());
    api
}

/// The bootstrap with the variables that Lambda sets, those that every function of the template has, and these.
/// Nothing else of this process's environment is passed on.
fn command(
    environment: &TestEnvironment,
    built: &Path,
    function: &str,
    port: u16,
    env: &[(&str, &str)],
) -> Command {
    let api = format!("http://{LOOPBACK}:{port}/.rt/{function}");
    let given = [
        ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key()),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
        ("RUST_LOG", "info"),
        ("HOLDFAST_TABLE", environment.table()),
        ("HOLDFAST_DYNAMODB_ENDPOINT", environment.engine().endpoint()),
    ];
    let mut command = Command::new("env");
    command.arg("-i").args(given.iter().chain(env).map(|(name, value)| format!("{name}={value}"))).arg(built);
    command
}
