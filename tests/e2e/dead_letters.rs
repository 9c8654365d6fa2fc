//! Dead letters of the stream: a record that cannot be read or applied is kept, later records are processed, and a
//! retry applies it once.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::base::telemetry::Telemetry;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stats::{new_records, process_stream};
use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, change, create, new_lead};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_change_that_cannot_be_counted_becomes_a_dead_letter_and_the_others_are_counted,
            a_record_of_another_schema_becomes_a_dead_letter_and_the_others_are_counted,
            a_dead_letter_is_applied_once_after_its_cause_is_fixed;
        app: a_failing_rule_does_not_block_other_rules_on_the_same_event,
            a_failing_rule_does_not_block_other_scheduled_rules,
            a_change_becomes_a_dead_letter_when_retries_of_its_rule_do_not_help;
        web: dead_letters_are_listed_retried_and_dismissed_on_their_page,
            a_request_that_is_sent_twice_closes_a_dead_letter_once
    ]
}

const PATH: &str = "/api/automation/dead-letters";

/// Changes an item without the application.
pub async fn spoil(environment: &TestEnvironment, pk: &str, sk: &str, name: &str, value: AttributeValue) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update =
        UpdateItemInput::builder().table_name(environment.table()).key("pk", text(pk)).key("sk", text(sk));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    environment.store().update_item(update.expression_attribute_values(":value", value)).await;
}

/// Makes a lead unreadable for one change.
pub async fn spoil_and_mend(environment: &TestEnvironment, pk: &str) {
    for status in ["?", "PROSPECT"] {
        spoil(environment, pk, "LEAD", "status", AttributeValue::S(status.to_owned())).await;
    }
}

/// Deletes an item without the application.
pub async fn drop_item(environment: &TestEnvironment, pk: &str, sk: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let delete = DeleteItemInput::builder().table_name(environment.table());
    environment.store().delete_item(delete.key("pk", text(pk)).key("sk", text(sk))).await;
}

fn partition(lead: &Value) -> String {
    format!("LEAD#{}", lead["id"].as_str().unwrap())
}

async fn listed(admin: &Client, query: &str) -> Vec<Value> {
    let list: Value = admin.get(&format!("{PATH}{query}")).send().await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

async fn total(workspace: &Workspace) -> u64 {
    workspace.app.statistics().read().await.unwrap().total
}

async fn a_change_that_cannot_be_counted_becomes_a_dead_letter_and_the_others_are_counted(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let spoilt = create(&admin, &new_lead("Spoilt", "spoilt@example.com")).await;
    spoil(
        &environment,
        &partition(&spoilt),
        "LEAD",
        "status",
        AttributeValue::S("ann@example.com".to_owned()),
    )
    .await;
    for number in 0..3 {
        create(&admin, &new_lead("Lead", &format!("lead{number}@example.com"))).await;
    }
    process_stream(&environment, &workspace).await;
    assert_eq!(total(&workspace).await, 4, "the unreadable lead counts with its last readable state");

    let letters = listed(&admin, "").await;
    let [letter] = &letters[..] else { panic!("{letters:#?}") };
    assert_eq!(letter["key"], json!({ "pk": partition(&spoilt), "sk": "LEAD" }));
    assert_eq!((&letter["status"], &letter["version"]), (&json!("OPEN"), &json!(1)));
    assert_eq!(letter["reason"]["name"], "unreadable");
    assert!(
        !letter.to_string().contains("ann@example.com"),
        "the list does not show the content of the record"
    );
    let one = format!("{PATH}/{}", letter["id"].as_str().unwrap());
    let whole: Value = admin.get(&one).send().await.expect(200).json();
    assert_eq!(
        (&whole["before"]["status"], &whole["after"]["status"]),
        (&json!("PROSPECT"), &json!("ann@example.com"))
    );

    // It stays a dead letter until a person decides.
    let refused = admin.post(&format!("{one}/retry")).json(&json!({ "version": 1 })).send().await.expect(422);
    assert_eq!(refused.json::<Value>()["reason"]["name"], "unreadable");
    admin.post(&format!("{one}/retry")).json(&json!({ "version": 2 })).send().await.expect(409);
    admin.delete(&one).send().await.expect(428);
    admin.delete(&format!("{one}?version=1&note=a%20test")).send().await.expect(204);
    admin.delete(&format!("{one}?version=1")).send().await.expect(409);
    assert_eq!(listed(&admin, "").await, Vec::<Value>::new());
    let dismissed = listed(&admin, "?status=DISMISSED").await;
    assert_eq!((&dismissed[0]["note"], &dismissed[0]["version"]), (&json!("a test"), &json!(2)));
    let whole: Value = admin.get(&one).send().await.expect(200).json();
    assert_eq!(whole["after"], Value::Null, "its content is deleted");
}

async fn a_record_of_another_schema_becomes_a_dead_letter_and_the_others_are_counted(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let later = create(&admin, &new_lead("Later", "later@example.com")).await;
    spoil(&environment, &partition(&later), "LEAD", "schema", AttributeValue::N("9".to_owned())).await;
    create(&admin, &new_lead("Lead", "lead@example.com")).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(total(&workspace).await, 2);
    let letters = listed(&admin, "").await;
    let [letter] = &letters[..] else { panic!("{letters:#?}") };
    assert_eq!(letter["reason"]["name"], "other-schema");
    assert!(letter["reason"]["words"].as_str().unwrap().contains("schema 9"), "{letter}");
    process_stream(&environment, &workspace).await;
    assert_eq!(listed(&admin, "").await.len(), 1, "the reader continued after it");
}

async fn a_dead_letter_is_applied_once_after_its_cause_is_fixed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let rule = json!({ "name": "Look", "on": "lead.created", "command": "get_leads state={state}" });
    admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    let lead = create(&admin, &new_lead("Lead", "lead@example.com")).await;
    create(&admin, &new_lead("Other", "other@example.com")).await;
    // Makes the record of what was counted inconsistent.
    spoil(&environment, &partition(&lead), "COUNTED", "shape", AttributeValue::N("1".to_owned())).await;
    let changes = new_records(&environment, &workspace).await;
    for _ in 0..2 {
        workspace.app.projections().consume(&changes).await.unwrap();
    }
    assert_eq!(total(&workspace).await, 1);
    let letters = listed(&admin, "").await;
    let [letter] = &letters[..] else { panic!("{letters:#?}") };
    let retry = format!("{PATH}/{}/retry", letter["id"].as_str().unwrap());
    let retried = async |key: &str| {
        let request = admin.post(&retry).json(&json!({ "version": 1 })).header("idempotency-key", key);
        request.send().await
    };
    retried("first").await.expect(422);

    drop_item(&environment, &partition(&lead), "COUNTED").await;
    let applied: Value = retried("second").await.expect(200).json();
    assert_eq!((&applied["status"], &applied["version"]), (&json!("APPLIED"), &json!(2)));
    assert_eq!(
        retried("second").await.expect(200).json::<Value>(),
        applied,
        "a repeated request gets the same answer"
    );
    retried("third").await.expect(409);
    assert_eq!(total(&workspace).await, 2);
    workspace.app.projections().consume(&changes).await.unwrap();
    assert_eq!(total(&workspace).await, 2);
    let runs: Value = admin.get("/api/automation/runs").send().await.expect(200).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 2, "each event ran once");
}

/// The rules that ran, one entry for each run.
async fn runs(admin: &Client) -> Vec<String> {
    let runs: Value = admin.get("/api/automation/runs").send().await.expect(200).json();
    let mut names: Vec<String> = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["ruleName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Creates two rules that answer the same event.
async fn two_rules(admin: &Client, on: &str) {
    for name in ["First", "Second"] {
        let rule = json!({ "name": name, "on": on, "command": "get_leads state=NY" });
        admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    }
}

const REFUSED: Fault = Fault::Refused("AccessDeniedException");

async fn a_failing_rule_does_not_block_other_rules_on_the_same_event(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    two_rules(&admin, "lead.created").await;
    create(&admin, &new_lead("Lead", "lead@example.com")).await;
    let changes = new_records(&environment, &workspace).await;
    // The first `GetItem` reads the run of the first rule.
    environment.wire().next("GetItem", REFUSED);
    workspace.app.projections().consume(&changes).await.unwrap_err();
    assert_eq!(runs(&admin).await, ["Second"]);
    workspace.app.projections().consume(&changes).await.unwrap();
    assert_eq!(runs(&admin).await, ["First", "Second"], "the failed run is done, and no run is repeated");
    assert_eq!(listed(&admin, "").await, Vec::<Value>::new());
}

async fn a_failing_rule_does_not_block_other_scheduled_rules(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    two_rules(&admin, "every 1m").await;
    let now = jiff::Timestamp::now();
    let workspace = workspace.with_clock(Clock::from_fn(move || now + SignedDuration::from_mins(2)));
    environment.wire().next("GetItem", REFUSED);
    workspace.app.projections().sweep().await.unwrap_err();
    assert_eq!(runs(&admin).await, ["Second"]);
    workspace.app.projections().sweep().await.unwrap();
    assert_eq!(runs(&admin).await, ["First", "Second"]);
}

async fn a_change_becomes_a_dead_letter_when_retries_of_its_rule_do_not_help(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    two_rules(&admin, "lead.created").await;
    create(&admin, &new_lead("Lead", "lead@example.com")).await;
    let changes = new_records(&environment, &workspace).await;
    let now = jiff::Timestamp::now();
    let later = workspace.clone().with_clock(Clock::from_fn(move || now + SignedDuration::from_mins(2)));
    environment.wire().next("GetItem", REFUSED);
    later.app.projections().consume(&changes).await.unwrap();
    assert_eq!(runs(&admin).await, ["Second"]);
    let letters = listed(&admin, "").await;
    assert_eq!(letters[0]["reason"]["name"], "refused", "{letters:#?}");
    let retry = format!("{PATH}/{}/retry", letters[0]["id"].as_str().unwrap());
    admin.post(&retry).json(&json!({ "version": 1 })).send().await.expect(200);
    assert_eq!(runs(&admin).await, ["First", "Second"]);

    // A store that fails for everything makes no dead letters.
    let lead = create(&admin, &new_lead("Other", "other@example.com")).await;
    change(&admin, &lead, 1, json!({ "status": "QUALIFIED" })).await.expect(200);
    let changes = new_records(&environment, &workspace).await;
    environment.wire().always("TransactWriteItems", Fault::Refused("ExpiredTokenException"));
    later.app.projections().consume(&changes).await.unwrap_err();
    environment.wire().reset();
    assert_eq!(listed(&admin, "").await, Vec::<Value>::new());
    later.app.projections().consume(&changes).await.unwrap();
    assert_eq!(total(&workspace).await, 2);
}

async fn dead_letters_are_listed_retried_and_dismissed_on_their_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let counted: Arc<Mutex<u32>> = Arc::default();
    let admin = workspace.session(Role::Administrator, "Ann").await.always("origin", "http://holdfast.test");
    let empty = admin.get("/automation/dead-letters").send().await.expect(200);
    assert!(empty.text().contains("Statistics and rules processed every change."));
    assert!(admin.get("/automation").send().await.expect(200).text().contains("/automation/dead-letters"));
    for number in 0..2 {
        let lead = create(&admin, &new_lead("Lead", &format!("lead{number}@example.com"))).await;
        spoil(&environment, &partition(&lead), "LEAD", "status", AttributeValue::S("<b>".to_owned())).await;
        assert!(address(&lead).starts_with("/api/leads/"));
    }
    let counter = counted.clone();
    let instance =
        workspace.another(&environment, &environment.another_wire(), crate::support::workspace::TEST_RETRIES);
    let instance =
        instance.with_telemetry(Telemetry::to(move |report| *counter.lock().unwrap() += report.dead_letters));
    let changes = new_records(&environment, &workspace).await;
    let id = holdfast::base::telemetry::RequestId("batch".to_owned());
    let projections = instance.app.projections();
    let work = projections.consume(&changes);
    instance.app.telemetry.measure(&instance.app.clock, "stream", id, None, work).await.unwrap();
    assert_eq!(*counted.lock().unwrap(), 2, "the metric that the alarm watches");

    let listed: Value = admin.get(&format!("{PATH}?limit=1")).send().await.expect(200).json();
    let next = listed["next"].as_str().expect("there is another page");
    let rest: Value = admin.get(&format!("{PATH}?limit=1&cursor={next}")).send().await.expect(200).json();
    let ids = [&listed, &rest].map(|page| page["items"][0]["id"].as_str().unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
    admin.get(&format!("{PATH}?cursor=nonsense")).send().await.expect(400);

    let page = admin.get("/automation/dead-letters").send().await.expect(200).text().to_owned();
    assert!(ids.iter().all(|id| page.contains(&format!("dead-letter-{id}"))), "{page}");
    crate::support::html::assert_asks(&page, "/dismiss");
    let at = |id: &str, what: &str| format!("/automation/dead-letters/{id}/{what}");
    let refused = admin.post(&at(&ids[0], "retry")).form(&[("version", "1")]).send().await.expect(422);
    assert!(refused.text().contains("It still can&#39;t be applied."));
    let long = "x".repeat(501);
    let typed = admin.post(&at(&ids[0], "dismiss")).form(&[("version", "1"), ("note", &long)]).send().await;
    assert!(typed.expect(422).text().contains(&long), "the typed note is kept");
    let done =
        admin.post(&at(&ids[0], "dismiss")).form(&[("version", "1"), ("note", "not needed")]).send().await;
    assert_eq!(done.expect(303).header("location"), "/automation/dead-letters");
    let lost = admin.post(&at(&ids[0], "retry")).form(&[("version", "1")]).send().await.expect(409);
    assert!(lost.text().contains("It changed by Ann"), "{}", lost.text());
    let closed =
        admin.get("/automation/dead-letters?status=DISMISSED").send().await.expect(200).text().to_owned();
    assert!(closed.contains("not needed") && closed.contains(&ids[0]) && !closed.contains(&ids[1]));
}

async fn a_request_that_is_sent_twice_closes_a_dead_letter_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.session(Role::Administrator, "Ann").await.always("origin", "http://holdfast.test");
    let mut leads = Vec::new();
    for number in 0..3 {
        let lead = create(&admin, &new_lead("Lead", &format!("lead{number}@example.com"))).await;
        spoil(&environment, &partition(&lead), "COUNTED", "shape", AttributeValue::N("1".to_owned())).await;
        leads.push(partition(&lead));
    }
    let changes = new_records(&environment, &workspace).await;
    workspace.app.projections().consume(&changes).await.unwrap();
    for lead in &leads {
        drop_item(&environment, lead, "COUNTED").await;
    }
    let letters = listed(&admin, "").await;
    let ids: Vec<&str> = letters.iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    let [retried, dismissed, dismissed_by_program] = ids[..] else { panic!("{letters:#?}") };
    for (id, action) in [(retried, "retry"), (dismissed, "dismiss")] {
        for _ in 0..2 {
            let post = admin.post(&format!("/automation/dead-letters/{id}/{action}"));
            let done = post.form(&[("version", "1")]).send().await.expect(303);
            assert_eq!(done.header("location"), "/automation/dead-letters");
        }
    }
    let address = format!("{PATH}/{dismissed_by_program}?version=1");
    for _ in 0..2 {
        admin.delete(&address).header("idempotency-key", "k").send().await.expect(204);
    }
    admin.delete(&address).send().await.expect(409);
    assert_eq!(total(&workspace).await, 1, "only one record was applied");
}
