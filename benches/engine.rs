//! The embedded engine without HTTP: 8 callers update leads of their own, durably. It prints the rate at each number
//! of leads, which grows between the measurements, and the time to open the file and read a lead.
//!
//! `cargo bench --bench engine`. The measured call is an update by the service of leads, so it also builds the
//! transaction. A million leads (`HOLDFAST_BENCH_LEADS=1000000`) take about 15 minutes to create.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `HOLDFAST_BENCH_SECONDS` | seconds of one measurement | 5 |
//! | `HOLDFAST_BENCH_PAIRS` | measurements at each number of leads; the median is printed | 5 |
//! | `HOLDFAST_BENCH_LEADS` | the numbers of leads, growing | `10000 100000` |
//! | `TMPDIR` | where the data file is kept | `/tmp` |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an unexpected result ends the bench"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::keys::{CookieKey, CookieKeys, KeyRing};
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::App;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Actor;
use holdfast::base::values::Version;
use holdfast::engine::Engine;
use holdfast::hosts::process;
use holdfast::leads::domain::{Lead, LeadChange, LeadId, NewLead, Score};
use holdfast::store::idempotency::Done;
use holdfast::store::line::Line;
use holdfast::store::{Embedded, schema};
use serde_json::json;

const CALLERS: usize = 8;
/// How many creations are in flight while the table is filled.
const CREATORS: usize = 64;
const STATES: [&str; 8] = ["CA", "TX", "NY", "FL", "WA", "OR", "OH", "MI"];

/// A lead and its version.
type Known = (LeadId, Version);

struct Measured {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it starts; `cargo bench` passes `--bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let seconds =
        Duration::from_secs(variable("HOLDFAST_BENCH_SECONDS", "5").parse().expect("a number of seconds"));
    let rounds: usize = variable("HOLDFAST_BENCH_PAIRS", "5").parse().expect("a number of measurements");
    let folder = std::env::temp_dir().join(format!("holdfast-engine-{}", std::process::id()));
    let file = folder.join("holdfast.db");
    let mut engine = open(&file);
    let mut app = app(&engine);
    schema::create_table(&app.dynamo).await.expect("the table can be created");
    let mut shares = vec![Vec::new(); CREATORS];
    println!(
        "{:>9}  {:>7}  {:>7}  {:>7}  {:>9}  {:>7}",
        "leads", "/s", "p50 ms", "p99 ms", "KB a lead", "open ms"
    );
    for leads in variable("HOLDFAST_BENCH_LEADS", "10000 100000").split_whitespace() {
        let leads: usize = leads.parse().expect("a number of leads");
        shares = fill(&app, &engine, shares, leads).await;
        let size = fs::metadata(&file).expect("the data file exists").len() as f64 / 1024.0 / leads as f64;
        let mut results = Vec::new();
        for _ in 0..rounds {
            results.push(update(&app, &mut shares, seconds).await);
            trim(&engine);
        }
        results.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        let Measured { rate, p50, p99 } = results[rounds / 2];
        drop((app, engine));
        let opened;
        (app, engine, opened) = reopen(&file, shares[0][0].0).await;
        println!(
            "{leads:>9}  {rate:>7.0}  {:>7.2}  {:>7.2}  {size:>9.1}  {:>7.1}",
            milliseconds(p50),
            milliseconds(p99),
            milliseconds(opened)
        );
    }
    drop((app, engine));
    fs::remove_dir_all(&folder).expect("the folder is ours");
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn open(file: &Path) -> Engine {
    let clock = Clock::of_system();
    Engine::open(file, move || clock.now()).expect("the data file can be created")
}

/// Opens the file again and reads a lead. Returns how long that took.
async fn reopen(file: &Path, lead: LeadId) -> (App, Engine, Duration) {
    let start = Instant::now();
    let engine = open(file);
    let app = app(&engine);
    app.leads().find(lead).await.expect("the lead can be read");
    (app, engine, start.elapsed())
}

fn app(engine: &Engine) -> App {
    let line = Line::to(Embedded::new(engine.clone(), process::blocking()));
    let keys = CookieKeys::fixed(KeyRing::of(CookieKey::new([0; 64]), None));
    process::app(line, "bench", CookiePolicy { keys, secure: true, port: None }, SignUp::Off)
}

/// Creates leads until there are `leads`, and returns all of them by creator.
async fn fill(app: &App, engine: &Engine, shares: Vec<Vec<Known>>, leads: usize) -> Vec<Vec<Known>> {
    let tasks: Vec<_> = shares
        .into_iter()
        .enumerate()
        .map(|(creator, mut share)| {
            let (service, by) = (app.leads(), Actor::new("bench"));
            tokio::spawn(async move {
                while creator + share.len() * CREATORS < leads {
                    let number = creator + share.len() * CREATORS;
                    let created =
                        service.create(new_lead(number), &by, None).await.expect("a lead is created");
                    share.push(known(created));
                }
                share
            })
        })
        .collect();
    let mut filled = Vec::new();
    for task in tasks {
        filled.push(task.await.expect("the creator ends"));
    }
    trim(engine);
    filled
}

fn known(done: Done<Lead>) -> Known {
    match done {
        Done::Now(lead) => (lead.id, lead.version),
        Done::Replayed(_) => unreachable!("the requests have no idempotency key"),
    }
}

fn new_lead(number: usize) -> NewLead {
    let lead = json!({
        "name": format!("Person {number} Example"),
        "email": format!("person{number}@company{}.example", number % 1_000),
        "state": STATES[number % STATES.len()],
        "leadScore": number % 80,
        "status": "prospect",
    });
    serde_json::from_value(lead).expect("a new lead")
}

/// Removes the stream's records, which no reader takes here.
fn trim(engine: &Engine) {
    while engine.trim_stream(4_000).expect("the stream can be trimmed") > 0 {}
}

/// Measures updates of leads spread over all of them, as in a table where every lead changes now and then.
async fn update(app: &App, shares: &mut [Vec<Known>], time: Duration) -> Measured {
    let start = Instant::now();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (service, by) = (app.leads(), Actor::new("bench"));
            let mut own = std::mem::take(&mut shares[caller]);
            tokio::spawn(async move {
                let (mut latencies, mut at) = (Vec::new(), 0);
                while start.elapsed() < time {
                    // A prime stride visits leads far from each other.
                    at = (at + 7_919) % own.len();
                    let (id, version) = own[at];
                    let score = Score::try_from((version.get() as i64 + 1) * 7 % 80).expect("a score");
                    let change = LeadChange { lead_score: Some(score), ..LeadChange::default() };
                    let sent = Instant::now();
                    let lead = service.update(id, version, &change, &by, None).await.expect("it is updated");
                    latencies.push(sent.elapsed());
                    own[at] = known(lead);
                }
                (own, latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for (caller, task) in tasks.into_iter().enumerate() {
        let (own, times) = task.await.expect("the caller ends");
        shares[caller] = own;
        latencies.extend(times);
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[latencies.len() * percent / 100];
    Measured { rate, p50: at(50), p99: at(99) }
}
