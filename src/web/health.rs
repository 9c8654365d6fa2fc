//! Health checks: whether the process runs, and whether it is ready. Both answers are public and contain no secret.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::base::clock::Clock;
use crate::base::telemetry::{Heartbeats, SweepFailures};
use crate::store::{Dynamo, Key, StoreError};
use crate::web::access::Access;
use crate::web::routes::Routes;

/// The status of a process that can do its work.
const READY: &str = "ready";
/// How long an answer is reused before the table is read again.
const CACHED_FOR: SignedDuration = SignedDuration::from_secs(2);
/// How far statistics and rules may be behind changes.
const STREAM_LIMIT: SignedDuration = SignedDuration::from_mins(5);
/// How long ago the last sweep may have finished. Sweeps run every 20 s.
const SWEEPER_LIMIT: SignedDuration = SignedDuration::from_mins(3);
/// The minimum free space, in bytes, on the disk that stores the data.
const DISK_LIMIT: u64 = 64 * 1024 * 1024;

/// Returns the free bytes on the disk that stores the data, or `None` if they are unknown.
#[derive(Clone)]
pub struct FreeDisk(Arc<dyn Fn() -> Option<u64> + Send + Sync>);

impl FreeDisk {
    /// Creates it from a function, which must not block for long.
    pub fn from_fn(free: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        Self(Arc::new(free))
    }
}

impl fmt::Debug for FreeDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreeDisk")
    }
}

/// The last readiness of a process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LastReadiness(Arc<Mutex<Option<(Timestamp, Readiness)>>>);

/// Whether one part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    /// The part is not in this process, so its state is unknown here.
    Absent,
}

/// The state of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
}

impl Check {
    const ABSENT: Self = Self { status: Status::Absent, age_seconds: None, free_bytes: None };

    fn of(is_ok: bool) -> Self {
        Self { status: if is_ok { Status::Ok } else { Status::Failed }, ..Self::ABSENT }
    }

    fn of_age(age: Option<SignedDuration>, limit: SignedDuration) -> Self {
        age.map_or(Self::ABSENT, |age| Self { age_seconds: Some(age.as_secs()), ..Self::of(age <= limit) })
    }

    fn of_disk(free: Option<u64>) -> Self {
        free.map_or(Self::ABSENT, |free| Self { free_bytes: Some(free), ..Self::of(free >= DISK_LIMIT) })
    }

    fn fails(&self) -> bool {
        self.status == Status::Failed
    }
}

/// What went wrong although the process can do its work. It needs a person, but keeps no request from the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Warnings {
    has_lost_changes: bool,
    sweep: SweepFailures,
}

impl Warnings {
    /// Returns them as sentences.
    fn sentences(self) -> impl Iterator<Item = String> {
        let Self { has_lost_changes, sweep: SweepFailures { orders, rules, runs } } = self;
        let lost = "The stream deleted changes before rules ran for them. Run holdfast recount to correct the statistics.";
        let counted = |count: usize, one: &str, many: &str| {
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
        };
        [
            has_lost_changes.then(|| lost.to_owned()),
            counted(orders, "large order can't be completed.", "large orders can't be completed."),
            counted(rules, "rule failed in the last sweep.", "rules failed in the last sweep."),
            counted(runs, "run of a rule couldn't be retried.", "runs of rules couldn't be retried."),
        ]
        .into_iter()
        .flatten()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Checks {
    table: Check,
    stream: Check,
    sweeper: Check,
    disk: Check,
}

/// Whether a process can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Readiness {
    /// `ready` or `not-ready`. Only a check that fails makes the process not ready.
    status: &'static str,
    /// The failed checks and the warnings, as sentences.
    problems: Vec<String>,
    checks: Checks,
}

impl Readiness {
    fn of(checks: Checks, warnings: Warnings) -> Self {
        let age = |check: &Check| check.age_seconds.unwrap_or_default();
        let mut problems = Vec::new();
        let mut add = |check: &Check, problem: String| {
            if check.fails() {
                problems.push(problem);
            }
        };
        add(&checks.table, "The table does not answer.".to_owned());
        add(&checks.stream, format!("Statistics and rules are {} s behind.", age(&checks.stream)));
        add(&checks.sweeper, format!("The last sweep ended {} s ago.", age(&checks.sweeper)));
        let free = checks.disk.free_bytes.unwrap_or_default();
        add(&checks.disk, format!("The disk of the data has {free} bytes left."));
        let status = if problems.is_empty() { READY } else { "not-ready" };
        problems.extend(warnings.sentences());
        Self { status, problems, checks }
    }
}

/// The sources of a process's health.
#[derive(Clone)]
pub struct Health {
    /// The table.
    pub dynamo: Dynamo,
    /// The clock.
    pub clock: Clock,
    /// The progress of this process's workers.
    pub heartbeats: Heartbeats,
    /// The space on the disk that stores the data, if this process stores any.
    pub free_disk: Option<FreeDisk>,
    /// The last readiness.
    pub last: LastReadiness,
}

/// Returns the routes of health checks.
pub fn routes(health: Health) -> Routes {
    Routes::default()
        .get("/health", Access::Public, self::health)
        .get("/health/ready", Access::Public, ready)
        .with_state(health)
}

/// `GET /health`: 200 as long as the process answers. It reads nothing, so a failing table restarts no process.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /health/ready`: 200 if the process can do its work, otherwise 503, both with the problems. It consumes at most
/// one read unit every two seconds.
async fn ready(State(health): State<Health>) -> Response {
    let readiness = readiness(&health).await;
    let status = if readiness.status == READY { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn readiness(health: &Health) -> Readiness {
    let now = health.clock.now();
    if let Some(last) = health.last.recent(now) {
        return last;
    }
    let table = health.dynamo.get(&Key::new("HEALTH", "HEALTH")).await;
    if let Err(error) = &table {
        tracing::warn!(%error, "the table does not answer a health check");
    }
    let heartbeats = &health.heartbeats;
    let checks = Checks {
        table: Check::of(answers(&table)),
        stream: Check::of_age(heartbeats.stream_age(now), STREAM_LIMIT),
        sweeper: Check::of_age(heartbeats.sweep_age(now), SWEEPER_LIMIT),
        disk: Check::of_disk(health.free_disk.as_ref().and_then(|free| (free.0)())),
    };
    let (has_lost_changes, sweep) = (heartbeats.has_lost_changes(), heartbeats.sweep_failures());
    let readiness = Readiness::of(checks, Warnings { has_lost_changes, sweep });
    health.last.keep(health.clock.now(), &readiness);
    readiness
}

/// Whether the table answered, even if with an item that this version of the program cannot read.
fn answers<T>(read: &Result<T, StoreError>) -> bool {
    matches!(read, Ok(_) | Err(StoreError::OtherSchema { .. } | StoreError::Malformed { .. }))
}

impl LastReadiness {
    /// Returns the last readiness if it is recent. If not, one caller reads it again, and the others get the old one
    /// until then.
    fn recent(&self, now: Timestamp) -> Option<Readiness> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, readiness) = last.as_mut()?;
        if now.duration_since(*at).abs() < CACHED_FOR {
            return Some(readiness.clone());
        }
        *at = now;
        None
    }

    fn keep(&self, now: Timestamp, readiness: &Readiness) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, readiness.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_parts_are_problems_and_absent_parts_are_not() {
        let ok = Checks {
            table: Check::of(true),
            stream: Check::of_age(None, STREAM_LIMIT),
            sweeper: Check::of_age(Some(SignedDuration::from_secs(20)), SWEEPER_LIMIT),
            disk: Check::of_disk(None),
        };
        let ready = Readiness::of(ok.clone(), Warnings::default());
        assert_eq!((ready.status, ready.problems.len()), ("ready", 0));
        assert_eq!(json!(ready.checks.stream), json!({ "status": "absent" }));
        assert_eq!(json!(ready.checks.sweeper), json!({ "status": "ok", "ageSeconds": 20 }));

        for (checks, problem) in [
            (Checks { table: Check::of(false), ..ok.clone() }, "The table does not answer."),
            (
                Checks {
                    stream: Check::of_age(Some(SignedDuration::from_secs(301)), STREAM_LIMIT),
                    ..ok.clone()
                },
                "Statistics and rules are 301 s behind.",
            ),
            (
                Checks {
                    sweeper: Check::of_age(Some(SignedDuration::from_secs(181)), SWEEPER_LIMIT),
                    ..ok.clone()
                },
                "The last sweep ended 181 s ago.",
            ),
            (
                Checks { disk: Check::of_disk(Some(9)), ..ok.clone() },
                "The disk of the data has 9 bytes left.",
            ),
        ] {
            let readiness = Readiness::of(checks, Warnings::default());
            assert_eq!((readiness.status, &readiness.problems[..]), ("not-ready", &[problem.to_owned()][..]));
        }
    }

    #[test]
    fn warnings_are_problems_that_leave_the_process_ready() {
        let absent = Checks {
            table: Check::of(true),
            stream: Check::ABSENT,
            sweeper: Check::ABSENT,
            disk: Check::ABSENT,
        };
        let warnings =
            Warnings { has_lost_changes: true, sweep: SweepFailures { orders: 2, rules: 1, runs: 0 } };
        let readiness = Readiness::of(absent.clone(), warnings);
        let problems = [
            "The stream deleted changes before rules ran for them. Run holdfast recount to correct the statistics.",
            "2 large orders can't be completed.",
            "1 rule failed in the last sweep.",
        ];
        assert_eq!((readiness.status, &readiness.problems[..]), ("ready", &problems.map(str::to_owned)[..]));
        let failed = Readiness::of(Checks { table: Check::of(false), ..absent }, warnings);
        assert_eq!(
            (failed.status, failed.problems.len()),
            ("not-ready", 4),
            "a warning hides no failed check"
        );
    }
}
