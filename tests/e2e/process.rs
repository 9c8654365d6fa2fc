//! The built programs: how `holdfast` starts, serves, stops and keeps its data, what its commands do, and what the
//! programs never log.

mod backups;
pub mod binary;
mod commands;
mod commands_over_http;
mod durability;
mod help;
mod hosts;
mod limits;
mod logs;
mod people;
mod privacy;
mod raffles;
mod raw;
mod size;
mod streams;
mod takeover;
mod tour;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

use self::binary::{Data, Server};
use crate::support::workspace::{address, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        embedded: the_server_prints_its_address_and_a_link_that_signs_an_administrator_in_once,
            only_the_owner_has_access_to_the_data,
            data_and_sessions_survive_a_restart_and_a_kill,
            a_stopped_server_finishes_running_requests_and_logs_it,
            a_second_signal_stops_the_server_at_once,
            a_taken_port_is_an_error_that_names_the_flag,
            a_second_server_on_the_same_data_names_the_first_one
    ];
    cases.extend(backups::all());
    cases.extend(commands::all());
    cases.extend(commands_over_http::all());
    cases.extend(durability::all());
    cases.extend(help::all());
    cases.extend(hosts::all());
    cases.extend(limits::all());
    cases.extend(logs::all());
    cases.extend(people::all());
    cases.extend(privacy::all());
    cases.extend(raffles::all());
    cases.extend(size::all());
    cases.extend(streams::all());
    cases.extend(takeover::all());
    cases.extend(tour::all());
    cases
}

async fn the_server_prints_its_address_and_a_link_that_signs_an_administrator_in_once(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    assert!(server.address.starts_with("http://127.0.0.1:"), "{}", server.address);
    server.visitor().get("/health").send().await.expect(200);
    let ready: Value = server.visitor().get("/health/ready").send().await.expect(200).json();
    for check in ["table", "stream", "sweeper", "disk"] {
        assert_eq!(ready["checks"][check]["status"], "ok", "{ready}");
    }

    let person = server.administrator().await;
    let me: Value = person.get("/api/me").send().await.expect(200).json();
    assert_eq!(me["role"], "administrator");
    person.get("/leads").send().await.expect(200);
    let late = server.visitor();
    late.get(&server.link).send().await.expect(410);
    late.get("/api/me").send().await.expect(401);

    assert_eq!(server.run.out().lines().count(), 2, "nothing else is printed: {}", server.run.out());
    // The next start prints another link for the same person.
    let first = server.link.clone();
    server.stop().await;
    let server = data.serve().await;
    assert_ne!(server.link, first);
    let again: Value = server.administrator().await.get("/api/me").send().await.expect(200).json();
    assert_eq!(again["id"], me["id"]);
}

#[cfg(unix)]
async fn only_the_owner_has_access_to_the_data(_: TestEnvironment) {
    use std::os::unix::fs::PermissionsExt as _;
    let data = Data::new();
    let _server = data.serve().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data.path()), 0o700);
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(not(unix))]
async fn only_the_owner_has_access_to_the_data(_: TestEnvironment) {}

async fn data_and_sessions_survive_a_restart_and_a_kill(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let person = server.administrator().await;
    let session = server.session(&person);
    let kept = create(&person, &new_lead("Kept", "kept@example.com")).await;
    server.stop().await;

    let server = data.serve().await;
    let person = server.person(&session);
    assert_eq!(read(&person, &kept).await, kept);
    let killed = create(&person, &new_lead("Killed", "killed@example.com")).await;
    server.run.signal("KILL");
    assert_eq!(server.run.ended().await, None, "a killed process has no exit code");

    let server = data.serve().await;
    let person = server.person(&session);
    for lead in [&kept, &killed] {
        assert_eq!(read(&person, lead).await, *lead);
    }
    let page: Value = person.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"], serde_json::json!([killed, kept]));
}

/// A running request: its handler waits for the body, which is not sent yet.
struct Running {
    stream: TcpStream,
    body: String,
}

impl Running {
    async fn creation(server: &Server) -> Self {
        let token = server.token(&server.administrator().await).await;
        let body = new_lead("Late", "late@example.com").to_string();
        let head = format!(
            "POST /api/leads HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            server.address.trim_start_matches("http://"),
            body.len()
        );
        let port = server.port().parse().unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(wait::TIMEOUT)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // The server asks for the body when the handler does.
        let asked = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut answer = vec![0; asked.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, asked);
        Self { stream, body }
    }

    /// Sends the body and returns the status and body of the answer.
    fn finish(mut self) -> (u16, Value) {
        self.stream.write_all(self.body.as_bytes()).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap())
    }
}

async fn a_stopped_server_finishes_running_requests_and_logs_it(_: TestEnvironment) {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "Ctrl-C")] {
        let data = Data::new();
        let server = data.serve().await;
        // An idle browser connection does not delay the end.
        let _idle = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
        let running = Running::creation(&server).await;
        server.run.signal(signal);
        server.run.says(&format!("{name}: finishing running requests")).await;
        let (status, lead) = running.finish();
        assert_eq!((status, &lead["name"]), (201, &"Late".into()), "{lead}");
        server.run.succeeds().await;
        server.run.says("stopped; all data is on disk").await;

        let server = data.serve().await;
        assert_eq!(read(&server.administrator().await, &lead).await, lead);
    }
}

async fn a_second_signal_stops_the_server_at_once(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let running = Running::creation(&server).await;
    server.run.signal("INT");
    server.run.says("repeat to stop immediately").await;
    let asked = std::time::Instant::now();
    server.run.signal("INT");
    server.run.fails(130).await;
    assert!(asked.elapsed() < Duration::from_secs(8), "it waited for the request: {:?}", asked.elapsed());
    drop(running);

    let server = data.serve().await;
    let page: Value = server.administrator().await.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"], serde_json::json!([]), "an aborted request changed nothing");
}

async fn a_taken_port_is_an_error_that_names_the_flag(_: TestEnvironment) {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = Data::new();
    let run = data.holdfast(&["--port", &port]);
    let words = run.fails(1).await;
    assert!(
        words.starts_with(&format!("holdfast: port {port} is in use; choose another with --port")),
        "{words}"
    );
    assert_eq!(words.lines().count(), 1, "{words}");
    assert_eq!(run.out(), "");
    assert!(!data.path().exists(), "no data was created");
}

async fn a_second_server_on_the_same_data_names_the_first_one(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let lock: Value = serde_json::from_str(&data.read("holdfast.lock")).unwrap();
    let holder = format!("process {} serves it at {} since ", lock["pid"], server.address);

    let elsewhere = data.holdfast(&["--port", "0"]).fails(1).await;
    assert!(elsewhere.contains(&holder) && elsewhere.contains("--data-dir"), "{elsewhere}");
    assert!(elsewhere.contains(data.path().to_str().unwrap()), "{elsewhere}");
    let same = data.holdfast(&["--port", server.port()]).fails(1).await;
    assert!(same.contains(&holder), "{same}");
    for flag in ["--port", "--data-dir"] {
        assert!(same.contains(flag), "{same}");
    }
    // The first server has not noticed.
    server.visitor().get("/health").send().await.expect(200);
    let others = Data::new();
    others.serve().await.visitor().get("/health").send().await.expect(200);
    let lead = new_lead("Still here", "still@example.com");
    let person = server.administrator().await;
    let lead = create(&person, &lead).await;
    person.get(&address(&lead)).send().await.expect(200);
}
