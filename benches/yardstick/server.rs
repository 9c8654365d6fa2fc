//! A `holdfast` server on new data, and the programs that use its API.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::load::Connection;
use crate::options::Options;

/// The states of leads for orders.
pub const STATES_OF_ORDERS: [&str; 5] = ["NY", "CA", "TX", "FL", "IL"];
/// The states of leads that are changed.
pub const STATES_OF_UPDATES: [&str; 5] = ["PA", "OH", "GA", "NC", "MI"];
/// The state of leads whose changes are refused.
pub const STATE_OF_REFUSALS: &str = "VT";
/// The states of the imported leads, in turn.
const STATES: usize = STATES_OF_ORDERS.len() + STATES_OF_UPDATES.len() + 1;

/// A running server.
pub struct Server {
    process: Child,
    /// Standard output stays open, so that the server can write to it.
    _output: Lines<BufReader<ChildStdout>>,
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// A program with an administrator's token.
    pub program: Program,
    /// The imported leads of each state.
    pub leads_of_state: usize,
    binary: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// Imports leads into new data in this folder, starts a server and creates a token.
    pub fn start(options: &Options, folder: &Path) -> Self {
        fs::create_dir(folder).expect("the folder can be made");
        let leads = folder.join("leads.csv");
        write_leads(&leads, "lead", options.leads);
        output_of(holdfast(&options.binary, folder, &["import", "leads"]).arg(&leads));
        let log = File::create(folder.join("holdfast.log")).expect("the folder can be written to");
        let mut command = holdfast(&options.binary, folder, &["--port", "0"]);
        let mut process =
            command.stdout(Stdio::piped()).stderr(log).spawn().expect("the release binary starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut next = || {
            let line = output.next().and_then(Result::ok);
            line.unwrap_or_else(|| {
                let log = fs::read_to_string(folder.join("holdfast.log")).unwrap_or_default();
                panic!("holdfast did not start: {log}")
            })
        };
        let first = next();
        let address = first.strip_prefix("Holdfast is at ").expect("the first line has the address");
        let host = address.strip_prefix("http://").expect("it is not encrypted").to_owned();
        let (binary, folder) = (options.binary.clone(), folder.to_owned());
        let program = Program::of(&binary, &folder, &host, "administrator", "bench@example.com");
        Self {
            process,
            _output: output,
            host,
            program,
            leads_of_state: options.leads / STATES,
            binary,
            folder,
        }
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Imports a file by a command, which the server runs.
    pub fn import(&self, file: &Path) {
        output_of(holdfast(&self.binary, &self.folder, &["import", "leads"]).arg(file));
    }

    /// A program with the token of a new participant.
    pub fn participant(&self, number: usize) -> Program {
        let email = format!("person{number}@example.com");
        Program::of(&self.binary, &self.folder, &self.host, "participant", &email)
    }

    /// Sends a request that must be answered with this status.
    pub fn ask(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = Connection::open(&self.host);
        connection.send(&self.program.request(method, path, &body)).json(status)
    }

    /// The leads of a state.
    pub fn leads(&self, state: &str) -> Vec<Value> {
        let mut leads = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/leads?limit=100&state={state}&cursor={cursor}");
            let mut page = self.ask("GET", &path, &Value::Null, 200);
            leads.append(page["items"].as_array_mut().expect("a page has items"));
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return leads,
            }
        }
    }

    /// The path of a style sheet, which is served without the store.
    pub fn style(&self) -> String {
        let mut connection = Connection::open(&self.host);
        let page = connection.send(&request(&self.host, "GET", "/sign-in", &[], "")).text();
        let mut paths = page.split('"').filter(|text| text.starts_with("/assets/") && text.contains(".css"));
        paths.next().expect("the page has a style sheet").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server may have ended already. Its data is not needed any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `holdfast` on the data in this folder, without the variables that a developer may have set.
pub fn holdfast(binary: &Path, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(words).arg("--data-dir").arg(folder.join("data")).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOLDFAST_") || text.starts_with("AWS_") || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command
}

/// Writes a file of leads in all states of the workloads. Emails begin with this word.
pub fn write_leads(path: &Path, word: &str, count: usize) {
    let states: Vec<&str> =
        STATES_OF_ORDERS.into_iter().chain(STATES_OF_UPDATES).chain([STATE_OF_REFUSALS]).collect();
    let mut file = String::from("Name,Email,State,Lead score\n");
    for number in 0..count {
        let (state, score) = (states[number % states.len()], number % 80);
        file.push_str(&format!("Lead {number},{word}{number}@example.com,{state},{score}\n"));
    }
    fs::write(path, file).expect("the folder can be written to");
}

/// The output of a command that must succeed.
fn output_of(command: &mut Command) -> String {
    let output = command.output().expect("the release binary starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An HTTP/1.1 request.
pub fn request(host: &str, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// A program with a token.
pub struct Program {
    host: String,
    authorization: String,
}

impl Program {
    /// Creates an account with this role, and a token for it.
    fn of(binary: &Path, folder: &Path, host: &str, role: &str, email: &str) -> Self {
        let add = ["account", "add", email, "--name", "Bench", "--role", role];
        output_of(&mut holdfast(binary, folder, &add));
        let secret = output_of(&mut holdfast(binary, folder, &["token", "create", email, "bench"]));
        Self { host: host.to_owned(), authorization: format!("Bearer {}", secret.trim()) }
    }

    /// A request of this program with a JSON body, which may be empty.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut headers = vec![("authorization", self.authorization.clone())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        request(&self.host, method, path, &headers, body)
    }
}
