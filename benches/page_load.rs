//! The time until a page is shown in a browser with an empty cache, a slow processor and a slow network.
//!
//! `cargo bench --bench page_load`, with Chromium and chromedriver as the browser's cases need them.
//!
//! The conditions are those of a phone in a "slow 4G" network, as Chrome's tools define it: 1.6 Mbit/s down, 750 kbit/s
//! up, and a round trip of 150 ms for each request. The second row of a page has a delay of 562.5 ms instead, which
//! Chrome's own tools use to imitate the handshakes of a connection too. The processor is slowed down to a fourth.

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

use holdfast::base::identity::Role;
use serde_json::{Value, json};
use support::browser::{Browser, Look};
use support::http::Server;
use support::workspace::{Workspace, create, new_lead};
use support::{Entry, Kind, TestEnvironment};

/// How often each page is loaded. The table shows medians.
const LOADS: usize = 9;
/// How much slower the processor is.
const SLOWER: u32 = 4;
/// The names and delays of the networks, in milliseconds.
const NETWORKS: [(&str, f64); 2] = [("150 ms", 150.0), ("562.5 ms", 562.5)];
/// The pages.
const PAGES: [&str; 4] = ["/leads", "/orders/caps", "/", "/sign-in"];

/// The times of one load in milliseconds, its requests and its bytes.
const TIMES: &str = "
    const [page] = performance.getEntriesByType('navigation');
    const parts = performance.getEntriesByType('resource');
    const [painted] = performance.getEntriesByName('first-contentful-paint');
    const sum = [page, ...parts].reduce((sum, part) => sum + part.transferSize, 0);
    return [painted?.startTime ?? 0, page.domContentLoadedEventEnd, page.loadEventEnd, parts.length + 1, sum]";

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it starts; `cargo bench` passes `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let environment = TestEnvironment::with_entry(Kind::Embedded, Entry::Router, "bench");
    let environment = environment.await.expect("the engine opens");
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for number in 0..60 {
        create(&agent, &new_lead(&format!("Lead {number}"), &format!("l{number}@example.com"))).await;
    }
    let server = Server::of(workspace.router.clone()).await;
    let browser = Browser::open(Look::phone()).await;
    println!(
        "{:<14} {:>10} {:>12} {:>12} {:>10} {:>9} {:>10}",
        "page", "delay", "first paint", "interactive", "complete", "requests", "bytes"
    );
    for page in PAGES {
        if page == PAGES[0] {
            workspace.sign_in(&browser, &server, Role::Agent, "Ada").await;
        } else if page == "/sign-in" {
            browser.devtools("Network.clearBrowserCookies", json!({})).await;
        }
        for (name, delay) in NETWORKS {
            slow_down(&browser, delay).await;
            let times = load(&browser, &server.url(page)).await;
            let [painted, interactive, complete, requests, bytes] = times.map(|value| value.round());
            println!(
                "{page:<14} {name:>10} {painted:>9} ms {interactive:>9} ms {complete:>7} ms {requests:>9} {bytes:>10}"
            );
        }
    }
    browser.close().await;
    support::process::end_all();
}

async fn slow_down(browser: &Browser, delay: f64) {
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    let network = json!({
        "offline": false,
        "latency": delay,
        "downloadThroughput": 1_600_000 / 8,
        "uploadThroughput": 750_000 / 8,
    });
    browser.devtools("Network.emulateNetworkConditions", network).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": SLOWER })).await;
}

/// Returns the medians of several loads.
async fn load(browser: &Browser, url: &str) -> [f64; 5] {
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        browser.goto("about:blank").await;
        browser.goto(url).await;
        let times: Value = browser.run(TIMES, Vec::new()).await;
        loads.push(serde_json::from_value::<[f64; 5]>(times).expect("five numbers"));
    }
    std::array::from_fn(|column| {
        let mut values: Vec<f64> = loads.iter().map(|load| load[column]).collect();
        values.sort_by(f64::total_cmp);
        values[LOADS / 2]
    })
}
