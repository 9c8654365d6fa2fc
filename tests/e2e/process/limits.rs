//! The server's limits for clients: connections, time and concurrent requests, and the handling of unread bodies.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rlimit::{Resource, prlimit};
use serde_json::Value;

use super::binary::{Data, Run, Server};
use super::raw::Raw;
use crate::support::workspace::{COOKIE_SECRET, new_lead};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: idle_connections_of_one_client_do_not_block_other_clients,
            a_server_out_of_file_descriptors_keeps_accepting,
            a_client_that_sends_its_head_too_slowly_is_disconnected,
            a_body_that_arrives_too_slowly_is_answered_408,
            a_client_that_does_not_read_its_answers_is_disconnected,
            an_excess_request_is_refused_at_once_unless_for_assets_or_health,
            a_request_after_a_refused_body_is_answered,
            a_refusal_of_a_large_body_arrives_and_closes_the_connection,
            an_invalid_limit_is_refused_with_a_reason
    ]
}

/// The number of files that a process has open.
fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.run.pid())).unwrap().count()
}

fn asks_for_health(client: &mut Raw) {
    client.ask("GET /health", "");
    assert_eq!(client.answer().status, 200);
}

/// The number of these connections that the server has closed.
fn closed(connections: &[Raw]) -> usize {
    let is_closed = |connection: &&Raw| {
        connection.stream.set_nonblocking(true).unwrap();
        match (&connection.stream).read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    };
    connections.iter().filter(is_closed).count()
}

async fn idle_connections_of_one_client_do_not_block_other_clients(_: TestEnvironment) {
    const IDLE: usize = 1_100;
    const FILES: usize = 1_024;
    let data = Data::new();
    // No timeout closes them here.
    let server = data.serve_with_open_files(FILES, &[("HOLDFAST_HEADER_TIMEOUT", "3600")]).await;
    let mut known = Raw::to(&server);
    asks_for_health(&mut known);
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(Raw::to(&server));
    }
    // A new client is served while all of them are open, and so is an older one.
    asks_for_health(&mut Raw::to(&server));
    asks_for_health(&mut known);
    // Of 1,024 files, connections may use 768. Those that have waited longest are closed.
    let least = IDLE + 2 - 768;
    wait::until("the excess connections are closed", async || closed(&idle) >= least).await;
    assert!(closed(&idle) <= least + 2, "not more than necessary");
    assert!(open_files(&server) < FILES, "{}", open_files(&server));
    let log = server.stop().await;
    assert_eq!(log.matches("the connection limit is reached").count(), 1, "{log}");
}

async fn a_server_out_of_file_descriptors_keeps_accepting(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    asks_for_health(&mut Raw::to(&server));
    let pid = i32::try_from(server.run.pid()).unwrap();
    let files = u64::try_from(open_files(&server)).unwrap();
    let (mut soft, mut hard) = (0, 0);
    prlimit(pid, Resource::NOFILE, None, Some((&mut soft, &mut hard))).unwrap();
    prlimit(pid, Resource::NOFILE, Some((files + 4, hard)), None).unwrap();
    let idle: Vec<_> = (0..20).map(|_| Raw::to(&server)).collect();
    let mut client = Raw::to(&server);
    client.ask("GET /nowhere", "");
    assert_eq!(client.answer().status, 404, "a waiting connection is closed for it");
    assert!(closed(&idle) > 0);
    prlimit(pid, Resource::NOFILE, Some((soft, hard)), None).unwrap();
    asks_for_health(&mut Raw::to(&server));
    let log = server.stop().await;
    assert_eq!(log.matches("cannot accept a connection").count(), 1, "{log}");
}

async fn a_client_that_sends_its_head_too_slowly_is_disconnected(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve_with(&[("HOLDFAST_HEADER_TIMEOUT", "1"), ("HOLDFAST_IDLE_TIMEOUT", "1")]).await;
    for begun in ["", "G", "GET /health HTTP/1.1\r\nHost: 127"] {
        let mut client = Raw::to(&server);
        client.send(begun.as_bytes());
        assert!(client.is_closed(), "{begun:?}");
    }
    // After an answer: nothing more, and half a head.
    for begun in ["", "GET /he"] {
        let mut client = Raw::to(&server);
        asks_for_health(&mut client);
        client.send(begun.as_bytes());
        assert!(client.is_closed(), "{begun:?} after an answer");
    }
    asks_for_health(&mut Raw::to(&server));
}

async fn a_body_that_arrives_too_slowly_is_answered_408(_: TestEnvironment) {
    // Between two pieces, and in total.
    for variable in ["HOLDFAST_BODY_TIMEOUT", "HOLDFAST_REQUEST_TIMEOUT"] {
        let data = Data::new();
        let server = data.serve_with(&[(variable, "1")]).await;
        let mut client = Raw::to(&server);
        let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n";
        client.ask("POST /sign-in", form);
        client.send(b"email=");
        let answer = client.answer();
        assert_eq!(answer.status, 408, "{variable}: {}", answer.body);
        assert_eq!(answer.header("connection"), Some("close"));
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["type"], "urn:holdfast:problem:too-slow");
        assert!(client.is_closed());
        asks_for_health(&mut Raw::to(&server));
    }
}

async fn a_client_that_does_not_read_its_answers_is_disconnected(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve_with(&[("HOLDFAST_BODY_TIMEOUT", "1")]).await;
    let asset = asset(&server).await;
    let mut client = Raw::to(&server);
    let head = format!("GET {asset} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    // The server stops reading requests when nothing takes its answers, and then closes the connection.
    let ended = loop {
        if let Err(error) = client.stream.write_all(head.as_bytes()) {
            break error;
        }
    };
    assert!(matches!(ended.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    asks_for_health(&mut Raw::to(&server));
}

/// The path of an asset of a page.
async fn asset(server: &Server) -> String {
    let page = server.visitor().get("/sign-in").send().await.expect(200);
    let text = page.text();
    let (_, rest) = text.split_once("\"/assets/").expect("a page has assets");
    format!("/assets/{}", rest.split('"').next().unwrap())
}

/// A table that answers only health requests, with the other connections left waiting.
fn silent_table() -> (String, Arc<Mutex<Vec<TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let waiting = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&waiting);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || answer_health(stream, &kept));
        }
    });
    (address, waiting)
}

fn answer_health(mut stream: TcpStream, waiting: &Mutex<Vec<TcpStream>>) {
    let (mut all, mut some) = (Vec::new(), [0; 4_096]);
    while let Ok(read @ 1..) = stream.read(&mut some) {
        all.extend(&some[..read]);
        // The key is in the body, after the head.
        let text = String::from_utf8_lossy(&all).into_owned();
        if text.contains("HEALTH") {
            all.clear();
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).unwrap();
        } else if text.ends_with('}') {
            return waiting.lock().unwrap().push(stream);
        }
    }
}

/// A server over this table that runs at most two requests.
async fn over_table(endpoint: &str) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(["serve", "--no-workers"]);
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_ACCESS_KEY_ID", "dummy"),
        ("AWS_SECRET_ACCESS_KEY", "dummy"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "us-east-1"),
        ("HOLDFAST_TABLE", "holdfast"),
        ("HOLDFAST_COOKIE_KEY", COOKIE_SECRET),
        ("HOLDFAST_LISTEN", "127.0.0.1:0"),
        ("HOLDFAST_HOSTS", "127.0.0.1"),
        ("HOLDFAST_MAX_REQUESTS", "2"),
    ] {
        command.env(name, value);
    }
    Server::of_table(Run::start(command, "")).await
}

async fn an_excess_request_is_refused_at_once_unless_for_assets_or_health(_: TestEnvironment) {
    const TOKEN: &str = "Authorization: Bearer hf_RWT31KYIf6Ubr0LrDt9kxK_E4X91uxsSZSOaMzJY8T8\r\n";
    let (endpoint, waiting) = silent_table();
    let server = over_table(&endpoint).await;
    let asset = asset(&server).await;
    let mut running = [Raw::to(&server), Raw::to(&server)];
    for client in &mut running {
        client.ask("GET /api/leads", TOKEN);
    }
    wait::until("both requests wait for the table", async || waiting.lock().unwrap().len() >= 2).await;

    let mut client = Raw::to(&server);
    for path in ["/api/leads", "/api/orders", "/api/me"] {
        client.ask(&format!("GET {path}"), TOKEN);
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")), "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["type"], "urn:holdfast:problem:busy");
        assert!(problem["detail"].as_str().unwrap().starts_with("Too many requests right now."), "{problem}");
    }
    client.ask("GET /sign-in", "Accept: text/html\r\n");
    let page = client.answer();
    assert_eq!(page.status, 503);
    assert!(page.header("content-type").is_some_and(|html| html.starts_with("text/html")), "{page:?}");
    asks_for_health(&mut client);
    client.ask(&format!("GET {asset}"), "");
    let file = client.answer();
    assert_eq!(file.status, 200);
    // Cookies are only for https here, so the server sends this header everywhere.
    assert_eq!(file.header("strict-transport-security"), Some("max-age=31536000"));

    // A slot is free as soon as a client disconnects.
    let [first, _second] = running;
    drop(first);
    let address = &server;
    wait::until("another request runs", async || {
        address.visitor().get("/sign-in").send().await.status == 200
    })
    .await;
    server.run.signal("KILL");
}

/// Refusals before or while the body is read: the request, its headers, the length of its body, and the status.
fn refusals(token: &str) -> Vec<(&'static str, String, usize, u16)> {
    let json = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let text = format!("Authorization: Bearer {token}\r\nContent-Type: text/plain\r\n");
    vec![
        ("POST /api/leads", String::new(), 2_000, 401),
        ("POST /api/leads", "Authorization: Bearer hf_no\r\n".to_owned(), 60_000, 401),
        ("POST /sign-in", "Sec-Fetch-Site: cross-site\r\nCookie: a=b\r\n".to_owned(), 2_000, 403),
        ("POST /api/nowhere", String::new(), 2_000, 404),
        ("PUT /api/leads", json.clone(), 2_000, 405),
        ("POST /api/leads", json.clone(), 100_000, 413),
        ("POST /api/leads", json.clone(), 250_000, 413),
        ("POST /api/leads", text, 2_000, 415),
        // An absolute address names the host as well.
        ("POST http://evil.example/api/leads", json, 2_000, 421),
    ]
}

async fn a_request_after_a_refused_body_is_answered(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let token = server.token(&server.administrator().await).await;
    for (what, headers, length, status) in refusals(&token) {
        let mut client = Raw::to(&server);
        client.ask(what, &format!("{headers}Content-Length: {length}\r\n"));
        client.send(&vec![b'x'; length]);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!(answer.header("connection"), None, "{what}");
        asks_for_health(&mut client);
        // The same body in chunks, without a known length.
        client.ask(what, &format!("{headers}Transfer-Encoding: chunked\r\n"));
        client.send(format!("{length:x}\r\n").as_bytes());
        client.send(&vec![b'x'; length]);
        client.send(b"\r\n0\r\n\r\n");
        assert_eq!(client.answer().status, status, "{what} in chunks");
        asks_for_health(&mut client);
    }
    let lead = new_lead("Ann", "ann@example.com");
    server.program(&token).post("/api/leads").json(&lead).send().await.expect(201);
}

async fn a_refusal_of_a_large_body_arrives_and_closes_the_connection(_: TestEnvironment) {
    const LENGTH: usize = 4 * 1024 * 1024;
    let data = Data::new();
    let server = data.serve().await;
    let token = server.token(&server.administrator().await).await;
    for (what, headers, _, status) in refusals(&token) {
        // Only a body that is read can be too long.
        let status = if status == 415 { 415 } else { status };
        for is_chunked in [false, true] {
            let mut client = Raw::to(&server);
            if is_chunked {
                client.ask(what, &format!("{headers}Transfer-Encoding: chunked\r\n"));
                client.send(format!("{LENGTH:x}\r\n").as_bytes());
            } else {
                client.ask(what, &format!("{headers}Content-Length: {LENGTH}\r\n"));
            }
            // It sends the whole body before it reads.
            client.send(&vec![b'x'; LENGTH]);
            let answer = client.answer();
            assert_eq!(answer.status, status, "{what}: {}", answer.body);
            assert_eq!(answer.header("connection"), Some("close"), "{what}");
            assert!(client.is_closed(), "{what}");
        }
    }
    // A client that waits for `100 Continue` does not get it.
    let mut client = Raw::to(&server);
    client.ask("POST /api/leads", "Expect: 100-continue\r\nContent-Length: 2000\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert!(client.is_closed());
    asks_for_health(&mut Raw::to(&server));
}

async fn an_invalid_limit_is_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    for (flag, value) in [
        ("--max-requests", "0"),
        ("--max-connections", "many"),
        ("--header-timeout", "3601"),
        ("--body-timeout", "0"),
    ] {
        let refused = data.holdfast(&[flag, value]).fails(2).await;
        assert!(refused.contains(flag) && refused.contains(value), "{refused}");
    }
    assert!(!data.path().exists(), "no data was created");
}
