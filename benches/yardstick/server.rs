//! A `holdfast` server on new data, and the programs that use its API.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::load::{Answer, Connection};
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
}

impl Server {
    /// Imports leads into new data in this folder, starts a server and creates a token.
    pub fn start(options: &Options, folder: &Path) -> Self {
        fs::create_dir(folder).expect("the folder can be made");
        import(options, folder);
        let log = File::create(folder.join("holdfast.log")).expect("the folder can be written to");
        let mut command = holdfast(options, folder, &["--port", "0"]);
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
        let (first, link) = (next(), next());
        let address = first.strip_prefix("Holdfast is at ").expect("the first line has the address");
        let host = address.strip_prefix("http://").expect("it is not encrypted").to_owned();
        let (_, path) = link.split_once(address).expect("the second line has the link");
        let mut connection = Connection::open(&host);
        let answer = connection.send(&request(&host, "GET", path, &[], ""));
        let cookie = cookie(&answer, 303);
        let program = Program::of_person(&host, &cookie);
        Self { process, _output: output, host, program, leads_of_state: options.leads / STATES }
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// A program with the token of a new person.
    pub fn sign_up(&self, number: usize) -> Program {
        let mut connection = Connection::open(&self.host);
        let form =
            format!("name=Person+{number}&email=person{number}%40example.com&password=correct+horse+battery");
        let headers =
            [("origin", self.origin()), ("content-type", "application/x-www-form-urlencoded".to_owned())];
        let answer = connection.send(&request(&self.host, "POST", "/sign-up", &headers, &form));
        Program::of_person(&self.host, &cookie(&answer, 303))
    }

    fn origin(&self) -> String {
        format!("http://{}", self.host)
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
fn holdfast(options: &Options, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(&options.binary);
    command.args(words).arg("--data-dir").arg(folder.join("data")).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HOLDFAST_") || text.starts_with("AWS_") || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command
}

fn import(options: &Options, folder: &Path) {
    let states: Vec<&str> =
        STATES_OF_ORDERS.into_iter().chain(STATES_OF_UPDATES).chain([STATE_OF_REFUSALS]).collect();
    let mut file = String::from("Name,Email,State,Lead score\n");
    for number in 0..options.leads {
        let (state, score) = (states[number % states.len()], number % 80);
        file.push_str(&format!("Lead {number},lead{number}@example.com,{state},{score}\n"));
    }
    let path = folder.join("leads.csv");
    fs::write(&path, file).expect("the folder can be written to");
    let mut import = holdfast(options, folder, &["import", "leads"]);
    let output = import.arg(&path).output().expect("the release binary starts");
    assert!(output.status.success(), "the import failed: {}", String::from_utf8_lossy(&output.stderr));
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

/// The cookies that an answer sets.
fn cookie(answer: &Answer<'_>, status: u16) -> String {
    assert_eq!(answer.status, status, "{} {}", answer.head, answer.text());
    let headers = answer.head.lines().filter_map(|line| line.split_once(": "));
    let set = headers.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let pairs: Vec<&str> = set.filter_map(|(_, value)| value.split(';').next()).collect();
    pairs.join("; ")
}

/// A program with a token.
pub struct Program {
    host: String,
    authorization: String,
}

impl Program {
    /// Creates a token for the person who is signed in with these cookies.
    fn of_person(host: &str, cookie: &str) -> Self {
        let mut connection = Connection::open(host);
        let headers = [
            ("origin", format!("http://{host}")),
            ("cookie", cookie.to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let body = json!({ "name": "bench" }).to_string();
        let made = connection.send(&request(host, "POST", "/api/tokens", &headers, &body)).json(201);
        let secret = made["secret"].as_str().expect("the secret is shown once");
        Self { host: host.to_owned(), authorization: format!("Bearer {secret}") }
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
