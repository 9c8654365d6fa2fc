//! A new version reads and rewrites the data of the previous version, without downtime, manual conversion or loss.
//!
//! `tests/fixtures/schema` holds a small workspace for each schema version, written by the last program version
//! that used it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::store::{Item, OLDEST, SCHEMA, Upgraded, upgrade_all};
use serde_json::{Value, json};

use super::process::binary::Run;
use crate::support::connector::Wire;
use crate::support::http::Client;
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: the_application_works_with_the_data_of_the_previous_version,
            the_previous_version_can_read_what_this_one_writes,
            all_items_are_rewritten_during_changes;
        embedded: an_unknown_schema_is_an_error_and_nothing_is_written;
        dynamodb: the_command_rewrites_a_table_and_prints_the_count
    ]
}

const TOKEN: &str = "hf_ZTCwf3_mnF9JTwVO4yFp95dGda1NWQ57o2idQ6J3mb4";
const ORDER: &str = "/api/orders/01a2026b-c692-7db6-aaef-65a6aa705343";
const RAFFLE: &str = "/api/raffles/01a2026b-c6b8-7909-8451-5e88b8500e30";
const FREE: &str = "/api/leads/01a2026b-c5f2-77cd-b220-3d55749afd59";

/// A table as the previous version left it, a workspace over it, and the administrator's program.
async fn former(environment: &TestEnvironment) -> (Workspace, Client) {
    let path = format!("{}/tests/fixtures/schema/{OLDEST}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).expect("there is a fixture of the previous schema");
    let item = |line: &str| -> Item {
        let item: HashMap<String, serde_dynamo::AttributeValue> = serde_json::from_str(line).unwrap();
        item.into_iter().map(|(name, value)| (name, value.into())).collect()
    };
    let items: Vec<Item> = lines.lines().map(item).collect();
    assert!(!items.is_empty(), "the fixture has items");
    assert!(items.iter().all(|item| schema_of(item) == OLDEST), "the fixture has the previous schema");
    let workspace = Workspace::open(environment).await;
    let pairs = items.iter().map(|item| item.iter().map(|(name, value)| (name.as_str(), value.clone())));
    environment.insert_items(pairs.map(Iterator::collect).collect()).await;
    let program = workspace.bearer(TOKEN);
    (workspace, program)
}

fn schema_of(item: &Item) -> u32 {
    item.get("schema").map_or(1, |number| number.as_n().unwrap().parse().unwrap())
}

/// The number of items of each schema version.
async fn schema_counts(environment: &TestEnvironment) -> BTreeMap<u32, usize> {
    let scan = ScanInput::builder().table_name(environment.table()).consistent_read(true);
    let items = environment.store().scan(scan).await;
    let mut schema_counts = BTreeMap::new();
    for item in items.items() {
        *schema_counts.entry(schema_of(item)).or_default() += 1;
    }
    schema_counts
}

async fn the_application_works_with_the_data_of_the_previous_version(environment: TestEnvironment) {
    let (workspace, program) = former(&environment).await;
    let page: Value = program.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 4);
    let found: Value = program.get("/api/leads?q=hopper").send().await.expect(200).json();
    assert_eq!(found["items"][0]["name"], "Grace Hopper");
    // `holdfast upgrade` moves the search words once. Leads that changed before have moved theirs.
    let leads = workspace.app.leads();
    let moved = leads.upgrade_words(|_| ()).await.unwrap();
    assert!(moved >= 3, "{moved}");
    assert_eq!(leads.upgrade_words(|_| ()).await.unwrap(), 0);
    let again: Value = program.get("/api/leads?q=hopper").send().await.expect(200).json();
    assert_eq!(again, found);
    // A repeated request gets the answer that the previous version gave.
    let same = r#"{"name": "Ada Lovelace", "email": "lead0@example.com", "state": "NY", "leadScore": 90}"#;
    let request = program.post("/api/leads").header("idempotency-key", "k0").body("application/json", same);
    assert_eq!(request.send().await.expect(201).json::<Value>()["version"], 1);

    let edit = json!({ "version": 1, "leadScore": 41 });
    let edited: Value = program.patch(FREE).json(&edit).send().await.expect(200).json();
    assert_eq!(edited["version"], 2);
    let stale = program.patch(FREE).json(&edit).send().await.expect(409);
    assert_eq!(stale.json::<Value>()["fresh"]["leadScore"], 41);
    let history: Value = program.get(&format!("{FREE}/history")).send().await.expect(200).json();
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
    let order: Value = program
        .patch(&format!("{ORDER}/fulfill"))
        .json(&json!({ "version": 1 }))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(order["status"], "FULFILLED");
    let bought = program.post(&format!("{RAFFLE}/tickets")).json(&json!({ "quantity": 1 })).send().await;
    assert_eq!(bought.expect(201).json::<Value>()["raffle"]["sold"], 2);
    program.post(&format!("{RAFFLE}/draw")).json(&json!({})).send().await.expect(200);
    let proof: Value = program.get(&format!("{RAFFLE}/proof")).send().await.expect(200).json();
    assert!(proof["winner"]["number"].is_u64() || proof["winner"].is_u64(), "{proof}");
    let product: Value = program.get("/api/products/KETTLE").send().await.expect(200).json();
    assert_eq!(product["stock"], 3);
    let rules: Value = program.get("/api/automation/rules").send().await.expect(200).json();
    assert_eq!(rules["items"].as_array().map_or(1, Vec::len), 1);

    let schema_counts = schema_counts(&environment).await;
    assert!(schema_counts[&SCHEMA] > 0, "new items have the current schema: {schema_counts:?}");
    assert_eq!(schema_counts.keys().find(|form| !(OLDEST..=SCHEMA).contains(form)), None);
}

/// An attribute as JSON. Bytes become the text `bytes`.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap(),
        AttributeValue::Bool(value) => json!(value),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        AttributeValue::B(_) => json!("bytes"),
        _ => Value::Null,
    }
}

/// The kind of an item, as the previous version reads it. `none` if it never reads it.
fn kind(item: &Item) -> String {
    let text = |name: &str| item[name].as_s().unwrap().clone();
    let (pk, sk) = (text("pk"), text("sk"));
    let first = |text: &str| text.split(['#', ' ']).next().unwrap().to_owned();
    let kind = first(&pk);
    match kind.as_str() {
        _ if pk.starts_with("LEDGER#fence#") => "none".to_owned(),
        "SEARCH" | "FIND" => kind,
        "RULES" if pk == "RULES" => kind,
        _ => format!("{kind}/{}", first(&sk)),
    }
}

/// The previous version is not available here, but its requirements are: `tests/fixtures/reader` describes the
/// items that it writes and how it reads them. When a schema changes, the file of the previous schema stays until
/// no supported version reads it.
async fn the_previous_version_can_read_what_this_one_writes(environment: TestEnvironment) {
    let (workspace, program) = former(&environment).await;
    // Writes every kind of item.
    let lead = json!({ "name": "Barbara Liskov", "email": "new@example.com", "state": "TX" });
    let lead: Value = program.post("/api/leads").json(&lead).send().await.expect(201).json();
    let order =
        json!({ "customerName": "Acme", "customerEmail": "b@example.com", "requestedStates": ["TX"] });
    let made = program.post("/api/orders").header("idempotency-key", "order").json(&order).send().await;
    assert_eq!(made.expect(201).json::<Value>()["leads"][0]["id"], lead["id"]);
    let raffle = json!({ "title": "Car", "prize": "A car", "tickets": 20, "limitPerPerson": 3 });
    let raffle: Value = program.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let tickets = format!("/api/raffles/{}/tickets", raffle["id"].as_str().unwrap());
    program.post(&tickets).json(&json!({ "quantity": 2 })).send().await.expect(201);
    for (id, kind, quantity) in [("n1", "RECEIPT", 9), ("n2", "SALE", 2), ("n3", "SALE", 200)] {
        let event = json!({ "schema": 1, "messageId": id, "sku": "POT", "kind": kind, "quantity": quantity,
            "occurredAt": "2026-11-22T00:00:00Z", "name": "Pot" });
        program.post("/api/inventory/events").json(&event).send().await;
    }
    let rule =
        json!({ "name": "Again", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" });
    program.post("/api/automation/rules").json(&rule).send().await.expect(201);
    workspace.token(holdfast::base::identity::Role::Agent, "Ann").await;
    super::stats::process_stream(&environment, &workspace).await;

    let path = format!("{}/tests/fixtures/reader/{SCHEMA}.json", env!("CARGO_MANIFEST_DIR"));
    let schemas: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let scan = ScanInput::builder().table_name(environment.table()).consistent_read(true);
    let items = environment.store().scan(scan).await;
    let (mut found, mut wrong) = (std::collections::BTreeSet::new(), Vec::new());
    for item in items.items() {
        assert!((OLDEST..=SCHEMA).contains(&schema_of(item)));
        let Some(schema) = schemas.get(&kind(item)) else { continue };
        let validator = jsonschema::validator_for(schema).unwrap();
        let json_item: Value = item.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        wrong.extend(
            validator.iter_errors(&json_item).map(|error| format!("{}: {error}: {json_item}", kind(item))),
        );
        found.insert(kind(item));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!schemas.is_empty(), "the fixture has schemas");
    let missing: Vec<_> = schemas.keys().filter(|kind| !found.contains(*kind)).collect();
    assert!(missing.len() <= 2, "not written here: {missing:?}");
}

async fn all_items_are_rewritten_during_changes(environment: TestEnvironment) {
    let (workspace, program) = former(&environment).await;
    let before = schema_counts(&environment).await;
    let of_table = workspace.another(&environment, &Wire::new(), TEST_RETRIES);
    let edit = async || {
        for version in 1..10 {
            let edit = json!({ "version": version, "leadScore": version });
            program.patch(FREE).json(&edit).send().await.expect(200);
        }
    };
    let upgrade = upgrade_all(&of_table.app.dynamo, |_| ());
    let (upgraded, ()) = futures_util::join!(upgrade, edit());
    let upgraded = upgraded.unwrap();
    assert_eq!(upgraded.older as usize, before[&OLDEST]);
    assert!(upgraded.rewritten <= upgraded.older);
    let after = schema_counts(&environment).await;
    assert_eq!(after.keys().copied().collect::<Vec<_>>(), [SCHEMA], "{after:?}");
    let lead: Value = program.get(FREE).send().await.expect(200).json();
    assert_eq!((&lead["version"], &lead["leadScore"]), (&json!(10), &json!(9)), "no edit was lost");
    let again = upgrade_all(&of_table.app.dynamo, |_| ()).await.unwrap();
    assert_eq!(again, Upgraded { schema: SCHEMA, ..Upgraded::default() }, "all items are rewritten already");
    assert_eq!(program.get("/api/leads?q=hopper").send().await.expect(200).json::<Value>()["items"][0], lead);
}

async fn an_unknown_schema_is_an_error_and_nothing_is_written(environment: TestEnvironment) {
    let (workspace, program) = former(&environment).await;
    let key = |name: &str| AttributeValue::S(name.to_owned());
    let lead = format!("LEAD#{}", FREE.rsplit('/').next().unwrap());
    let newer = UpdateItemInput::builder().table_name(environment.table());
    let newer = newer.key("pk", key(&lead)).key("sk", key("LEAD"));
    let newer = newer.update_expression("SET #schema = :n").expression_attribute_names("#schema", "schema");
    let number = AttributeValue::N((SCHEMA + 1).to_string());
    environment.store().update_item(newer.expression_attribute_values(":n", number)).await;
    program.get(FREE).send().await.expect(500);
    program.patch(FREE).json(&json!({ "version": 7, "leadScore": 1 })).send().await.expect(500);
    // All other requests succeed.
    program.get(ORDER).send().await.expect(200);
    let other = workspace.another(&environment, &Wire::new(), TEST_RETRIES);
    let error = upgrade_all(&other.app.dynamo, |_| ()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("is of schema {}", SCHEMA + 1)), "{error}");
}

async fn the_command_rewrites_a_table_and_prints_the_count(environment: TestEnvironment) {
    former(&environment).await;
    let older = schema_counts(&environment).await[&OLDEST];
    let run = Run::on_table(&environment, ["upgrade"]);
    assert_eq!(run.succeeds().await, format!("Rewrote {older} items. All items use schema {SCHEMA}.\n"));
    let run = Run::on_table(&environment, ["upgrade"]);
    run.succeeds().await;
    assert_eq!(run.out(), format!("Rewrote 0 items. All items use schema {SCHEMA}.\n"));
}
