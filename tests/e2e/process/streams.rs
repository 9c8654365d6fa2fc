//! A server whose stream lost or damaged changes, or whose sweeps fail in part: what it does, and what it reports.

use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::store::{Item, Key, to_item};
use serde_json::{Value, json};

use super::binary::{Data, Server};
use crate::support::http::Client;
use crate::support::workspace::{create, new_lead};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: lost_changes_and_failed_orders_are_problems_of_a_server_that_is_ready,
            a_damaged_row_of_the_log_becomes_a_dead_letter_and_later_changes_are_counted
    ]
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Puts items into the data without a server, each in a row of the log.
async fn put(data: &Data, items: Vec<Item>) {
    let store = data.store();
    for item in items {
        store.put_item(PutItemInput::builder().table_name("holdfast").set_item(Some(item))).await;
    }
}

/// The data of a server that has stopped, with one counted lead, and copies of the lead.
async fn data_with_copies(copies: usize) -> (Data, String, Vec<Item>) {
    let data = Data::new();
    let server = data.serve().await;
    let person = server.administrator().await;
    let session = server.session(&person);
    let lead = create(&person, &new_lead("Lead", "lead@example.com")).await;
    wait::until("the lead is counted", || async { total(&person).await == 1 }).await;
    server.stop().await;
    let get = GetItemInput::builder().table_name("holdfast").key("sk", text("LEAD"));
    let get = get.key("pk", text(&format!("LEAD#{}", lead["id"].as_str().unwrap())));
    let item = data.store().get_item(get).await.item.expect("the lead is stored");
    let copy = |number| {
        let pk = text(&format!("LEAD#00000000-0000-7000-8000-{number:012}"));
        item.clone().into_iter().chain([("pk".to_owned(), pk)]).collect()
    };
    (data, session, (0..copies).map(copy).collect())
}

/// A large order that cannot be read.
fn broken_order() -> Vec<Item> {
    let id = "00000000-0000-7000-8000-000000000000";
    let pending = to_item(&Key::new("UNSETTLED", format!("ORDER#{id}")), &json!({})).unwrap();
    let order = to_item(&Key::new(format!("ORDER#{id}"), "ORDER"), &json!({ "stage": "PREPARING" })).unwrap();
    let schema = ("schema".to_owned(), AttributeValue::N("2".to_owned()));
    let with_schema = |item: Item| item.into_iter().chain([schema.clone()]).collect();
    vec![with_schema(pending), with_schema(order)]
}

/// Changes the log without the engine.
fn change_log(data: &Data, sql: &str) -> usize {
    let file = rusqlite::Connection::open(data.path().join("holdfast.store")).unwrap();
    file.execute(sql, []).unwrap()
}

async fn total(person: &Client) -> u64 {
    let stats: Value = person.get("/api/leads/stats").send().await.expect(200).json();
    stats["total"].as_u64().unwrap()
}

/// Waits until a server that is ready reports exactly these problems.
async fn await_problems(server: &Server, problems: &[&str]) {
    let what = format!("the problems are {problems:?}");
    wait::until(&what, || async {
        let ready: Value = server.visitor().get("/health/ready").send().await.expect(200).json();
        assert_eq!(ready["status"], "ready");
        ready["problems"] == json!(problems)
    })
    .await;
}

async fn lost_changes_and_failed_orders_are_problems_of_a_server_that_is_ready(_: TestEnvironment) {
    let lost = "The stream deleted changes before rules ran for them. Run holdfast recount to correct the statistics.";
    let order = "1 large order can't be completed.";
    let (data, session, copies) = data_with_copies(4).await;
    put(&data, broken_order()).await;
    put(&data, copies).await;
    assert!(change_log(&data, "DELETE FROM log WHERE key < (SELECT max(key) FROM log) - 1") > 0);

    let server = data.serve().await;
    let person = server.person(&session);
    await_problems(&server, &[lost, order]).await;
    wait::until("later changes are counted", || async { total(&person).await == 3 }).await;
    data.holdfast(&["recount"]).succeeds().await;
    assert_eq!(total(&person).await, 5);
    await_problems(&server, &[order]).await;
    assert!(server.stop().await.contains("until you run `holdfast recount`"), "the log says what to do");
}

async fn a_damaged_row_of_the_log_becomes_a_dead_letter_and_later_changes_are_counted(_: TestEnvironment) {
    let (data, session, copies) = data_with_copies(20).await;
    put(&data, copies).await;
    // The start checks the newest row and every row whose number is a multiple of an eighth, and would find the damage.
    let rows = "WITH ends AS (SELECT min(key) AS first, (max(key) - min(key)) / 8 AS step, max(key) AS last FROM log)";
    let middle = "SELECT max(key) FROM log, ends WHERE key < last - 5 AND (key - first) % step > 0";
    let damage = format!("UPDATE log SET value = zeroblob(70) WHERE key = ({rows} {middle})");
    assert_eq!(change_log(&data, &damage), 1);

    let server = data.serve().await;
    let person = server.person(&session);
    wait::until("all other changes are counted", || async { total(&person).await == 20 }).await;
    let letters: Value = person.get("/api/automation/dead-letters").send().await.expect(200).json();
    let [letter] = &letters["items"].as_array().unwrap()[..] else { panic!("{letters:#}") };
    assert_eq!((&letter["reason"]["name"], &letter["key"]), (&json!("unreadable"), &Value::Null));
    create(&person, &new_lead("Later", "later@example.com")).await;
    wait::until("a later change is counted", || async { total(&person).await == 21 }).await;
    await_problems(&server, &[]).await;
}
