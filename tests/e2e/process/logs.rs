//! Data that is never logged at any log level: the data of leads, and all secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Bytes;
use axum::response::IntoResponse as _;
use holdfast::base::identity::Role;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::binary::{ADMINISTRATOR, Data};
use crate::support::http::{Server, plain_client};
use crate::support::lambda::LambdaRuntime;
use crate::support::store::Store;
use crate::support::workspace::{Workspace, address, change, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: the_server_logs_no_names_and_no_secrets_after_any_failure,
            the_server_logs_no_sign_up_data_and_no_codes,
            the_server_logs_no_seeds_and_no_buyers;
        dynamodb: the_function_logs_no_lead_of_a_failed_transaction
    ]
}

const NAME: &str = "Zebulon Quackenbush";
const EMAIL: &str = "zebulon@quackenbush.example";
const PASSWORD: &str = "correct horse battery";

/// Panics if a log contains one of these words, in upper or lower case.
#[track_caller]
fn assert_without(log: &str, words: &[&str]) {
    for word in words {
        assert!(word.len() >= 6, "{word:?} is too short to look for");
        let word = word.to_lowercase();
        let line = log.lines().map(str::to_lowercase).find(|line| line.contains(&word));
        assert!(line.is_none(), "{word:?} is logged: {line:?}");
    }
}

async fn the_server_logs_no_names_and_no_secrets_after_any_failure(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve_logging("trace").await;
    let person = server.administrator().await;
    let cookie = server.session(&person);
    let token = server.token(&person).await;
    let program = server.program(&token);
    let lead = create(&program, &new_lead(NAME, EMAIL)).await;

    // Successful requests and all kinds of refusals.
    change(&program, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    change(&program, &lead, 1, json!({ "leadScore": 70, "name": NAME })).await.expect(409);
    change(&program, &lead, 2, json!({ "status": "CONVERTED" })).await.expect(422);
    program.post("/api/leads").json(&new_lead(NAME, EMAIL)).send().await.expect(422);
    program.get("/api/leads?q=Zebulon%20Quackenbush").send().await.expect(200);
    server.program(&format!("{token}x")).get("/api/leads").send().await.expect(401);
    for (email, password, status) in
        [(EMAIL, PASSWORD, 422), (ADMINISTRATOR, "not the right one", 422), (ADMINISTRATOR, PASSWORD, 303)]
    {
        let form = [("email", email), ("password", password)];
        server.visitor().post("/sign-in").form(&form).send().await.expect(status);
    }
    server.visitor().get(&server.link).send().await.expect(410);

    // A failure without a request: unreadable items.
    let printed = server.link.rsplit('/').next().unwrap().to_owned();
    let first = server.stop().await;
    let id = lead["id"].as_str().unwrap();
    {
        let store = data.store();
        spoil(&store, &format!("LEAD#{id}"), "LEAD", "version").await;
        spoil(&store, &format!("EMAIL#{EMAIL}"), "EMAIL", "leadId").await;
    }
    let server = data.serve_logging("trace").await;
    let program = server.program(&token);
    program.get(&address(&lead)).send().await.expect(500);
    change(&program, &lead, 2, json!({ "leadScore": 61 })).await.expect(500);
    let again = program.post("/api/leads").json(&new_lead(NAME, EMAIL)).send().await;
    assert!(matches!(again.status.as_u16(), 422 | 500), "{}", again.status);

    let key = data.read("cookie.key");
    let log = first + &server.stop().await;
    assert!(log.contains("a request failed") && log.contains("signed in"), "{log}");
    let secrets = [&token, &cookie, &key, &printed].map(|secret| secret.trim_start_matches("hf_"));
    assert_without(&log, &secrets);
    assert_without(&log, &["Zebulon", "Quackenbush", PASSWORD, "correct+horse", "not the right one"]);
}

async fn the_server_logs_no_sign_up_data_and_no_codes(_: TestEnvironment) {
    const CODE: &str = "k7-Wm2!xQ";
    const WRONG: &str = "k7-Wm2!xZ";
    let data = Data::new();
    let variables =
        [("RUST_LOG", "trace"), ("HOLDFAST_SIGN_UP", "invitation"), ("HOLDFAST_INVITATION_CODE", CODE)];
    let server = data.serve_with(&variables).await;
    for (password, code, status) in [
        ("too short", CODE, 422),
        (PASSWORD, WRONG, 422),
        (PASSWORD, CODE, 303),
        (PASSWORD, CODE, 303),
        // The address has an account, which the answer does not say.
        ("not the right one", CODE, 303),
    ] {
        let form = [("name", NAME), ("email", EMAIL), ("password", password), ("code", code)];
        server.visitor().post("/sign-up").form(&form).send().await.expect(status);
    }
    let out = server.run.out();
    let log = server.stop().await;
    assert!(log.contains("signed up"), "{log}");
    for words in [&log, &out] {
        assert_without(words, &["Zebulon", "Quackenbush", PASSWORD, "correct+horse", "not the right one"]);
        assert_without(words, &[CODE, WRONG, "k7-Wm2%21xQ", "k7-Wm2%21xZ", "k7-Wm2"]);
    }
}

async fn the_server_logs_no_seeds_and_no_buyers(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve_logging("trace").await;
    let admin = server.administrator().await;
    let add = ["account", "add", EMAIL, "--name", NAME, "--role", "participant"];
    let added = data.holdfast(&add).succeeds().await;
    let buyer = server.visitor();
    let link = added.lines().nth(2).and_then(|line| line.strip_prefix(&server.address));
    buyer.use_link(link.expect("a link is printed")).await.expect(303);
    let cookies = [&admin, &buyer].map(|person| server.session(person));
    let mut raffles = Vec::new();
    for _ in 0..2 {
        let body = json!({ "title": "Autumn", "prize": "A bicycle", "tickets": 3, "limitPerPerson": 2 });
        let opened = admin.post("/api/raffles").json(&body).send().await.expect(201);
        raffles.push(opened.header("location").to_owned());
    }
    let mut log = server.stop().await;
    let mut seeds = Vec::new();
    for raffle in &raffles {
        seeds.push(seed(&data.store(), raffle).await);
    }

    // Successful requests and all kinds of refusals.
    let server = data.serve_logging("trace").await;
    let [admin, buyer] = cookies.each_ref().map(|cookie| server.person(cookie));
    let mut won = 0;
    for raffle in &raffles {
        let tickets = format!("{raffle}/tickets");
        let buy = |quantity: u32| buyer.post(&tickets).json(&json!({ "quantity": quantity })).send();
        let bought: Value = buy(2).await.expect(201).json();
        buy(1).await.expect(409);
        buy(99).await.expect(422);
        buyer.delete(&format!("{tickets}/{}", bought["numbers"][0])).send().await.expect(204);
        admin.delete(&format!("{tickets}/{}", bought["numbers"][1])).send().await.expect(428);
        for part in ["", "/proof", "/tickets", "/tickets/csv", "/sales", "/history"] {
            admin.get(&format!("{raffle}{part}")).send().await.expect(200);
        }
        buyer.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(403);
        won = bought["numbers"][1].as_u64().unwrap();
    }
    log += &server.stop().await;
    // A failure without a request: the unreadable winning ticket of the second raffle.
    let tickets = raffles[1].replace("/api/raffles/", "TICKETS#");
    spoil(&data.store(), &tickets, &format!("TICKET#{won:06}"), "version").await;

    let server = data.serve_logging("trace").await;
    let admin = server.person(&cookies[0]);
    for (raffle, status) in raffles.iter().zip([200, 500]) {
        admin.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(status);
    }
    log += &server.stop().await;
    assert!(log.contains("a request failed"), "{log}");
    assert_without(&log, &[&seeds[0], &seeds[1], "Zebulon", "Quackenbush"]);
}

/// Reads the seed of an open raffle from its item.
async fn seed(store: &Store, raffle: &str) -> String {
    let partition = raffle.replace("/api/raffles/", "RAFFLE#");
    let read = GetItemInput::builder().table_name("holdfast").key("pk", AttributeValue::S(partition));
    let item = store.get_item(read.key("sk", AttributeValue::S("SEED".into()))).await.item.unwrap();
    item["seed"].as_s().unwrap().clone()
}

/// Replaces an attribute of an item by one of another type.
async fn spoil(store: &Store, pk: &str, sk: &str, attribute: &str) {
    let update = UpdateItemInput::builder().table_name("holdfast");
    let update =
        update.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
    let update = update.update_expression("SET #a = :a").expression_attribute_names("#a", attribute);
    let update = update.condition_expression("attribute_exists(#a)");
    store.update_item(update.expression_attribute_values(":a", AttributeValue::Bool(true))).await;
}

/// DynamoDB's answer when one action's condition fails, with the item, and another action is invalid.
fn canceled_showing(lead: &Value, actions: usize) -> Value {
    let item = json!({
        "pk": { "S": format!("LEAD#{}", lead["id"].as_str().unwrap()) },
        "sk": { "S": "LEAD" },
        "name": { "S": NAME },
        "email": { "S": EMAIL },
        "version": { "N": "1" },
    });
    let mut reasons = vec![
        json!({ "Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": item }),
        json!({ "Code": "ValidationError", "Message": "An operand has an incorrect data type" }),
    ];
    reasons.resize(actions.max(2), json!({ "Code": "None" }));
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons \
                    [ConditionalCheckFailed, ValidationError]",
        "CancellationReasons": reasons,
    })
}

/// A proxy of the engine. After `spoilt` is set, it cancels each transaction and shows this lead.
async fn spoilt_engine(endpoint: String, lead: Value, spoilt: Arc<AtomicBool>) -> Server {
    let client = plain_client();
    let answer = async move |headers: HeaderMap, body: Bytes| {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        if target.ends_with("TransactWriteItems") && spoilt.load(Ordering::SeqCst) {
            let request: Value = serde_json::from_slice(&body).unwrap();
            let actions = request["TransactItems"].as_array().unwrap().len();
            let answer = canceled_showing(&lead, actions).to_string();
            return (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], answer)
                .into_response();
        }
        let answer = client.post(&endpoint).headers(headers).body(body).send().await.unwrap();
        (answer.status(), answer.headers().clone(), answer.bytes().await.unwrap()).into_response()
    };
    Server::of(axum::Router::new().fallback(answer)).await
}

async fn the_function_logs_no_lead_of_a_failed_transaction(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let lead = create(&workspace.bearer(&token), &new_lead(NAME, EMAIL)).await;
    let spoilt = Arc::new(AtomicBool::new(true));
    let engine = spoilt_engine(environment.engine().endpoint().to_owned(), lead.clone(), spoilt).await;
    let key = "a key that is long enough for a test ".repeat(3);
    let environment = [
        ("HOLDFAST_TABLE", environment.table()),
        ("HOLDFAST_COOKIE_KEY", &key),
        ("HOLDFAST_DYNAMODB_ENDPOINT", &engine.url("")),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key()),
        ("RUST_LOG", "trace"),
    ];
    let lambda = LambdaRuntime::start(env!("CARGO_BIN_EXE_lambda_web"), environment).await.unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/events/patch-json.json");
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    event["rawPath"] = address(&lead).into();
    event["requestContext"]["http"]["path"] = address(&lead).into();
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    event["headers"]["if-match"] = "\"1\"".into();
    event["body"] = json!({ "leadScore": 61 }).to_string().into();
    event["isBase64Encoded"] = false.into();
    let answer = lambda.invoke(event).await;
    assert_eq!(answer["statusCode"], 500, "{answer}");

    let log = lambda.output();
    let failure = log.lines().find(|line| line.contains("a request failed"));
    let failure = failure.unwrap_or_else(|| panic!("the failure is logged: {log}"));
    assert!(failure.contains("TransactWriteItems") && failure.contains("ValidationError"), "{failure}");
    assert_without(&log, &["Zebulon", "Quackenbush", token.trim_start_matches("hf_"), &key]);
}
