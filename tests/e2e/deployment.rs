//! Deployment: the template's table equals the code's table, and the built bootstraps answer API Gateway.

mod resources;
mod workers;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use holdfast::accounts::change::Operator;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::compression::unpacked;
use super::order_races::interrupt;
use super::orders::{create as create_order, set_cap, stock};
use crate::support::lambda::LambdaRuntime;
use crate::support::workspace::{TEST_RETRIES, Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases, gateway};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        dynamodb: the_bootstrap_signs_in_with_a_cookie_and_shows_page_and_fragment,
            the_bootstrap_answers_409_and_422,
            the_bootstrap_sends_compressed_assets_whole,
            the_bootstrap_compresses_pages,
            the_bootstrap_links_within_its_stage
    ];
    cases.extend(resources::all());
    cases.extend(workers::all());
    cases
}

/// The built web bootstrap over a case's table.
pub async fn bootstrap(environment: &TestEnvironment) -> (Workspace, LambdaRuntime) {
    let workspace = Workspace::open(environment).await;
    let environment = [
        ("HOLDFAST_TABLE", environment.table().to_owned()),
        ("HOLDFAST_COOKIE_KEY", "a key that is long enough for a test ".repeat(3)),
        ("HOLDFAST_DYNAMODB_ENDPOINT", environment.engine().endpoint().to_owned()),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key().to_owned()),
    ];
    let runtime = LambdaRuntime::start(env!("CARGO_BIN_EXE_lambda_web"), environment).await;
    (workspace, runtime.expect("the bootstrap starts"))
}

pub fn event(file: &str) -> Value {
    let path = format!("{}/tests/fixtures/events/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The same event for another path.
pub fn at(mut event: Value, path: &str) -> Value {
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["path"] = path.into();
    event
}

/// The body of an answer, decoded from base64.
pub fn body(answer: &Value) -> Vec<u8> {
    let text = answer["body"].as_str().unwrap_or_default();
    if answer["isBase64Encoded"] == true {
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    } else {
        text.as_bytes().to_vec()
    }
}

/// The body of an answer as text, which may be compressed.
pub fn text(answer: &Value) -> String {
    let body = body(answer);
    let body = if answer["headers"]["content-encoding"] == "gzip" { unpacked(&body) } else { body };
    String::from_utf8(body).unwrap()
}

/// Signs a new person in with a link and returns the cookie as API Gateway passes it on.
pub async fn sign_in(workspace: &Workspace, lambda: &LambdaRuntime, role: Role) -> Value {
    let account = workspace.account(role, "Ann Lee").await;
    let secret = workspace.app.accounts().sign_in_link(account.id, Operator::Command).await.unwrap();
    let mut event = at(event("post-form"), &format!("/sign-in/link/{secret}"));
    event["headers"].as_object_mut().unwrap().remove("hx-request");
    event["body"] = "".into();
    event["isBase64Encoded"] = false.into();
    let answer = lambda.invoke(event).await;
    assert_eq!(answer["statusCode"], 303, "{answer}");
    let cookies = answer["cookies"].as_array().expect("cookies travel in their own array");
    assert!(answer["headers"].get("set-cookie").is_none(), "{answer}");
    let cookie = cookies.iter().find_map(|cookie| cookie.as_str()).expect("a session is set");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie} lacks {attribute}");
    }
    json!([cookie.split(';').next().unwrap()])
}

async fn the_bootstrap_signs_in_with_a_cookie_and_shows_page_and_fragment(environment: TestEnvironment) {
    let (workspace, lambda) = bootstrap(&environment).await;
    create(&workspace.agent().await, &new_lead("Ada Lovelace", "ada@example.com")).await;
    let turned_away = lambda.invoke(event("get-page")).await;
    assert_eq!(
        (&turned_away["statusCode"], &turned_away["headers"]["location"]),
        (&json!(303), &json!("/sign-in?next=%2Fleads"))
    );

    let cookies = sign_in(&workspace, &lambda, Role::Agent).await;
    let mut page = event("get-page");
    page["cookies"] = cookies.clone();
    let page = lambda.invoke(page).await;
    assert_eq!(page["statusCode"], 200);
    assert!(text(&page).contains("<html") && text(&page).contains("Ada Lovelace"));
    let mut fragment = event("get-fragment");
    fragment["cookies"] = cookies;
    let fragment = lambda.invoke(fragment).await;
    assert_eq!(fragment["statusCode"], 200);
    assert!(
        !text(&fragment).contains("<html") && text(&fragment).contains("Ada Lovelace"),
        "{}",
        text(&fragment)
    );
}

async fn the_bootstrap_answers_409_and_422(environment: TestEnvironment) {
    let (workspace, lambda) = bootstrap(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let lead = create(&workspace.bearer(&token), &new_lead("Lead", "lead@example.com")).await;
    let patch = async |version: u64, change: Value| {
        let mut event = at(event("patch-json"), &crate::support::workspace::address(&lead));
        event["headers"]["authorization"] = format!("Bearer {token}").into();
        event["headers"]["if-match"] = format!("\"{version}\"").into();
        event["body"] = change.to_string().into();
        event["isBase64Encoded"] = false.into();
        let answer = lambda.invoke(event).await;
        let body: Value = serde_json::from_str(&text(&answer)).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    };
    let (status, problem) = patch(1, json!({ "status": "CONVERTED" })).await;
    assert_eq!((status, &problem["rule"]), (422, &json!("convert-needs-score")));
    let (status, changed) = patch(1, json!({ "leadScore": 80 })).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)));
    let (status, problem) = patch(1, json!({ "leadScore": 81 })).await;
    assert_eq!((status, &problem["fresh"]), (409, &changed));
}

async fn the_bootstrap_sends_compressed_assets_whole(environment: TestEnvironment) {
    let (_, lambda) = bootstrap(&environment).await;
    let path = holdfast::web::assets::url("app.css");
    let asset = lambda.invoke(at(event("get-asset"), path)).await;
    assert_eq!(asset["statusCode"], 200);
    assert_eq!(asset["headers"]["content-encoding"], "br");
    assert_eq!(asset["isBase64Encoded"], true);
    assert!(asset["headers"]["cache-control"].as_str().unwrap().contains("max-age=31536000"));
    let file = path.rsplit('/').next().unwrap();
    assert_eq!(body(&asset), holdfast::web::assets::find(file).unwrap().brotli);
}

async fn the_bootstrap_compresses_pages(environment: TestEnvironment) {
    let (_, lambda) = bootstrap(&environment).await;
    let visitor = gateway::visitor(&Arc::new(lambda));
    let plain = visitor.get("/sign-in").send().await.expect(200);
    let smaller = visitor.get("/sign-in").header("accept-encoding", "br, gzip").send().await.expect(200);
    assert_eq!((plain.header("content-encoding"), smaller.header("content-encoding")), ("", "gzip"));
    assert!(smaller.body.len() * 2 < plain.body.len(), "{} of {}", smaller.body.len(), plain.body.len());
    assert_eq!(unpacked(&smaller.body), plain.body);
}

async fn the_bootstrap_links_within_its_stage(environment: TestEnvironment) {
    let (workspace, lambda) = bootstrap(&environment).await;
    let turned_away = lambda.invoke(event("get-page-in-named-stage")).await;
    assert_eq!(turned_away["headers"]["location"], "/prod/sign-in?next=%2Fprod%2Fleads", "{turned_away}");
    let mut page = event("get-page-in-named-stage");
    page["cookies"] = sign_in(&workspace, &lambda, Role::Agent).await;
    let page = text(&lambda.invoke(page).await);
    let own: Vec<&str> = page.split(['"', '\'']).filter(|part| part.starts_with('/')).collect();
    assert!(own.len() > 5, "{page}");
    let strays: Vec<_> = own.iter().filter(|link| !link.starts_with("/prod/")).collect();
    assert!(strays.is_empty(), "{strays:?}");

    let token = workspace.token(Role::Agent, "Ann").await;
    let mut creation = at(event("patch-json"), "/prod/api/leads");
    creation["requestContext"]["stage"] = "prod".into();
    creation["requestContext"]["http"]["method"] = "POST".into();
    creation["headers"]["authorization"] = format!("Bearer {token}").into();
    creation["body"] = new_lead("Lead", "lead@example.com").to_string().into();
    let created = lambda.invoke(creation).await;
    assert_eq!(created["statusCode"], 201, "{created}");
    assert!(created["headers"]["location"].as_str().unwrap().starts_with("/prod/api/leads/"), "{created}");
}

/// A built worker bootstrap over a case's table. Its environment names the table and nothing else.
pub async fn worker(environment: &TestEnvironment, bootstrap: &str) -> (Workspace, LambdaRuntime) {
    let workspace = Workspace::open(environment).await;
    let environment = [
        ("HOLDFAST_TABLE", environment.table().to_owned()),
        ("HOLDFAST_DYNAMODB_ENDPOINT", environment.engine().endpoint().to_owned()),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key().to_owned()),
    ];
    let runtime = LambdaRuntime::start(bootstrap, environment).await;
    (workspace, runtime.expect("the bootstrap starts"))
}

/// Makes a product unreadable.
pub async fn spoil_product(environment: &TestEnvironment, sku: &str) {
    environment
        .insert_items(vec![vec![
            ("pk", AttributeValue::S(format!("PRODUCT#{sku}"))),
            ("sk", AttributeValue::S("PRODUCT".to_owned())),
            ("stock", AttributeValue::S("many".to_owned())),
        ]])
        .await;
}

/// A large order of 80 leads, which are all leads, that was interrupted an hour ago.
pub async fn interrupt_an_order_an_hour_ago(environment: &TestEnvironment, workspace: &Workspace) {
    for code in ["NY", "CA"] {
        set_cap(workspace, code, 100).await;
        stock(workspace, code, 40).await;
    }
    let wire = environment.another_wire();
    let mut cut = workspace.another(environment, &wire, TEST_RETRIES);
    cut.app.clock = Clock::from_fn(|| Timestamp::now() - SignedDuration::from_hours(1));
    let made = interrupt(&wire, 2, async move { create_order(&cut, &["NY", "CA"], Some(40)).await }).await;
    assert!(made.is_none());
}
