//! The report about one request or batch, and its formats.

use std::str::FromStr;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{RequestId, RequestMetrics};
use crate::base::identity::Role;
use crate::base::values::Invalid;

/// The outcome and the cost of one request or batch. It contains nothing about who sent it or whose data it
/// concerned.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it ended.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// The id in the log.
    pub request_id: String,
    /// The trace of the request or batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The method and the route's pattern (`GET /leads/{id}`), `none` if no route matched, or the batch's name.
    pub route: String,
    /// The status of the answer; `None` for a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The sender's role; `None` for a visitor or a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// `ok`, or the name of the problem: `conflict`, `rule-violation`, `busy` and so on. For a batch, `unfinished` if
    /// a part of it will be delivered again.
    pub outcome: &'static str,
    /// The duration in milliseconds.
    pub latency: f64,
    /// The number of DynamoDB calls.
    #[serde(rename = "dynamoDBCalls")]
    pub calls: u32,
    /// The number of attempts of these calls beyond the first.
    pub retries: u32,
    /// The read units that DynamoDB reported.
    pub read_units: f64,
    /// The write units that DynamoDB reported.
    pub write_units: f64,
    /// The number of messages that became dead letters.
    pub message_dead_letters: u32,
    /// The number of stream records that became dead letters.
    pub dead_letters: u32,
    /// The number of unknown fields of messages, which were ignored.
    pub ignored_fields: u32,
}

impl Report {
    pub(super) fn of_request(
        at: Timestamp,
        id: &RequestId,
        method: &Method,
        status: StatusCode,
        latency: Duration,
        metrics: &RequestMetrics,
    ) -> Self {
        let counts = metrics.counts();
        let route = counts.route.map_or_else(|| "none".to_owned(), |route| format!("{method} {route}"));
        let by_rule = counts.rule_violation && status == StatusCode::UNPROCESSABLE_ENTITY;
        let outcome = if by_rule { "rule-violation" } else { counts.problem.unwrap_or(outcome_of(status)) };
        Self { status: Some(status.as_u16()), ..Self::new(at, id, route, outcome, latency, metrics) }
    }

    pub(super) fn of_batch(
        at: Timestamp,
        id: &RequestId,
        name: &str,
        ok: bool,
        latency: Duration,
        metrics: &RequestMetrics,
    ) -> Self {
        // A batch that reports unfinished items has failed as well, even if its work returned no error.
        let outcome = if ok { metrics.counts().problem.unwrap_or("ok") } else { "internal" };
        Self::new(at, id, name.to_owned(), outcome, latency, metrics)
    }

    fn new(
        at: Timestamp,
        id: &RequestId,
        route: String,
        outcome: &'static str,
        latency: Duration,
        metrics: &RequestMetrics,
    ) -> Self {
        let counts = metrics.counts();
        Self {
            at,
            request_id: id.0.clone(),
            trace_id: metrics.trace().and_then(|trace| trace.root()).map(str::to_owned),
            route,
            status: None,
            role: counts.role,
            outcome,
            // Whole microseconds: finer digits are noise.
            latency: (latency.as_secs_f64() * 1e6).round() / 1e3,
            calls: counts.calls,
            retries: counts.retries,
            read_units: counts.read_units,
            write_units: counts.write_units,
            message_dead_letters: counts.message_dead_letters,
            dead_letters: counts.dead_letters,
            ignored_fields: counts.ignored_fields,
        }
    }

    fn is_failure(&self) -> bool {
        self.status.map_or(self.outcome != "ok", |status| status == 500)
    }

    /// Writes the report to the log. A failure is a warning, because its cause is logged as an error separately;
    /// everything else is information.
    pub(super) fn log(&self) {
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdfast::requests",
                    request_id = self.request_id,
                    trace_id = self.trace_id,
                    route = self.route,
                    status = self.status,
                    role = self.role.as_ref().map(Role::as_str),
                    outcome = self.outcome,
                    latency = self.latency,
                    calls = self.calls,
                    retries = self.retries,
                    read_units = self.read_units,
                    write_units = self.write_units,
                    message_dead_letters = self.message_dead_letters,
                    dead_letters = self.dead_letters,
                    ignored_fields = self.ignored_fields,
                )
            };
        }
        if self.is_failure() { event!(warn) } else { event!(info) }
    }
}

/// Returns the outcome for a status without a problem.
fn outcome_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::CONFLICT => "conflict",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        status if status.is_server_error() => "internal",
        status if status.is_client_error() => "refused",
        _ => "ok",
    }
}

/// The metrics that CloudWatch creates from reports. Each metric that gets a value within an hour costs for that
/// hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// Failures, conflicts, 503 answers, and dead letters of messages and of the stream, if there were any: the
    /// metrics that alarms watch. A function without problems has none.
    Essential,
    /// All counts and the latency of each route.
    Detailed,
}

impl FromStr for Metrics {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "essential" => Ok(Self::Essential),
            "detailed" => Ok(Self::Detailed),
            _ => Err(Invalid::new("The metrics are essential or detailed.")),
        }
    }
}

/// The counts that become metrics even in essential mode, if they are not zero.
pub const ESSENTIAL: [&str; 5] =
    ["Conflicts", "DeadLetters", "Failures", "MessageDeadLetters", "Unavailable"];

/// Formats a report as one line of CloudWatch's embedded metric format: a log entry from which CloudWatch creates
/// metrics. The metrics have the function's name as their dimension; latencies also have the route.
/// (Source: "Specification: Embedded metric format" in the Amazon CloudWatch user guide.)
pub fn embedded_metrics(report: &Report, function: &str, metrics: Metrics) -> Value {
    let one = |is: bool| u8::from(is);
    let status = report.status.unwrap_or_default();
    let counts = [
        ("Requests", 1.into()),
        ("Conflicts", one(status == 409).into()),
        ("RuleViolations", one(report.outcome == "rule-violation").into()),
        ("Unavailable", one(status == 503).into()),
        ("Failures", one(report.is_failure()).into()),
        ("Retries", report.retries.into()),
        ("MessageDeadLetters", report.message_dead_letters.into()),
        ("DeadLetters", report.dead_letters.into()),
        ("IgnoredFields", report.ignored_fields.into()),
        ("DynamoDBCalls", Value::from(report.calls)),
    ];
    let directives = directives(&counts, metrics);
    let mut line = json!(report);
    if let Some(line) = line.as_object_mut() {
        line.extend(counts.map(|(name, value)| (name.to_owned(), value)));
        for (name, value) in [
            ("FunctionName", function.into()),
            ("Route", report.route.clone().into()),
            ("Latency", report.latency.into()),
        ] {
            line.insert(name.to_owned(), value);
        }
        if !directives.is_empty() {
            let directives =
                json!({ "Timestamp": report.at.as_millisecond(), "CloudWatchMetrics": directives });
            line.insert("_aws".to_owned(), directives);
        }
        // These are in the line as metrics.
        for duplicate in [
            "route",
            "latency",
            "retries",
            "messageDeadLetters",
            "deadLetters",
            "ignoredFields",
            "dynamoDBCalls",
        ] {
            line.remove(duplicate);
        }
    }
    line
}

/// Returns the directives that tell CloudWatch which metrics to create. A line without directives is only a log
/// entry.
fn directives(counts: &[(&str, Value)], metrics: Metrics) -> Vec<Value> {
    let is_wanted = |(name, value): &&(&str, Value)| {
        metrics == Metrics::Detailed || (ESSENTIAL.contains(name) && *value != 0)
    };
    let wanted: Vec<Value> =
        (counts.iter().filter(is_wanted)).map(|(name, _)| json!({ "Name": name, "Unit": "Count" })).collect();
    let mut directives = Vec::new();
    if !wanted.is_empty() {
        directives
            .push(json!({ "Namespace": "Holdfast", "Dimensions": [["FunctionName"]], "Metrics": wanted }));
    }
    if metrics == Metrics::Detailed {
        directives.push(json!({
            "Namespace": "Holdfast",
            "Dimensions": [["FunctionName"], ["FunctionName", "Route"]],
            "Metrics": [{ "Name": "Latency", "Unit": "Milliseconds" }],
        }));
    }
    directives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            at: Timestamp::constant(1_800_000_000, 0),
            request_id: "8476a536".to_owned(),
            trace_id: Some("1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
            route: "PATCH /api/leads/{id}".to_owned(),
            status: Some(409),
            role: Some(Role::Agent),
            outcome: "conflict",
            latency: 12.5,
            calls: 2,
            retries: 1,
            read_units: 1.5,
            write_units: 8.0,
            message_dead_letters: 0,
            dead_letters: 0,
            ignored_fields: 3,
        }
    }

    /// The specification's limits for each directive: at most 30 dimensions, each a string in the root; at most 100
    /// metrics, each a number in the root.
    #[test]
    fn the_line_is_in_the_embedded_metric_format() {
        let line = embedded_metrics(&report(), "holdfast-web", Metrics::Detailed);
        assert_eq!(line["_aws"]["Timestamp"], 1_800_000_000_000_i64);
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], "Holdfast");
            for set in directive["Dimensions"].as_array().unwrap() {
                let set = set.as_array().unwrap();
                assert!((1..=30).contains(&set.len()));
                assert!(set.iter().all(|name| line[name.as_str().unwrap()].is_string()), "{set:?}");
            }
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            assert!(metrics.iter().all(|metric| line[metric["Name"].as_str().unwrap()].is_number()));
        }
        for (name, value) in [
            ("FunctionName", json!("holdfast-web")),
            ("Route", json!("PATCH /api/leads/{id}")),
            ("Requests", json!(1)),
            ("Conflicts", json!(1)),
            ("RuleViolations", json!(0)),
            ("Retries", json!(1)),
            ("IgnoredFields", json!(3)),
            ("Latency", json!(12.5)),
            ("role", json!("agent")),
            ("writeUnits", json!(8.0)),
        ] {
            assert_eq!(line[name], value, "{name}");
        }
    }

    #[test]
    fn each_outcome_counts_in_its_own_metric() {
        let counted = |status: Option<u16>, outcome: &'static str| {
            let line = embedded_metrics(&Report { status, outcome, ..report() }, "f", Metrics::Essential);
            let is = |name: &str| line[name] == 1;
            ["Conflicts", "RuleViolations", "Unavailable", "Failures"].map(is)
        };
        assert_eq!(counted(Some(200), "ok"), [false; 4]);
        assert_eq!(counted(Some(409), "conflict"), [true, false, false, false]);
        assert_eq!(counted(Some(422), "rule-violation"), [false, true, false, false]);
        assert_eq!(counted(Some(422), "invalid"), [false; 4]);
        assert_eq!(counted(Some(503), "busy"), [false, false, true, false]);
        assert_eq!(counted(Some(500), "internal"), [false, false, false, true]);
        assert_eq!(counted(None, "internal"), [false, false, false, true]);
        assert_eq!(counted(None, "ok"), [false; 4]);
    }

    #[test]
    fn essential_metrics_are_created_only_for_failures() {
        let made = |status: Option<u16>, outcome: &'static str, message_dead_letters: u32| -> Vec<String> {
            let report = Report { status, outcome, message_dead_letters, ..report() };
            let line = embedded_metrics(&report, "f", Metrics::Essential);
            // Values that are not metrics are still in the log.
            assert_eq!((&line["Requests"], &line["Latency"]), (&json!(1), &json!(12.5)));
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().cloned().unwrap_or_default();
            let metrics = directives.iter().flat_map(|one| one["Metrics"].as_array().unwrap().clone());
            metrics.map(|metric| metric["Name"].as_str().unwrap().to_owned()).collect()
        };
        for (status, outcome, message_dead_letters, names) in [
            (Some(200), "ok", 0, &[][..]),
            (Some(422), "rule-violation", 0, &[]),
            (None, "ok", 0, &[]),
            (Some(409), "conflict", 0, &["Conflicts"]),
            (Some(503), "busy", 0, &["Unavailable"]),
            (Some(500), "internal", 0, &["Failures"]),
            (None, "unfinished", 3, &["Failures", "MessageDeadLetters"]),
        ] {
            assert_eq!(made(status, outcome, message_dead_letters), names, "{status:?} {outcome}");
        }
        let quiet = Report { status: Some(200), outcome: "ok", ..report() };
        assert!(embedded_metrics(&quiet, "f", Metrics::Essential).get("_aws").is_none());
    }

    #[test]
    fn metrics_are_named_essential_and_detailed() {
        assert_eq!("essential".parse(), Ok(Metrics::Essential));
        assert_eq!("detailed".parse(), Ok(Metrics::Detailed));
        assert!("Detailed".parse::<Metrics>().is_err() && "".parse::<Metrics>().is_err());
    }
}
