//! What the template declares equals what the code expects.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::TableDescription;
use holdfast::accounts::sign_up::SignUp;
use holdfast::projections::consume::is_relevant;
use holdfast::store::stream::batch;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::event;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};
use crate::template::FUNCTIONS;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_table_of_the_template_equals_the_table_of_the_code;
        embedded: the_stream_filter_passes_only_relevant_records,
            the_sign_up_parameters_are_the_variables_that_the_function_reads
    ]
}

async fn the_table_of_the_template_equals_the_table_of_the_code(environment: TestEnvironment) {
    Workspace::open(&environment).await;
    let client = environment.sdk_client();
    let made = client.describe_table().table_name(environment.table()).send().await.unwrap().table.unwrap();
    let ttl = client.describe_time_to_live().table_name(environment.table()).send().await.unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let table = &template["Resources"]["Table"]["Properties"];

    assert_eq!(template_definitions(table), table_definitions(&made));
    assert_eq!(template_keys(&table["KeySchema"]), keys(made.key_schema()));
    let indexes: BTreeSet<_> = table["GlobalSecondaryIndexes"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|index| {
            let projection = index["Projection"]["ProjectionType"].as_str().unwrap().to_owned();
            (index["IndexName"].as_str().unwrap().to_owned(), template_keys(&index["KeySchema"]), projection)
        })
        .collect();
    let made_indexes: BTreeSet<_> = made
        .global_secondary_indexes()
        .iter()
        .map(|index| {
            let projection = index.projection().unwrap().projection_type().unwrap().as_str().to_owned();
            (index.index_name().unwrap().to_owned(), keys(index.key_schema()), projection)
        })
        .collect();
    assert_eq!(indexes, made_indexes);
    assert_eq!(indexes.len(), 10);
    let stream = made.stream_specification().expect("the table has a stream");
    let view = stream.stream_view_type().map(|view| view.as_str());
    assert!(stream.stream_enabled());
    assert_eq!(
        (view, table["StreamSpecification"]["StreamViewType"].as_str()),
        (Some("NEW_AND_OLD_IMAGES"), view)
    );
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"].as_str(), ttl.attribute_name());
    assert_eq!(table["BillingMode"].as_str(), Some("PAY_PER_REQUEST"));
    assert_eq!(template["Parameters"]["DeletionProtection"]["Default"].as_str(), Some("true"));
    for (guard, value) in [
        (&table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true),
        (&table["SSESpecification"]["SSEEnabled"], true),
    ] {
        assert_eq!(guard.as_bool(), Some(value));
    }
    assert!(!text.contains("dynamodb:Scan") && !text.contains("dynamodb:*"), "least privilege");
}

fn template_definitions(table: &Yaml) -> BTreeSet<(String, String)> {
    let definitions = table["AttributeDefinitions"].as_sequence().unwrap().iter();
    let text = |value: &Yaml| value.as_str().unwrap().to_owned();
    definitions.map(|one| (text(&one["AttributeName"]), text(&one["AttributeType"]))).collect()
}

fn table_definitions(table: &TableDescription) -> BTreeSet<(String, String)> {
    let definitions = table.attribute_definitions().iter();
    definitions.map(|one| (one.attribute_name.clone(), one.attribute_type.as_str().to_owned())).collect()
}

fn template_keys(schema: &Yaml) -> Vec<(String, String)> {
    let text = |value: &Yaml| value.as_str().unwrap().to_owned();
    schema
        .as_sequence()
        .unwrap()
        .iter()
        .map(|key| (text(&key["AttributeName"]), text(&key["KeyType"])))
        .collect()
}

fn keys(schema: &[aws_sdk_dynamodb::types::KeySchemaElement]) -> Vec<(String, String)> {
    schema.iter().map(|key| (key.attribute_name.clone(), key.key_type.as_str().to_owned())).collect()
}

async fn the_sign_up_parameters_are_the_variables_that_the_function_reads(_: TestEnvironment) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let parameter = &template["Parameters"]["SignUp"];
    let allowed: Vec<_> =
        parameter["AllowedValues"].as_sequence().unwrap().iter().map(Yaml::as_str).collect();
    assert_eq!(allowed, SignUp::MODES.map(Some));
    assert_eq!(parameter["Default"].as_str(), Some("open"));
    assert_eq!(template["Parameters"]["InvitationCode"]["NoEcho"].as_bool(), Some(true));
    let variables = &template["Resources"]["WebFunction"]["Properties"]["Environment"]["Variables"];
    for name in [
        "HOLDFAST_SIGN_UP",
        "HOLDFAST_INVITATION_CODE_SECRET",
        "HOLDFAST_COOKIE_KEY_SECRET",
        "HOLDFAST_DATA_KEY_SECRET",
    ] {
        assert!(variables.get(name).is_some(), "{name}");
    }
    for function in ["StreamFunction", "SweeperFunction", "InventoryFunction"] {
        let variables = &template["Resources"][function]["Properties"]["Environment"]["Variables"];
        let names = variables.as_mapping().unwrap().keys().map(|name| name.as_str().unwrap());
        let expected = ["RUST_LOG", "HOLDFAST_TABLE", "HOLDFAST_METRICS"];
        assert_eq!(names.collect::<Vec<_>>(), expected, "{function} has no page");
    }
    // No variable contains a secret: anyone who can read a function's configuration would see it.
    for function in FUNCTIONS {
        let variables = &template["Resources"][function]["Properties"]["Environment"]["Variables"];
        let text = serde_yaml_ng::to_string(variables).unwrap();
        let secrets = [
            "{{resolve:",
            "HOLDFAST_COOKIE_KEY:",
            "HOLDFAST_DATA_KEY:",
            "HOLDFAST_INVITATION_CODE:",
            "HOLDFAST_ORIGIN_KEY:",
        ];
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

async fn the_stream_filter_passes_only_relevant_records(_: TestEnvironment) {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let source = &template["Resources"]["StreamFunction"]["Properties"]["Events"]["Changes"]["Properties"];
    let filters = source["FilterCriteria"]["Filters"].as_sequence().unwrap();
    let patterns: Vec<Value> =
        filters.iter().map(|one| serde_json::from_str(one["Pattern"].as_str().unwrap()).unwrap()).collect();
    let admits = |pattern: &Value, name: &str, key: &str| match &pattern["dynamodb"]["Keys"][name]["S"] {
        Value::Null => true,
        values => values.as_array().unwrap().iter().any(|value| match value.get("prefix") {
            Some(prefix) => key.starts_with(prefix.as_str().unwrap()),
            None => value == key,
        }),
    };
    for (pk, sk) in [
        ("LEAD#1", "LEAD"),
        ("LEAD#1", "HISTORY#0000000001"),
        ("LEAD#1", "COUNTED"),
        ("EMAIL#ann@example.com", "EMAIL"),
        ("ORDER#1", "ORDER"),
        ("ORDER#1", "LEADS#00001"),
        ("ORDER#1", "COUNTED"),
        ("STATE#NY", "CAP"),
        ("STATE#NY", "COUNTED"),
        ("STATE#NY", "FREE#1"),
        ("STATS", "STATS"),
        ("RULES", "1"),
        ("RUN#1", "RUN"),
        ("RULE#1", "LAST"),
        ("RAFFLE#1", "RAFFLE"),
        ("RAFFLE#1", "BLOCK#01"),
        ("RAFFLE#1", "SEED"),
        ("RAFFLE#1", "SOLD"),
        ("DEADLETTER#1", "DEADLETTER"),
        ("ACCOUNT#1", "ACCOUNT"),
        ("TOKEN#1", "TOKEN"),
        ("ATTEMPTS#ann@example.com", "ATTEMPTS"),
        ("STREAM#holdfast", "SHARD#1"),
    ] {
        let mut event = event("stream");
        event["Records"].as_array_mut().unwrap().truncate(1);
        event["Records"][0]["dynamodb"]["Keys"] = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
        let change = batch(event).unwrap().changes.remove(0);
        let admitted = patterns.iter().any(|pattern| admits(pattern, "pk", pk) && admits(pattern, "sk", sk));
        assert_eq!(admitted, is_relevant(&change.key), "{pk} {sk}");
    }
    assert_eq!(source["FunctionResponseTypes"][0].as_str(), Some("ReportBatchItemFailures"));
}
