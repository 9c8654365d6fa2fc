//! What is deployed, as it was built: each bootstrap of `sam build` over DynamoDB Local, driven with files of events by
//! cargo-lambda.
//!
//! The stories of [`deployment`](super::deployment) say all that the functions do. These say that the programs which
//! travel to AWS do it too: with their features, their optimisation and their linker.

use holdfast::accounts::domain::Role;
use holdfast::automation::dead_letters::domain::DeadLetterStatus;
use holdfast::automation::dead_letters::store as dead_letters;
use holdfast::dynamo::Select;
use holdfast::inventory::domain::ParkedStatus;
use holdfast::inventory::store as inventory;
use holdfast::leads::domain::Stock;
use holdfast::leads::stats;
use serde_json::{Value, json};

use super::deployment::{at, body, cut_off_an_hour_ago, spoil_product, text};
use super::orders::of_stock;
use crate::support::bootstrap::{Bootstrap, event};
use crate::support::desk::{Desk, address, create, new_lead, read};
use crate::support::{Story, World, stories};

/// The stories of this module.
pub fn all() -> Vec<Story> {
    stories![
        deployed: the_built_web_function_serves_pages_assets_and_json,
            the_built_web_function_changes_a_lead_once_and_refuses_the_stale_one,
            the_built_stream_function_counts_once_and_keeps_what_it_could_not_take,
            the_built_inventory_function_applies_once_what_comes_twice,
            the_built_inventory_function_names_the_records_it_could_not_finish,
            the_built_sweeper_gives_back_an_order_that_was_cut_off
    ]
}

async fn web(world: &World) -> Option<(Desk, Bootstrap)> {
    let desk = Desk::open(world).await;
    let key = "a key that is long enough for a test ".repeat(3);
    let function =
        Bootstrap::start(world, "WebFunction", "lambda_web", &[("HOLDFAST_COOKIE_KEY", &key)]).await?;
    Some((desk, function))
}

async fn worker(world: &World, resource: &str, name: &'static str) -> Option<(Desk, Bootstrap)> {
    let desk = Desk::open(world).await;
    Some((desk, Bootstrap::start(world, resource, name, &[]).await?))
}

async fn the_built_web_function_serves_pages_assets_and_json(world: World) {
    let Some((_, function)) = web(&world).await else { return };
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

async fn the_built_web_function_changes_a_lead_once_and_refuses_the_stale_one(world: World) {
    let Some((desk, function)) = web(&world).await else { return };
    let token = desk.token(Role::Agent, "Ann").await;
    let agent = desk.bearer(&token);
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

async fn the_built_stream_function_counts_once_and_keeps_what_it_could_not_take(world: World) {
    let Some((desk, function)) = worker(&world, "StreamFunction", "lambda_stream").await else { return };
    // Two whole leads, and one that some other program has spoilt.
    for _ in 0..2 {
        assert_eq!(function.invoke("stream-of-leads").await, json!({ "batchItemFailures": [] }));
        assert_eq!(stats::read(&desk.app).await.unwrap().total, 2);
    }
    let letters = dead_letters::list(&desk.app, DeadLetterStatus::Open, 10, None).await.unwrap().letters;
    assert_eq!(letters.len(), 1);
    assert!(!function.output().contains("ada@example.com"), "{}", function.output());
}

async fn the_built_inventory_function_applies_once_what_comes_twice(world: World) {
    let Some((desk, function)) = worker(&world, "InventoryFunction", "lambda_inventory").await else {
        return;
    };
    for _ in 0..2 {
        assert_eq!(function.invoke("kafka-msk").await, json!({ "batchItemFailures": [] }));
        let stock =
            async |sku: &str| inventory::find(&desk.app, &sku.parse().unwrap()).await.unwrap().stock.get();
        assert_eq!((stock("85123A").await, stock("71053").await), (4, 3));
        let parked = inventory::list_parked(&desk.app, ParkedStatus::Open, 10, None).await.unwrap().parked;
        assert_eq!(parked.len(), 3);
    }
}

async fn the_built_inventory_function_names_the_records_it_could_not_finish(world: World) {
    let Some((desk, function)) = worker(&world, "InventoryFunction", "lambda_inventory").await else {
        return;
    };
    spoil_product(&world, "84406B").await;
    let item =
        |offset: u32| json!({ "itemIdentifier": { "partition": "inventory-events-2", "offset": offset } });
    let unfinished = json!({ "batchItemFailures": [item(7), item(9)] });
    assert_eq!(function.invoke("kafka-self-managed").await, unfinished);
    let other = inventory::find(&desk.app, &"84029G".parse().unwrap()).await.unwrap();
    assert_eq!(other.stock.get(), 1, "what does not fail goes on");
}

async fn the_built_sweeper_gives_back_an_order_that_was_cut_off(world: World) {
    let Some((desk, function)) = worker(&world, "SweeperFunction", "lambda_sweeper").await else { return };
    cut_off_an_hour_ago(&world, &desk).await;
    let unsettled =
        async || desk.app.dynamo.select(&Select::partition("UNSETTLED", 5)).await.unwrap().items.len();
    assert_eq!(unsettled().await, 1);
    // What the schedule sends, but for the half minute between the sweeps.
    assert_eq!(function.invoke("schedule").await, json!({ "sweeps": 2 }));
    assert_eq!(unsettled().await, 0);
    assert_eq!(of_stock(&desk, Stock::Unassigned).await.len(), 80);
}
