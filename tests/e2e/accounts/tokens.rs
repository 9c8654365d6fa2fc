//! Tokens of programs, and what recognizing a session or token costs.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use holdfast::accounts::keys::cookie_key;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::base::telemetry::{Report, Telemetry};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{OTHER, PASSWORD, change, later, me, signed_in, with_password};
use crate::support::http::Response;
use crate::support::workspace::{
    COOKIE_SECRET, TEST_RETRIES, Workspace, address, all_items, create, new_lead, texts,
};
use crate::support::{Case, Kind, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_repeated_request_makes_one_token;
        web: a_token_signs_a_program_in_until_it_is_revoked,
            a_token_cannot_create_tokens_or_change_passwords;
        app: tokens_are_listed_page_by_page,
            authenticating_a_request_costs_one_call_for_a_session_and_two_for_a_token;
        embedded: a_recently_checked_session_or_token_needs_no_read,
            an_ended_session_or_token_stops_working_here_at_once_and_elsewhere_soon
    ]
}

/// The value of the field that shows a new token.
fn secret_on(page: &Response) -> String {
    let (_, rest) = page.text().split_once("value=\"hf_").expect("the page shows a secret");
    format!("hf_{}", rest.split('"').next().unwrap())
}

async fn a_token_signs_a_program_in_until_it_is_revoked(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    environment.wire().reset();
    let page = ann.post("/account/tokens").form(&[("name", "night <import>")]).send().await.expect(201);
    let secret = secret_on(&page);
    assert!(page.text().contains("night &#60;import&#62;"), "{}", page.text());
    let program = workspace.bearer(&secret);
    assert_eq!(me(&program).await.expect(200).json::<Value>()["token"], "night <import>");
    // The secret is shown once and never stored.
    let later = ann.get("/account").send().await.expect(200);
    assert!(later.text().contains("night &#60;import&#62;") && !later.text().contains(&secret));
    let sent: Vec<_> = environment.wire().calls().iter().map(|call| call.request.to_string()).collect();
    assert!(!sent.is_empty(), "the token went to the table");
    assert!(sent.iter().all(|request| !request.contains(&secret[3..])), "the secret went to the table");
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert_eq!(listed["items"][0]["name"], "night <import>");
    // Other people cannot see or revoke it.
    let bob = workspace.agent().await;
    bob.delete(&format!("/api/tokens/{id}")).send().await.expect(404);
    me(&program).await.expect(200);
    program.delete(&format!("/api/tokens/{id}")).send().await.expect(204);
    me(&program).await.expect(401);
    ann.delete(&format!("/api/tokens/{id}")).send().await.expect(404);
    // Revoking a revoked token on the page succeeds.
    ann.post(&format!("/account/tokens/{id}/revoke")).send().await.expect(303);
    assert!(ann.get("/account").send().await.text().contains("No tokens yet."));
}

async fn a_repeated_request_makes_one_token(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let send = async |name: &str| {
        let request = ann.post("/api/tokens").header("idempotency-key", "one");
        request.json(&json!({ "name": name })).send().await
    };
    let first = send("import").await.expect(201);
    let made: Value = first.json();
    me(&workspace.bearer(made["secret"].as_str().unwrap())).await.expect(200);
    let again = send("import").await.expect(201);
    assert_eq!(again.header("location"), first.header("location"));
    let mut without_secret = made.clone();
    without_secret.as_object_mut().unwrap().remove("secret");
    assert_eq!(again.json::<Value>(), without_secret);
    send("export").await.expect(422);
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    let read: Value = ann.get(first.header("location")).send().await.expect(200).json();
    assert_eq!(listed["items"], json!([read]));
    // It was used since then.
    assert!(without_secret["lastUsedAt"].is_null() && read["lastUsedAt"].is_string(), "{read}");
    without_secret["lastUsedAt"] = read["lastUsedAt"].clone();
    assert_eq!(read, without_secret);
}

async fn tokens_are_listed_page_by_page(environment: TestEnvironment) {
    // Each token is created in its own millisecond.
    let (start, ticks) = (jiff::Timestamp::now(), AtomicI64::new(0));
    let clock =
        Clock::from_fn(move || start + SignedDuration::from_millis(ticks.fetch_add(1, Ordering::SeqCst)));
    let workspace = Workspace::open(&environment).await.with_clock(clock);
    let ann = workspace.person(Role::Agent, "Ann").await;
    for number in 0..5 {
        let body = json!({ "name": format!("token {number}") });
        ann.post("/api/tokens").json(&body).send().await.expect(201);
    }
    let tokens = all_items(&ann, "/api/tokens?limit=2").await;
    assert_eq!(texts(&tokens, "name"), ["token 4", "token 3", "token 2", "token 1", "token 0"]);
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=W10", "other=1"] {
        let status = ann.get(&format!("/api/tokens?{query}")).send().await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{query}: {status}");
    }
}

async fn authenticating_a_request_costs_one_call_for_a_session_and_two_for_a_token(
    environment: TestEnvironment,
) {
    let units = Arc::new(Mutex::new(None));
    let (reported, now) = (Arc::clone(&units), jiff::Timestamp::now());
    let listener = move |report: &Report| {
        *reported.lock().unwrap() = Some((report.read_units, report.write_units));
    };
    let workspace = Workspace::open(&environment).await.with_clock(Clock::from_fn(move || now));
    let workspace = workspace.with_telemetry(Telemetry::to(listener));
    let session = workspace.session(Role::Agent, "Ann").await;
    let forged = {
        let id = workspace.account(Role::Agent, "Carl").await.id;
        let key = cookie_key(COOKIE_SECRET).unwrap();
        key.sign("holdfast", &format!("{id}.hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
    };
    let token = workspace.bearer(&workspace.token(Role::Agent, "Bob").await);
    let nonsense = "hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let forged = workspace.visitor().always("cookie", &format!("holdfast={forged}"));
    for (client, reads, read_units, status) in [
        (session, &["BatchGetItem"][..], 2.0, 200),
        (token, &["GetItem", "GetItem"], 2.0, 200),
        (forged, &["BatchGetItem"], 2.0, 401),
        (workspace.visitor(), &[], 0.0, 401),
        (workspace.bearer("hf_nonsense"), &[], 0.0, 401),
        (workspace.visitor().always("cookie", "holdfast=nonsense"), &[], 0.0, 401),
        (workspace.bearer(nonsense), &["GetItem"], 1.0, 401),
    ] {
        environment.wire().reset();
        me(&client).await.expect(status);
        let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
        assert_eq!(calls, reads);
        // DynamoDB Local reads items that do not exist for nothing.
        if environment.engine().kind() == Kind::Embedded {
            assert_eq!(*units.lock().unwrap(), Some((read_units, 0.0)), "{reads:?}");
        }
        // Within ten seconds, an account that was recognized is not looked up again.
        environment.wire().reset();
        me(&client).await.expect(status);
        let again = if status == 200 { 0 } else { reads.len() };
        assert_eq!(environment.wire().total(), again, "{reads:?}");
    }
}

async fn a_token_cannot_create_tokens_or_change_passwords(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let program = workspace.agent().await;
    let refused = program.post("/api/tokens").json(&json!({ "name": "more" })).send().await.expect(403);
    assert_eq!(refused.json::<Value>()["type"], "urn:holdfast:problem:session-needed");
    program.post("/account/tokens").form(&[("name", "more")]).send().await.expect(403);
    change(&program, "", OTHER, OTHER).await.expect(403);
    let listed: Value = program.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

async fn a_recently_checked_session_or_token_needs_no_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let now = jiff::Timestamp::now();
    let workspace = workspace.with_clock(Clock::from_fn(move || now));
    let token = workspace.token(Role::Agent, "Ann Lee").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Ann", "ann@example.com")).await;
    environment.wire().reset();
    agent.patch(&address(&lead)).json(&json!({ "version": 1, "leadScore": 60 })).send().await.expect(200);
    let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["TransactWriteItems"], "an update is one call");

    let after = later(&workspace, SignedDuration::from_secs(11));
    environment.wire().reset();
    me(&after.bearer(&token)).await.expect(200);
    let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetItem", "GetItem"], "after ten seconds it is looked up again, with its account");
}

async fn an_ended_session_or_token_stops_working_here_at_once_and_elsewhere_soon(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let elsewhere = workspace.another(&environment, environment.wire(), TEST_RETRIES);
    with_password(&workspace, "ann@holdfast.test").await;
    let (ann, phone) =
        (signed_in(&workspace, "ann@holdfast.test").await, signed_in(&workspace, "ann@holdfast.test").await);
    let made: Value =
        ann.post("/api/tokens").json(&json!({ "name": "test" })).send().await.expect(201).json();
    let secret = made["secret"].as_str().unwrap();
    let [here, there] = [&workspace, &elsewhere].map(|workspace| workspace.bearer(secret));
    for client in [&phone, &here, &there] {
        me(client).await.expect(200);
    }
    // A new password ends the other browser's session at once, although that session is cached.
    change(&ann, PASSWORD, OTHER, OTHER).await.expect(303);
    me(&phone).await.expect(401);
    me(&ann).await.expect(200);
    // Revoking a token works the same way; another process notices within ten seconds.
    let id = made["id"].as_str().unwrap();
    ann.delete(&format!("/api/tokens/{id}")).send().await.expect(204);
    me(&here).await.expect(401);
    let soon = later(&elsewhere, SignedDuration::from_secs(11));
    me(&soon.bearer(secret)).await.expect(401);
}
