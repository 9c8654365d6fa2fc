//! The WebAssembly component compared with the native server: the time of an answer over real sockets and the same
//! DynamoDB Local, and the ratio, which says more than the times of one machine.
//!
//! `cargo bench --bench component`, after `infra/wasm-build`, with the variables that the component's cases need.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an unexpected result ends the bench"
)]

#[allow(dead_code, unused_imports, unused_macros, reason = "the cases use the rest")]
#[path = "../tests/e2e/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use support::http::Client;
use support::workspace::{Workspace, create, new_lead};
use support::{Entry, Kind, TestEnvironment};

/// The number of measured answers, one after the other.
const ANSWERS: usize = 300;
/// The number of answers before them, which do not count.
const FIRST: usize = 30;

/// A request and its times.
struct Measured {
    what: &'static str,
    median: Duration,
    ninetieth: Duration,
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it starts; `cargo bench` passes `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let native = measured(Entry::Socket).await;
    let component = measured(Entry::Component).await;
    support::process::end_all();
    println!("{:<34} {:>10} {:>10} {:>10} {:>10} {:>6}", "", "native", "90 %", "component", "90 %", "ratio");
    for (one, other) in native.iter().zip(&component) {
        println!(
            "{:<34} {:>7.2} ms {:>7.2} ms {:>7.2} ms {:>7.2} ms {:>6.1}",
            one.what,
            milliseconds(one.median),
            milliseconds(one.ninetieth),
            milliseconds(other.median),
            milliseconds(other.ninetieth),
            other.median.as_secs_f64() / one.median.as_secs_f64(),
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

async fn measured(entry: Entry) -> Vec<Measured> {
    let environment = TestEnvironment::with_entry(Kind::DynamoDbLocal, entry, "bench")
        .await
        .expect("DynamoDB Local is there");
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let mut lead = json!({});
    for number in 0..50 {
        lead = create(&agent, &new_lead(&format!("Lead {number}"), &format!("l{number}@example.com"))).await;
    }
    let one = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    let style = holdfast::web::assets::url("app.css").to_owned();
    let mut measured = Vec::new();
    for (what, path) in [
        ("GET /assets (no call)", style.as_str()),
        ("GET /health (1 call)", "/health"),
        ("GET /api/leads/{id} (2 calls)", &one),
        ("GET /leads (page of 50, 2 calls)", "/leads"),
    ] {
        measured.push(times(what, async |_| send(&agent, Method::GET, path, None).await).await);
    }
    let change = async |version: usize| {
        let body = json!({ "version": version + 1, "leadScore": version % 70 + 1 });
        send(&agent, Method::PATCH, &one, Some(body)).await;
    };
    measured.push(times("PATCH /api/leads/{id} (a write)", change).await);
    environment.close().await;
    measured
}

async fn send(client: &Client, method: Method, path: &str, body: Option<serde_json::Value>) {
    let request = client.request(method, path);
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.expect(200);
}

async fn times(what: &'static str, mut ask: impl AsyncFnMut(usize)) -> Measured {
    let mut times = Vec::with_capacity(ANSWERS);
    for number in 0..FIRST + ANSWERS {
        let began = Instant::now();
        ask(number).await;
        if number >= FIRST {
            times.push(began.elapsed());
        }
    }
    times.sort_unstable();
    Measured { what, median: times[ANSWERS / 2], ninetieth: times[ANSWERS * 9 / 10] }
}
