//! Bad input to raffles is refused by field, and writes nothing.

use holdfast::base::identity::Role;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{WRITE, buy, open};
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![web: bad_input_is_refused_by_field_and_writes_nothing]
}

/// An id that no raffle has.
const UNKNOWN_ID: &str = "019f0000-0000-7000-8000-000000000000";

#[track_caller]
fn assert_refused(answer: &Response, status: u16, named: &str, sent: &str) {
    assert_eq!(answer.status.as_u16(), status, "{sent}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{sent}");
    let problem: Value = answer.json();
    assert!(problem.to_string().contains(named), "{sent}: {named} is not named: {problem}");
}

async fn bad_input_is_refused_by_field_and_writes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let raffle = open(&admin, 10, 2).await;
    buy(&admin, &raffle, 1).await;
    let before = environment.wire().count(WRITE);
    for (field, values) in fields() {
        for value in values {
            let mut body = json!({ "title": "Autumn", "prize": "A bicycle" });
            body[field] = value.clone();
            let answer = admin.post("/api/raffles").json(&body).send().await;
            assert_refused(&answer, 422, field, &format!("{field}: {value}"));
        }
    }
    let buy = format!("{raffle}/tickets");
    for quantity in
        [json!(0), json!(-1), json!(51), json!(2.5), json!("1"), json!(1e300), json!(u64::MAX), json!(null)]
    {
        let answer = admin.post(&buy).json(&json!({ "quantity": quantity })).send().await;
        assert_refused(&answer, 422, "quantity", &quantity.to_string());
    }
    for field in ["account", "holder", "role", "email", "numbers", "version", "surprise"] {
        let body = json!({ "quantity": 1, field: 1 });
        assert_refused(&admin.post(&buy).json(&body).send().await, 422, field, field);
        let body = json!({ field: 1 });
        assert_refused(&admin.post(&format!("{raffle}/draw")).json(&body).send().await, 422, field, field);
    }
    for path in [&buy, "/api/raffles", &format!("{raffle}/draw")] {
        for (kind, body, status) in [
            ("application/json", "{", 400),
            ("application/json", "[]", 400),
            ("application/json", "", 400),
            ("text/plain", "{}", 415),
            ("application/x-www-form-urlencoded", "quantity=1", 415),
            ("", "{}", 415),
        ] {
            let answer = admin.post(path).body(kind, body).send().await;
            assert_refused(&answer, status, "title", &format!("{path} {kind} {body}"));
        }
        let key = admin.post(path).header("idempotency-key", "a b").json(&json!({})).send().await;
        assert_eq!(key.status.as_u16(), 400, "{path}");
    }
    admin.post(&buy).send().await.expect(415);
    bad_addresses_are_refused(&admin, &raffle).await;
    assert_eq!(environment.wire().count(WRITE), before, "something was written");
}

/// Invalid values for a new raffle, by field.
fn fields() -> Vec<(&'static str, Vec<Value>)> {
    let lines = |most: usize| {
        let long = "x".repeat(most + 1);
        vec![json!(""), json!("  "), json!(long), json!("a\nb"), json!("a\u{0}b"), json!(7), json!(null)]
    };
    let past = Timestamp::now() - SignedDuration::from_secs(1);
    vec![
        ("title", lines(120)),
        ("prize", lines(200)),
        ("tickets", vec![json!(0), json!(-1), json!(100_001), json!(1.5), json!("x"), json!(u64::MAX)]),
        ("limitPerPerson", vec![json!(0), json!(51), json!("2"), json!(1.5)]),
        (
            "closesAt",
            vec![json!(past.to_string()), json!("1970-01-01T00:00:00Z"), json!("soon"), json!(""), json!(7)],
        ),
        ("seed", vec![json!("00")]),
        ("id", vec![json!(UNKNOWN_ID)]),
        ("surprise", vec![json!(1)]),
    ]
}

async fn bad_addresses_are_refused(admin: &Client, raffle: &str) {
    let nowhere = format!("/api/raffles/{UNKNOWN_ID}");
    for none in ["/api/raffles/nonsense", "/api/raffles/%00", &nowhere] {
        for part in ["", "/proof", "/tickets", "/tickets/csv", "/sales", "/history"] {
            assert_refused(&admin.get(&format!("{none}{part}")).send().await, 404, "title", none);
        }
        for (method, part) in
            [(Method::POST, "/tickets"), (Method::POST, "/draw"), (Method::DELETE, "/tickets/1")]
        {
            let request = admin.request(method, &format!("{none}{part}")).json(&json!({}));
            assert_refused(&request.send().await, 404, "title", none);
        }
    }
    for (ticket, status) in [
        ("0", 404),
        ("100001", 404),
        ("abc", 404),
        ("1.5", 404),
        ("-1", 404),
        ("7?version=0", 422),
        ("7?version=x", 422),
        ("7?surprise=1", 400),
    ] {
        let answer = admin.delete(&format!("{raffle}/tickets/{ticket}")).send().await;
        assert_refused(&answer, status, "title", ticket);
    }
    for (query, header) in [("", "x"), ("?version=2", "\"3\"")] {
        let answer =
            admin.delete(&format!("{raffle}/tickets/1{query}")).header("if-match", header).send().await;
        assert_refused(&answer, 400, "If-Match", header);
    }
    for (path, status, named) in [
        ("/api/raffles?limit=0", 422, "limit"),
        ("/api/raffles?limit=101", 422, "limit"),
        ("/api/raffles?cursor=x", 400, "cursor"),
        ("/api/raffles?cursor=WyJSQUZGTEVTIiwieCJd", 400, "cursor"),
        ("/api/raffles?surprise=1", 400, "surprise"),
        ("{}/tickets?limit=0", 422, "limit"),
        ("{}/tickets?cursor=x", 400, "cursor"),
        ("{}/tickets/csv?cursor=x", 400, "cursor"),
        ("{}/tickets/csv?limit=1", 400, "limit"),
        ("{}/history?cursor=x", 400, "cursor"),
        ("{}/history?limit=ten", 422, "limit"),
    ] {
        let path = path.replace("{}", raffle);
        assert_refused(&admin.get(&path).send().await, status, named, &path);
    }
}
