//! Commands beside a running server whose data directory cannot hold a socket: they use HTTP, with a token from the
//! directory.
//!
//! A directory with the socket's name prevents the socket, as a file system without sockets does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::binary::{Data, Server};
use super::raw::Raw;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: without_a_socket_commands_run_beside_the_server_over_http,
            files_and_standard_input_stream_over_http,
            a_command_over_http_needs_the_token_of_the_running_server,
            the_route_of_commands_exists_only_without_a_socket,
            a_server_that_stops_ends_the_commands_over_http,
            the_token_of_a_killed_server_is_not_accepted
    ]
}

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads");
const CHECKED: &str = "Checked 0 products with 0 movements.\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: holdfast-commands/1\r\nContent-Length: 0\r\n";

/// Data whose directory cannot hold a socket.
fn without_socket() -> Data {
    let data = Data::new();
    data.make();
    fs::create_dir(data.path().join("holdfast.socket")).unwrap();
    data
}

fn token(data: &Data) -> String {
    data.read("holdfast.token")
}

async fn without_a_socket_commands_run_beside_the_server_over_http(_: TestEnvironment) {
    let data = without_socket();
    let server = data.serve().await;
    let lock: Value = serde_json::from_str(&data.read("holdfast.lock")).unwrap();
    let file = data.path().join("holdfast.token");
    assert_eq!(lock["socket"], Value::Null);
    assert_eq!(lock["token"], fs::canonicalize(&file).unwrap().to_str().unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // 256 bits as base64.
    assert_eq!(token(&data).len(), 43);

    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED));
    let add = ["account", "add", "ann@example.com", "--name", "Ann Lee", "--role", "agent"];
    let added = data.holdfast(&add).succeeds().await;
    let link = added.lines().nth(2).and_then(|line| line.strip_prefix(&server.address));
    let ann = server.visitor();
    ann.use_link(link.expect("the link is the server's")).await.expect(303);
    // The exit codes are those of the commands.
    let again = data.holdfast(&add).fails(1).await;
    assert!(again.starts_with("holdfast: another account has the email"), "{again}");
    data.holdfast(&["account", "add", "ann"]).fails(2).await;

    let log = server.stop().await;
    assert!(log.contains("accepting them over HTTP"), "{log}");
    assert!(!file.exists(), "the token ends with the server");
    assert!(
        data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED),
        "without a server the command opens the data itself"
    );
}

async fn files_and_standard_input_stream_over_http(_: TestEnvironment) {
    let data = without_socket();
    let server = data.serve().await;
    let contacts = format!("{FIXTURES}/contacts.csv");
    let report = data.holdfast(&["import", "leads", &contacts]).succeeds().await;
    assert!(report.starts_with("Read "), "{report}");
    let rejected = data.path().join("rejected.csv");
    let mistakes = format!("{FIXTURES}/contacts-with-mistakes.csv");
    let words = ["import", "leads", &mistakes, "--rejected", rejected.to_str().unwrap()];
    // All valid rows are leads already.
    data.holdfast(&words).fails(1).await;
    assert!(fs::read_to_string(&rejected).unwrap().lines().count() > 1);

    let page: Value = server.administrator().await.get("/api/leads?limit=1").send().await.expect(200).json();
    let state = page["items"][0]["state"].as_str().unwrap();
    let order = format!(
        "create_order customer_name=Acme customer_email=buy@acme.example requested_states={state}\nget_orders\n"
    );
    let out = data.holdfast_reading(&["run"], &order).succeeds().await;
    assert!(out.contains("2 ok get_orders orders=1 more=no"), "{out}");

    let backup = data.path().join("monday.holdfast");
    data.holdfast(&["backup", backup.to_str().unwrap()]).succeeds().await;
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = Data::new();
    restored.holdfast(&["restore", backup.to_str().unwrap()]).succeeds().await;
    let out = restored.holdfast(&["run", "get_orders"]).succeeds().await;
    assert!(out.contains("orders=1"), "{out}");
}

async fn a_command_over_http_needs_the_token_of_the_running_server(_: TestEnvironment) {
    let data = without_socket();
    let server = data.serve().await;
    let right = token(&data);
    let mut wrong = right.clone().into_bytes();
    wrong[0] ^= 1;
    let wrong = String::from_utf8(wrong).unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n{UPGRADE}");
    let person = server.administrator().await;
    let cookie = server.cookie_name();
    let session = format!("Cookie: {cookie}={}\r\n", person.cookie(&cookie).unwrap());
    let origin = format!("Origin: {}\r\nSec-Fetch-Site: same-origin\r\n", server.address);
    for (headers, status) in [
        (UPGRADE.to_owned(), 401),
        (bearer(&wrong), 401),
        (bearer(&right[..42]), 401),
        (bearer(""), 401),
        // A page of the server itself, in its administrator's browser.
        (format!("{session}{origin}{UPGRADE}"), 401),
        (format!("Authorization: Bearer {right}\r\nContent-Length: 0\r\n"), 426),
        (bearer(&right).replace("holdfast-commands/1", "websocket"), 426),
        (bearer(&right), 101),
    ] {
        let mut client = Raw::to(&server);
        client.ask("POST /commands", &headers);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{headers}: {}", answer.body);
        assert!(!answer.body.contains(&right), "{}", answer.body);
        if status != 101 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            // The connection can still be used.
            client.ask("GET /health", "");
            assert_eq!(client.answer().status, 200, "{headers}");
        }
    }
    let mut foreign = Raw::to(&server);
    let head = format!("POST /commands HTTP/1.1\r\nHost: evil.example\r\n{}\r\n", bearer(&right));
    foreign.send(head.as_bytes());
    assert_eq!(foreign.answer().status, 421);

    // The command itself with another token, and without one.
    fs::write(data.path().join("holdfast.token"), &wrong).unwrap();
    let refused = data.holdfast(&["check"]).fails(1).await;
    assert!(refused.contains("its token differs") && refused.contains(&server.address), "{refused}");
    fs::remove_file(data.path().join("holdfast.token")).unwrap();
    let refused = data.holdfast(&["check"]).fails(1).await;
    assert!(refused.starts_with("holdfast: the server that has this data open did not finish"), "{refused}");
    let log = server.stop().await;
    assert!(!log.contains(&right), "{log}");
}

async fn the_route_of_commands_exists_only_without_a_socket(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    assert!(!data.path().join("holdfast.token").exists());
    let mut client = Raw::to(&server);
    client.ask("POST /commands", &format!("Authorization: Bearer x\r\n{UPGRADE}"));
    assert_eq!(client.answer().status, 404);

    let data = without_socket();
    let server = data.serve().await;
    for method in ["GET", "PUT", "OPTIONS"] {
        let mut client = Raw::to(&server);
        client.ask(&format!("{method} /commands"), &format!("Authorization: Bearer {}\r\n", token(&data)));
        assert_eq!(client.answer().status, 404, "{method}");
    }
}

/// Sends a frame of the protocol.
fn send(client: &mut Raw, message: &Value) {
    let json = message.to_string();
    let mut frame = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(json.into_bytes());
    client.stream.write_all(&frame).unwrap();
}

/// The next frame.
fn receive(client: &mut Raw) -> Value {
    let mut length = [0; 4];
    client.stream.read_exact(&mut length).unwrap();
    let mut json = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    client.stream.read_exact(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// A command that waits for its standard input.
fn waiting(server: &Server, data: &Data) -> Raw {
    let mut client = Raw::to(server);
    client.ask("POST /commands", &format!("Authorization: Bearer {}\r\n{UPGRADE}", token(data)));
    assert_eq!(client.answer().status, 101);
    let words = ["holdfast", "run"].map(|word| json!({ "Unix": word.as_bytes() }));
    send(&mut client, &json!({ "Run": { "version": env!("CARGO_PKG_VERSION"), "words": words } }));
    assert_eq!(receive(&mut client), "Input");
    client
}

async fn a_server_that_stops_ends_the_commands_over_http(_: TestEnvironment) {
    let data = without_socket();
    let server = data.serve().await;
    // A process that disappears ends its command.
    drop(waiting(&server, &data));
    let mut command = waiting(&server, &data);
    server.stop().await;
    assert!(command.is_closed());
}

async fn the_token_of_a_killed_server_is_not_accepted(_: TestEnvironment) {
    let data = without_socket();
    let server = data.serve().await;
    server.run.signal("KILL");
    server.run.ended().await;
    let left = token(&data);
    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED), "no server has the data open");
    let server = data.serve().await;
    assert_ne!(token(&data), left, "each server has its own token");
    let mut client = Raw::to(&server);
    client.ask("POST /commands", &format!("Authorization: Bearer {left}\r\n{UPGRADE}"));
    assert_eq!(client.answer().status, 401);
    server.run.signal("KILL");
    server.run.ended().await;
    // A server with a socket creates no token.
    fs::remove_dir(data.path().join("holdfast.socket")).unwrap();
    let _server = data.serve().await;
    assert!(!data.path().join("holdfast.token").exists());
    assert!(data.holdfast(&["check"]).succeeds().await.ends_with(CHECKED));
}
