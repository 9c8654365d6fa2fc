//! The bootstraps as `sam build` makes them: each runs over DynamoDB Local and gets files of events from
//! cargo-lambda.
//!
//! The cases of [`deployment`](super::deployment) cover all functions in detail. These check that the programs that
//! are deployed to AWS behave the same, with their features, optimization and linker.

use holdfast::base::identity::Role;
use holdfast::inventory::domain::DeadLetterStatus;
use holdfast::leads::domain::Stock;
use holdfast::shared::dead_letters::service::DeadLetters as _;
use holdfast::store::Select;
use serde_json::{Value, json};

use super::deployment::{at, body, interrupt_an_order_an_hour_ago, spoil_product, text};
use super::inventory::{dead_letters, stock};
use super::orders::of_stock;
use crate::support::bootstrap::{Bootstrap, event};
use crate::support::workspace::{Workspace, address, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        deployed: the_built_web_function_serves_pages_assets_and_json,
            the_built_web_function_changes_a_lead_once_and_refuses_a_stale_change,
            the_built_stream_function_counts_once_and_keeps_bad_records,
            the_built_inventory_function_applies_a_repeated_batch_once,
            the_built_inventory_function_names_unfinished_records,
            the_built_sweeper_aborts_an_interrupted_order
    ]
}

async fn web(environment: &TestEnvironment) -> Option<(Workspace, Bootstrap)> {
    let workspace = Workspace::open(environment).await;
    let key = "a key that is long enough for a test ".repeat(3);
    let function =
        Bootstrap::start(environment, "WebFunction", "lambda_web", &[("HOLDFAST_COOKIE_KEY", &key)]).await?;
    Some((workspace, function))
}

async fn worker(
    environment: &TestEnvironment,
    resource: &str,
    name: &'static str,
) -> Option<(Workspace, Bootstrap)> {
    let workspace = Workspace::open(environment).await;
    Some((workspace, Bootstrap::start(environment, resource, name, &[]).await?))
}

async fn the_built_web_function_serves_pages_assets_and_json(environment: TestEnvironment) {
    let Some((_, function)) = web(&environment).await else { return };
    let health = function.invoke("get-health").await;
    assert_eq!(health["statusCode"], 200, "{health}");

    let page = function.invoke("get-sign-in").await;
    assert_eq!(page["statusCode"], 200);
    assert!(text(&page).contains("<form") && text(&page).contains("type=\"password\""), "{page}");
    assert!(page["headers"]["content-security-policy"].as_str().unwrap().contains("default-src 'none'"));

    let path = holdfast::web::assets::url("app.css");
    assert!(text(&page).contains(path), "the page names the asset that the function has");
    let asset = function.invoke_with(&at(event("get-asset"), path)).await;
    assert_eq!((&asset["statusCode"], &asset["headers"]["content-encoding"]), (&json!(200), &json!("br")));
    let file = path.rsplit('/').next().unwrap();
    assert_eq!(body(&asset), holdfast::web::assets::find(file).unwrap().brotli);

    let turned_away = function.invoke("get-page").await;
    assert_eq!(turned_away["headers"]["location"], "/sign-in?next=%2Fleads", "{turned_away}");
    let problem = function.invoke("get-json-without-token").await;
    assert_eq!(problem["statusCode"], 401, "{problem}");
    assert_eq!(problem["headers"]["content-type"], "application/problem+json");
}

async fn the_built_web_function_changes_a_lead_once_and_refuses_a_stale_change(environment: TestEnvironment) {
    let Some((workspace, function)) = web(&environment).await else { return };
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let mut change = at(event("patch-json"), &address(&lead));
    change["headers"]["authorization"] = format!("Bearer {token}").into();
    change["requestContext"]["http"]["method"] = "POST".into();
    change["headers"]["idempotency-key"] = "built-1".into();
    let first = function.invoke_with(&change).await;
    assert_eq!(first["statusCode"], 200, "{first}");
    let again = function.invoke_with(&change).await;
    assert_eq!((&again["statusCode"], text(&again)), (&json!(200), text(&first)));
    let changed = read(&agent, &lead).await;
    assert_eq!((&changed["version"], &changed["status"]), (&json!(2), &json!("CONVERTED")));

    change["headers"]["idempotency-key"] = "built-2".into();
    let stale = function.invoke_with(&change).await;
    let problem: Value = serde_json::from_str(&text(&stale)).unwrap();
    assert_eq!((&stale["statusCode"], &problem["fresh"]), (&json!(409), &changed));
    assert!(!function.output().contains("lead@example.com"), "{}", function.output());
}

async fn the_built_stream_function_counts_once_and_keeps_bad_records(environment: TestEnvironment) {
    let Some((workspace, function)) = worker(&environment, "StreamFunction", "lambda_stream").await else {
        return;
    };
    // Two complete leads and an unreadable one.
    for _ in 0..2 {
        assert_eq!(function.invoke("stream-of-leads").await, json!({ "batchItemFailures": [] }));
        assert_eq!(workspace.app.statistics().read().await.unwrap().total, 2);
    }
    let letters =
        workspace.app.projections().list_dead_letters(DeadLetterStatus::Open, 10, None).await.unwrap().items;
    assert_eq!(letters.len(), 1);
    assert!(!function.output().contains("ada@example.com"), "{}", function.output());
}

async fn the_built_inventory_function_applies_a_repeated_batch_once(environment: TestEnvironment) {
    let Some((workspace, function)) = worker(&environment, "InventoryFunction", "lambda_inventory").await
    else {
        return;
    };
    for _ in 0..2 {
        assert_eq!(function.invoke("kafka-msk").await, json!({ "batchItemFailures": [] }));
        assert_eq!((stock(&workspace, "85123A").await, stock(&workspace, "71053").await), (4, 3));
        let waiting = dead_letters(&workspace, DeadLetterStatus::Open).await;
        assert_eq!(waiting.len(), 3);
    }
}

async fn the_built_inventory_function_names_unfinished_records(environment: TestEnvironment) {
    let Some((workspace, function)) = worker(&environment, "InventoryFunction", "lambda_inventory").await
    else {
        return;
    };
    spoil_product(&environment, "84406B").await;
    let item =
        |offset: u32| json!({ "itemIdentifier": { "partition": "inventory-events-2", "offset": offset } });
    let unfinished = json!({ "batchItemFailures": [item(7), item(9)] });
    assert_eq!(function.invoke("kafka-self-managed").await, unfinished);
    let other = workspace.app.inventory().find(&"84029G".parse().unwrap()).await.unwrap();
    assert_eq!(other.stock.get(), 1, "the other record is applied");
}

async fn the_built_sweeper_aborts_an_interrupted_order(environment: TestEnvironment) {
    let Some((workspace, function)) = worker(&environment, "SweeperFunction", "lambda_sweeper").await else {
        return;
    };
    interrupt_an_order_an_hour_ago(&environment, &workspace).await;
    let pending =
        async || workspace.app.dynamo.select(&Select::partition("UNSETTLED", 5)).await.unwrap().items.len();
    assert_eq!(pending().await, 1);
    // The input of the schedule, without the half minute between the sweeps.
    assert_eq!(function.invoke("schedule").await, json!({ "sweeps": 2 }));
    assert_eq!(pending().await, 0);
    assert_eq!(of_stock(&workspace, Stock::Unassigned).await.len(), 80);
}
