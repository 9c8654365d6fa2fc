//! The built bootstraps for the stream, the inventory and the sweeper.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::base::identity::Role;
use holdfast::inventory::domain::DeadLetterStatus;
use holdfast::leads::domain::Stock;
use holdfast::store::Select;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::{event, interrupt_an_order_an_hour_ago, spoil_product, worker};
use crate::inventory::{dead_letters, stock};
use crate::orders::{create as create_order, of_stock};
use crate::support::lambda::LambdaRuntime;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_stream_bootstrap_keeps_a_bad_record_and_continues,
            the_inventory_bootstrap_applies_a_batch_once_and_keeps_invalid_messages_as_dead_letters,
            the_inventory_bootstrap_names_every_unfinished_record,
            the_sweeper_bootstrap_aborts_an_interrupted_order
    ]
}

async fn the_stream_bootstrap_keeps_a_bad_record_and_continues(environment: TestEnvironment) {
    let (workspace, lambda) = worker(&environment, env!("CARGO_BIN_EXE_lambda_stream")).await;
    let admin = workspace.program(Role::Administrator).await;
    let rule = json!({ "name": "Look", "on": "lead.created", "command": "get_leads state={state}" });
    admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    // The fixture's leads lack required attributes. The second record stays incomplete.
    let mut event = event("stream");
    let complete = |event: &mut Value, record: usize, image: &str| {
        for name in ["createdAt", "updatedAt"] {
            event["Records"][record]["dynamodb"][image][name] = json!({ "S": "2026-11-21T22:04:00Z" });
        }
        event["Records"][record]["dynamodb"][image]["updatedBy"] = json!({ "S": "Ann" });
    };
    complete(&mut event, 0, "NewImage");
    for _ in 0..2 {
        assert_eq!(lambda.invoke(event.clone()).await, json!({ "batchItemFailures": [] }));
    }
    assert_eq!(workspace.app.statistics().read().await.unwrap().total, 1);
    let letters: Value = admin.get("/api/automation/dead-letters").send().await.expect(200).json();
    let [letter] = &letters["items"].as_array().unwrap()[..] else { panic!("{letters}") };
    assert_eq!(letter["key"]["sk"], "LEAD", "{letters}");
    let runs: Value = admin.get("/api/automation/runs").send().await.expect(200).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);

    // A record without a valid sequence number is kept as well.
    event["Records"][1]["dynamodb"]["SequenceNumber"] = json!("?");
    event["Records"][1]["eventID"] = json!(null);
    assert_eq!(lambda.invoke(event).await, json!({ "batchItemFailures": [] }));
    let letters: Value = admin.get("/api/automation/dead-letters").send().await.expect(200).json();
    assert_eq!(letters["items"].as_array().unwrap().len(), 2);
    assert!(!lambda.output().contains("ada@example.com"), "{}", lambda.output());
    assert_eq!(dead_letters_in_metrics(&lambda), 2, "{}", lambda.output());
}

/// The number of dead letters in the function's metrics.
fn dead_letters_in_metrics(lambda: &LambdaRuntime) -> u64 {
    let output = lambda.output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["DeadLetters"].as_u64()).sum()
}

/// The number of unfinished batches in the function's metrics.
fn unfinished_in_metrics(lambda: &LambdaRuntime) -> usize {
    let output = lambda.output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["outcome"] == "unfinished" && line["Failures"] == 1).count()
}

async fn the_inventory_bootstrap_applies_a_batch_once_and_keeps_invalid_messages_as_dead_letters(
    environment: TestEnvironment,
) {
    let (workspace, lambda) = worker(&environment, env!("CARGO_BIN_EXE_lambda_inventory")).await;
    for _ in 0..3 {
        assert_eq!(lambda.invoke(event("kafka-msk")).await, json!({ "batchItemFailures": [] }));
        assert_eq!((stock(&workspace, "85123A").await, stock(&workspace, "71053").await), (4, 3));
        let waiting = dead_letters(&workspace, DeadLetterStatus::Open).await;
        let mut places: Vec<_> = waiting
            .iter()
            .map(|one| (one.source.partition, one.source.offset, one.reason.name.as_str()))
            .collect();
        places.sort_unstable();
        let expected = [
            (Some(0), Some(16), "bad-json"),
            (Some(0), Some(18), "insufficient-stock"),
            (Some(1), Some(5), "bad-json"),
        ];
        assert_eq!(places, expected);
    }
    let consumers = workspace.app.inventory().list_progress(100, None).await.unwrap().items;
    let places: Vec<_> = consumers.iter().map(|one| (one.partition, one.offset)).collect();
    assert_eq!(places, [(0, 18), (1, 5)]);
    assert_eq!(lambda.invoke(json!({ "records": {} })).await, json!({ "batchItemFailures": [] }));
}

async fn the_inventory_bootstrap_names_every_unfinished_record(environment: TestEnvironment) {
    let (workspace, lambda) = worker(&environment, env!("CARGO_BIN_EXE_lambda_inventory")).await;
    spoil_product(&environment, "84406B").await;
    let item =
        |offset: u32| json!({ "itemIdentifier": { "partition": "inventory-events-2", "offset": offset } });
    let unfinished = json!({ "batchItemFailures": [item(7), item(9)] });
    for _ in 0..2 {
        assert_eq!(lambda.invoke(event("kafka-self-managed")).await, unfinished);
        let other = workspace.app.inventory().find(&"84029G".parse().unwrap()).await.unwrap();
        assert_eq!((other.stock.get(), other.version.get()), (1, 2), "the other record is applied, once");
    }
    let client = environment.sdk_client();
    let spoilt = client
        .delete_item()
        .table_name(environment.table())
        .key("sk", AttributeValue::S("PRODUCT".to_owned()));
    spoilt.key("pk", AttributeValue::S("PRODUCT#84406B".to_owned())).send().await.unwrap();
    assert_eq!(lambda.invoke(event("kafka-self-managed")).await, json!({ "batchItemFailures": [] }));
    assert_eq!(unfinished_in_metrics(&lambda), 2, "{}", lambda.output());
    assert_eq!(workspace.app.inventory().find(&"84406B".parse().unwrap()).await.unwrap().stock.get(), 5);
}

async fn the_sweeper_bootstrap_aborts_an_interrupted_order(environment: TestEnvironment) {
    let (workspace, lambda) = worker(&environment, env!("CARGO_BIN_EXE_lambda_sweeper")).await;
    interrupt_an_order_an_hour_ago(&environment, &workspace).await;
    let pending =
        async || workspace.app.dynamo.select(&Select::partition("UNSETTLED", 5)).await.unwrap().items.len();
    assert_eq!(pending().await, 1);
    let asked = json!({ "sweeps": 2, "secondsBetween": 0 });
    assert_eq!(lambda.invoke(asked).await, json!({ "sweeps": 2 }));
    assert_eq!(pending().await, 0);
    assert_eq!(of_stock(&workspace, Stock::Unassigned).await.len(), 80);
    let order = create_order(&workspace, &["NY", "CA"], Some(40)).await.unwrap();
    assert_eq!(order.leads.len(), 80);
    // The function can parse the input of the schedule.
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let schedule = &template["Resources"]["SweeperFunction"]["Properties"]["Events"]["EveryMinute"];
    let input: Value = serde_json::from_str(schedule["Properties"]["Input"].as_str().unwrap()).unwrap();
    assert_eq!(input, json!({ "sweeps": 2, "secondsBetween": 30 }));
}
