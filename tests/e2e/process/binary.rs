//! The built `holdfast` as a person at a shell uses it: its input, its output and its exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use holdfast::base::clock::Clock;
use serde_json::{Value, json};

use crate::support::TestEnvironment;
use crate::support::http::Client;
use crate::support::process::{Process, target};
use crate::support::store::Store;
use crate::support::wait;

/// The limit for starting or stopping on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The shell replaces itself with the program, so its process id is the program's. Each stream has its own file.
const STREAMS: &str = r#"out=$1 err=$2 in=$3; shift 3; exec "$@" >"$out" 2>"$err" <"$in""#;

/// Variables that a developer may have set and that the cases must not see.
const DEVELOPER_VARIABLES: [&str; 26] = [
    "HOLDFAST_HOSTS",
    "HOLDFAST_MAX_REQUESTS",
    "HOLDFAST_MAX_CONNECTIONS",
    "HOLDFAST_HEADER_TIMEOUT",
    "HOLDFAST_BODY_TIMEOUT",
    "HOLDFAST_IDLE_TIMEOUT",
    "HOLDFAST_REQUEST_TIMEOUT",
    "HOLDFAST_COOKIE_KEY",
    "HOLDFAST_COOKIE_KEY_PREVIOUS",
    "HOLDFAST_COOKIE_KEY_SECRET",
    "HOLDFAST_DATA_KEY",
    "HOLDFAST_DATA_KEY_PREVIOUS",
    "HOLDFAST_DATA_KEY_SECRET",
    "HOLDFAST_DYNAMODB_ENDPOINT",
    "HOLDFAST_LISTEN",
    "HOLDFAST_LOG",
    "HOLDFAST_NO_WORKERS",
    "HOLDFAST_TABLE",
    "HOLDFAST_PORT",
    "HOLDFAST_DATA_DIR",
    "HOLDFAST_SIGN_UP",
    "HOLDFAST_INVITATION_CODE",
    "RUST_LOG",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
];

/// A data directory, removed when its case ends.
pub struct Data(PathBuf);

impl Data {
    /// A directory that does not exist yet.
    pub fn new() -> Self {
        let random = getrandom::u64().expect("the system gives random numbers");
        Self(target().join("tmp").join(format!("data-{random:016x}")))
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the directory as the program does: only its owner has access.
    pub fn make(&self) {
        fs::create_dir_all(&self.0).expect("the target folder can be written to");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700)).expect("the directory is ours");
        }
    }

    /// The content of one of its files.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Starts `holdfast` on this data with these arguments.
    pub fn holdfast(&self, words: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).env("HOLDFAST_DATA_DIR", &self.0);
        Run::start(command, "")
    }

    /// The same with `RUST_LOG`.
    pub fn holdfast_logging(&self, level: &str, words: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).env("HOLDFAST_DATA_DIR", &self.0).env("RUST_LOG", level);
        Run::start(command, "")
    }

    /// The same with this text on standard input.
    pub fn holdfast_reading(&self, words: &[&str], input: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).env("HOLDFAST_DATA_DIR", &self.0);
        Run::start(command, input)
    }

    /// The store without the application. No server may have it open.
    pub fn store(&self) -> Store {
        let clock = Clock::of_system();
        let engine = holdfast::engine::Engine::open(&self.0.join("holdfast.store"), move || clock.now());
        Store::Embedded(engine.expect("the data file opens"))
    }

    /// A server on this data, once it has printed its address.
    pub async fn serve(&self) -> Server {
        self.serve_logging("info").await
    }

    /// The same with `RUST_LOG`.
    pub async fn serve_logging(&self, level: &str) -> Server {
        self.serve_with(&[("RUST_LOG", level)]).await
    }

    /// A server on this data that cannot print a link because its disk is full.
    pub async fn serve_on_full_disk(&self) -> Server {
        Server::of_table(self.holdfast(&["--port", "0"])).await
    }

    /// The same with these variables.
    pub async fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        self.serve_as(Command::new(env!("CARGO_BIN_EXE_holdfast")), variables).await
    }

    /// The same with a limit of open files.
    pub async fn serve_with_open_files(&self, files: usize, variables: &[(&str, &str)]) -> Server {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_holdfast")]);
        self.serve_as(shell, variables).await
    }

    async fn serve_as(&self, mut command: Command, variables: &[(&str, &str)]) -> Server {
        command.args(["--port", "0"]).env("HOLDFAST_DATA_DIR", &self.0).envs(variables.iter().copied());
        Server::of(Run::start(command, "")).await
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // A directory that was never created cannot be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A started program. It is killed when its case ends, because an idle server would keep polling its table.
pub struct Run {
    process: Process,
    out: PathBuf,
    err: PathBuf,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.process.end();
    }
}

/// The command with the standard variables of the SDK, which make the case's engine its AWS.
pub fn as_on_aws(mut command: Command, environment: &TestEnvironment) -> Command {
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", environment.engine().endpoint()),
        ("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", environment.engine().endpoint()),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key()),
        ("AWS_SECRET_ACCESS_KEY", "dummy"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        command.env(name, value);
    }
    command
}

impl Run {
    /// Starts a program without the variables that a developer may have set.
    pub fn start(command: Command, input: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let name = format!("process-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let place = |end: &str| target().join("tmp").join(format!("{name}.{end}"));
        let (out, err, given) = (place("out"), place("err"), place("in"));
        // An earlier run of these cases may have left files with the same names.
        for (file, content) in [(&out, ""), (&err, ""), (&given, input)] {
            fs::write(file, content).expect("the target folder can be written to");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", STREAMS, "sh"]).args([&out, &err, &given]);
        shell.arg(command.get_program()).args(command.get_args());
        for variable in DEVELOPER_VARIABLES {
            shell.env_remove(variable);
        }
        for (variable, value) in command.get_envs() {
            shell.env(variable, value.unwrap_or_default());
        }
        let process = Process::start(&name, &shell).expect("the program starts");
        Self { process, out, err }
    }

    /// Starts `holdfast` with these arguments on a case's table, as on a table on AWS: the standard variables of
    /// the SDK have the endpoint and the credentials.
    pub fn on_table<'a>(environment: &TestEnvironment, words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(words).args(["--table", environment.table(), "--region", "us-east-1"]);
        Self::start(as_on_aws(command, environment), "")
    }

    /// Its standard output so far.
    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// Its standard error so far.
    pub fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until it has written this many lines to standard output and returns them.
    pub async fn prints(&self, lines: usize) -> String {
        let printed = wait::within(TIMEOUT, async || {
            let out = self.out();
            let whole = out.matches('\n').count() >= lines;
            if whole { Ok(out) } else { Err(self.process.ended()) }
        });
        printed.await.unwrap_or_else(|end| panic!("it did not start, {end:?}: {}", self.err()))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end and returns its exit code. A killed process has none.
    pub async fn ended(&self) -> Option<i32> {
        self.ended_within(TIMEOUT).await
    }

    /// The same with another time limit.
    pub async fn ended_within(&self, timeout: Duration) -> Option<i32> {
        let status = wait::within(timeout, async || self.process.ended().ok_or("it still runs")).await;
        status.unwrap_or_else(|still| panic!("{still}: {} {}", self.out(), self.err())).code()
    }

    /// Waits until it has succeeded and returns its standard output.
    pub async fn succeeds(&self) -> String {
        let code = self.ended().await;
        assert_eq!(code, Some(0), "{} {}", self.out(), self.err());
        self.out()
    }

    /// Waits until it has ended with this exit code and returns its standard error.
    pub async fn fails(&self, code: i32) -> String {
        assert_eq!(self.ended().await, Some(code), "{} {}", self.out(), self.err());
        self.err()
    }

    /// Waits until standard error contains these words.
    pub async fn says(&self, words: &str) {
        let printed = wait::within(TIMEOUT, async || self.err().contains(words).then_some(()).ok_or(words));
        assert!(printed.await.is_ok(), "it did not print {words:?}: {}", self.err());
    }
}

fn address_in(line: Option<&str>) -> Option<String> {
    line?.strip_prefix("Holdfast is at ").map(str::to_owned)
}

/// The address of the administrator whom the tests set up.
pub const ADMINISTRATOR: &str = "ada@example.com";

/// Their password.
pub const PASSWORD: &str = "correct horse battery";

/// How the line with the link begins.
const LINK: &str = "This link signs the first administrator in, once: ";

/// A running server.
pub struct Server {
    /// The process.
    pub run: Run,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    /// The path of the link in the second line of standard output.
    pub link: String,
}

impl Server {
    async fn of(run: Run) -> Self {
        let out = run.prints(2).await;
        let mut lines = out.lines();
        let address =
            address_in(lines.next()).unwrap_or_else(|| panic!("the first line is not an address: {out}"));
        let link = lines.next().and_then(|line| line.strip_prefix(LINK)?.strip_prefix(&address));
        let link = link.map_or_else(|| panic!("the second line is not a link: {out}"), str::to_owned);
        Self { run, address, link }
    }

    /// A server over a table, which prints no link.
    pub async fn of_table(run: Run) -> Self {
        let out = run.prints(1).await;
        let address =
            address_in(out.lines().next()).unwrap_or_else(|| panic!("this is not an address: {out}"));
        Self { run, address, link: String::new() }
    }

    /// The server's port.
    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap_or_default()
    }

    /// A browser that is not signed in.
    pub fn visitor(&self) -> Client {
        Client::at(&self.address).always("origin", &self.address)
    }

    /// A browser that has opened the printed link.
    pub async fn administrator(&self) -> Client {
        let visitor = self.visitor();
        self.set_up(&visitor).await;
        visitor
    }

    /// Uses the printed link: sets up the workspace at the first start, and only signs in later.
    pub async fn set_up(&self, visitor: &Client) {
        let page = visitor.get(&self.link).send().await.expect(200);
        let fields: &[(&str, &str)] = match page.text().contains("Set up Holdfast") {
            true => &[("name", "Ada Lovelace"), ("email", ADMINISTRATOR), ("password", PASSWORD)],
            false => &[],
        };
        visitor.post(&self.link).form(fields).send().await.expect(303);
    }

    /// A browser with this session.
    pub fn person(&self, cookie: &str) -> Client {
        self.visitor().always("cookie", &format!("{}={cookie}", self.cookie_name()))
    }

    /// The name of its session cookie.
    pub fn cookie_name(&self) -> String {
        format!("holdfast-{}", self.port())
    }

    /// The session of the person at this browser.
    pub fn session(&self, person: &Client) -> String {
        person.cookie(&self.cookie_name()).expect("they are signed in")
    }

    /// The secret of a new token of the person at this browser.
    pub async fn token(&self, person: &Client) -> String {
        let made = person.post("/api/tokens").json(&json!({ "name": "test" })).send().await.expect(201);
        made.json::<Value>()["secret"].as_str().expect("it is shown once").to_owned()
    }

    /// A program with this token.
    pub fn program(&self, token: &str) -> Client {
        Client::at(&self.address).always("authorization", &format!("Bearer {token}"))
    }

    /// Stops it like Ctrl-C and returns its log.
    pub async fn stop(self) -> String {
        self.run.signal("INT");
        self.run.succeeds().await;
        self.run.err()
    }
}
