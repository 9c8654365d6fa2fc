//! Deployment: the template's table equals the code's table, and the built bootstraps answer API Gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, TableDescription};
use base64::Engine;
use holdfast::accounts::change::Operator;
use holdfast::accounts::sign_up::SignUp;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::inventory::domain::DeadLetterStatus;
use holdfast::leads::domain::Stock;
use holdfast::projections::consume::is_relevant;
use holdfast::store::Select;
use holdfast::store::stream::batch;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::compression::unpacked;
use super::order_races::interrupt;
use super::orders::{create as create_order, of_stock, set_cap, stock};
use super::template::FUNCTIONS;
use crate::support::gateway;
use crate::support::lambda::LambdaRuntime;
use crate::support::workspace::{PATIENCE, Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        dynamodb: the_templates_table_equals_the_codes_table,
            the_bootstrap_signs_in_with_a_cookie_and_shows_page_and_fragment,
            the_bootstrap_answers_409_and_422,
            the_bootstrap_sends_compressed_assets_whole,
            the_bootstrap_compresses_pages,
            the_bootstrap_links_within_its_stage,
            the_stream_bootstrap_keeps_a_bad_record_and_continues,
            the_inventory_bootstrap_applies_a_batch_once_and_keeps_invalid_messages_as_dead_letters,
            the_inventory_bootstrap_names_every_unfinished_record,
            the_sweeper_bootstrap_aborts_an_interrupted_order;
        embedded: the_stream_filter_passes_only_relevant_records,
            the_sign_up_parameters_are_the_variables_that_the_function_reads
    ]
}

async fn the_templates_table_equals_the_codes_table(environment: TestEnvironment) {
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
        let stock = async |sku: &str| {
            workspace.app.inventory().find(&sku.parse().unwrap()).await.unwrap().stock.get()
        };
        assert_eq!((stock("85123A").await, stock("71053").await), (4, 3));
        let parked = workspace
            .app
            .inventory()
            .list_dead_letters(DeadLetterStatus::Open, 10, None)
            .await
            .unwrap()
            .items;
        let mut places: Vec<_> = parked
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

/// A large order of 80 leads, which are all leads, that was interrupted an hour ago.
pub async fn interrupt_an_order_an_hour_ago(environment: &TestEnvironment, workspace: &Workspace) {
    for code in ["NY", "CA"] {
        set_cap(workspace, code, 100).await;
        stock(workspace, code, 40).await;
    }
    let wire = environment.another_wire();
    let mut cut = workspace.another(environment, &wire, PATIENCE);
    cut.app.clock = Clock::from_fn(|| Timestamp::now() - SignedDuration::from_hours(1));
    let made = interrupt(&wire, 2, async move { create_order(&cut, &["NY", "CA"], Some(40)).await }).await;
    assert!(made.is_none());
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
