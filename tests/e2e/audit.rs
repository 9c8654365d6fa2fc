//! The audit log: one entry for each action.

use std::collections::BTreeSet;

use holdfast::base::identity::{Actor, Role};
use holdfast::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use holdfast::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::stats::process_stream;
use super::{imports, orders, raffle_api};
use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, create, new_lead};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: each_action_has_one_entry_with_who_what_and_where;
        app: a_repeated_request_has_one_entry_and_a_refused_one_none,
            an_import_and_its_undo_have_one_entry_each,
            deletions_by_commands_and_rules_have_entries_and_a_bulk_run_has_one
    ]
}

const WRITE: &str = "TransactWriteItems";
const CAPS: &str = "/api/leads/caps";

/// The day that began about this many days ago.
pub fn days_ago(days: i64) -> String {
    (Timestamp::now() - SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%d").to_string()
}

/// All entries of the last days, or of those of the query, that match the query, newest first, page by page.
pub async fn entries(admin: &Client, query: &str) -> Vec<Value> {
    let from = if query.contains("from=") { String::new() } else { format!("&from={}", days_ago(8)) };
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page = admin.get(&format!("/api/audit?{query}{from}&cursor={cursor}")).send().await.expect(200);
        let page: Value = page.json();
        found.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return found,
        }
    }
    panic!("the log does not end");
}

/// The details of all entries of a kind, oldest first.
pub async fn details(admin: &Client, kind: &str) -> Vec<String> {
    let found = entries(admin, &format!("kind={kind}")).await;
    found.iter().rev().map(|entry| entry["detail"].as_str().unwrap().to_owned()).collect()
}

/// Writes an entry of this time.
pub async fn write(
    workspace: &Workspace,
    at: Timestamp,
    by: &str,
    kind: AuditKind,
    subject: &str,
) -> AuditEntry {
    let actor = AuditActor { by: Actor::new(by), account: None, address: None };
    let entry = AuditEntry::new(&workspace.app.rng, at, &actor, kind, subject, "Done.");
    let written: Result<(), StoreError> = workspace.app.dynamo.write_audit(&entry).await;
    written.expect("the entry is written");
    entry
}

/// What an entry says: its kind, subject, detail and path.
type Row = [String; 4];

fn row(kind: &str, subject: &str, detail: impl Into<String>, path: impl Into<String>) -> Row {
    [kind.to_owned(), subject.to_owned(), detail.into(), path.into()]
}

async fn each_action_has_one_entry_with_who_what_and_where(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Administrator, "Ann Lee").await;
    let ann = workspace.visitor_from("203.0.113.9").always("authorization", &format!("Bearer {token}"));
    let expected: BTreeSet<Row> = [
        change_caps(&ann).await,
        change_a_rule(&ann).await,
        close_a_raffle(&workspace, &ann).await,
        change_leads(&ann).await,
        delete_an_order(&workspace, &ann).await,
    ]
    .into_iter()
    .flatten()
    .collect();
    let me: Value = ann.get("/api/me").send().await.expect(200).json();
    let mut found = entries(&ann, &format!("person={}", me["id"].as_str().unwrap())).await;
    // Entries about accounts and tokens have cases of their own.
    found.retain(|entry| expected.iter().any(|[kind, ..]| entry["kind"] == *kind));
    // Entries of one millisecond have no order.
    let rows: BTreeSet<Row> = found
        .iter()
        .map(|entry| {
            assert_eq!((&entry["by"], &entry["account"]), (&json!("Ann Lee (test)"), &me["id"]), "{entry}");
            assert_eq!(entry["address"], "203.0.113.9", "{entry}");
            assert!(entry["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{entry}");
            ["kind", "subject", "detail", "path"].map(|name| entry[name].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!((rows, found.len()), (expected, 14));
}

/// Changes caps. Returns what the entries say.
async fn change_caps(ann: &Client) -> Vec<Row> {
    ann.put(CAPS).json(&json!({ "state": "NY", "cap": 25, "version": 1 })).send().await.expect(200);
    ann.put(CAPS).json(&json!({ "default": 12, "version": 1 })).send().await.expect(200);
    ann.put(CAPS).json(&json!({ "state": "NY", "cap": null, "version": 2 })).send().await.expect(200);
    let cap = |subject: &str, detail: &str| row("cap-changed", subject, detail, "/orders/caps");
    vec![
        cap("Cap of NY", "Cap of NY changed from 10 to 25."),
        cap("Default cap", "Default cap changed from 10 to 12."),
        cap("Cap of NY", "Cap of NY changed from 25 to the default, 12."),
    ]
}

/// Creates, changes and deletes a rule. Returns what the entries say.
async fn change_a_rule(ann: &Client) -> Vec<Row> {
    let rule = json!({ "name": "Look", "on": "lead.qualified", "command": "get_leads limit=1" });
    let rule: Value = ann.post("/api/automation/rules").json(&rule).send().await.expect(201).json();
    let rule = format!("/api/automation/rules/{}", rule["id"].as_str().unwrap());
    let change = json!({ "version": 1, "enabled": false, "name": "Watch" });
    ann.patch(&rule).json(&change).send().await.expect(200);
    ann.delete(&format!("{rule}?version=2")).send().await.expect(204);
    let page = rule.trim_start_matches("/api");
    vec![
        row("rule-changed", "Look", "Rule created.", page),
        row("rule-changed", "Watch", "Rule turned off and changed: name.", page),
        row("rule-changed", "Watch", "Rule deleted.", page),
    ]
}

/// Returns a ticket of a raffle, draws the winner, and exports the tickets. Returns what the entries say.
async fn close_a_raffle(workspace: &Workspace, ann: &Client) -> Vec<Row> {
    let raffle = raffle_api::open(ann, 3, 2).await;
    let bob = raffle_api::participant(workspace, "Bob Ray").await;
    let bought = raffle_api::buy(&bob, &raffle, 2).await;
    let tickets: Value = ann.get(&format!("{raffle}/tickets")).send().await.expect(200).json();
    let ticket = tickets["items"].as_array().unwrap().iter().find(|ticket| ticket["number"] == bought[0]);
    let cancel = format!("{raffle}/tickets/{}?version={}", bought[0], ticket.unwrap()["version"]);
    ann.delete(&cancel).send().await.expect(204);
    raffle_api::draw(ann, &raffle).await;
    ann.get(&format!("{raffle}/tickets/csv")).send().await.expect(200);
    let page = raffle.trim_start_matches("/api");
    let of_tickets = format!("{page}/tickets");
    let returned = format!("Ticket {} of Bob Ray returned.", bought[0]);
    vec![
        row("deletion", "Autumn", returned, of_tickets.as_str()),
        row("raffle-closed", "Autumn", format!("Winner drawn: ticket {} of 1 sold.", bought[1]), page),
        row("export", "Autumn", "Sold tickets exported.", of_tickets),
    ]
}

/// Deletes, restores and merges a lead. Returns what the entries say.
async fn change_leads(ann: &Client) -> Vec<Row> {
    let one = create(ann, &new_lead("Zoe One", "one@example.com")).await;
    let two = create(ann, &new_lead("Zoe Two", "two@example.com")).await;
    ann.delete(&format!("{}?version=1", address(&one))).send().await.expect(204);
    ann.post(&format!("{}/restore", address(&one))).json(&json!({ "version": 2 })).send().await.expect(200);
    let merge = json!({ "version": 3, "merged": two["id"], "mergedVersion": 1 });
    ann.post(&format!("{}/merge", address(&one))).json(&merge).send().await.expect(200);
    let page = format!("/leads/{}", one["id"].as_str().unwrap());
    let merged = format!("Lead Zoe Two ({}) merged into this one.", two["id"].as_str().unwrap());
    vec![
        row("deletion", "Zoe One", "Lead deleted.", page.as_str()),
        row("deletion", "Zoe One", "Lead restored.", page.as_str()),
        row("deletion", "Zoe One", merged, page),
    ]
}

/// Deletes an order and exports orders. Returns what the entries say.
async fn delete_an_order(workspace: &Workspace, ann: &Client) -> Vec<Row> {
    orders::stock(workspace, "CA", 1).await;
    let order = orders::create(workspace, &["CA"], Some(1)).await.unwrap().order.id;
    ann.delete(&format!("/api/orders/{order}?version=1")).send().await.expect(204);
    ann.get("/api/orders/export/csv?from=2026-01-01").send().await.expect(200);
    let deleted = format!("Order {order} deleted; its 1 lead returned to stock.");
    vec![
        row("deletion", "Order of Acme Roofing", deleted, format!("/orders/{order}")),
        row("export", "Orders", "Fulfilled orders from 2026-01-01 exported.", "/orders/export"),
    ]
}

async fn a_repeated_request_has_one_entry_and_a_refused_one_none(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let lead = create(&admin, &new_lead("Ann Lee", "ann@example.com")).await;
    let cap = json!({ "state": "NY", "cap": 25, "version": 1 });
    let rule = json!({ "name": "Look", "on": "lead.qualified", "command": "get_leads limit=1" });
    let raffle = raffle_api::open(&admin, 3, 2).await;
    // Nothing is sold, nothing is there, nothing has changed.
    admin.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(422);
    raffle_api::buy(&admin, &raffle, 1).await;
    for _ in 0..3 {
        // The reply of one attempt is lost, too.
        environment.wire().next(WRITE, Fault::ReplyLost);
        admin.put(CAPS).header("idempotency-key", "cap").json(&cap).send().await.expect(200);
        let created = admin.post("/api/automation/rules").header("idempotency-key", "rule").json(&rule);
        created.send().await.expect(201);
        let delete = admin.delete(&format!("{}?version=1", address(&lead)));
        delete.header("idempotency-key", "lead").send().await.expect(204);
        let draw = admin.post(&format!("{raffle}/draw")).header("idempotency-key", "draw").json(&json!({}));
        draw.send().await.expect(200);
    }
    let rules: Value = admin.get("/api/automation/rules").send().await.expect(200).json();
    let rule = format!("/api/automation/rules/{}", rules["items"][0]["id"].as_str().unwrap());
    environment.wire().reset();
    admin.put(CAPS).json(&cap).send().await.expect(409);
    admin.put(CAPS).json(&json!({ "default": 5, "version": 7 })).send().await.expect(409);
    admin.patch(&rule).json(&json!({ "version": 7, "enabled": false })).send().await.expect(409);
    admin.delete(&format!("{rule}?version=7")).send().await.expect(409);
    admin
        .post(&format!("{}/restore", address(&lead)))
        .json(&json!({ "version": 7 }))
        .send()
        .await
        .expect(410);
    admin.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(409);
    let unknown = "019f0000-0000-7000-8000-000000000000";
    admin.get(&format!("/api/raffles/{unknown}/tickets/csv")).send().await.expect(404);
    admin.get("/api/orders/export/csv?cursor=x").send().await.expect(400);
    admin.get("/audit.csv?cursor=x").send().await.expect(400);
    workspace.agent().await.get("/audit.csv").send().await.expect(403);

    assert_eq!(details(&admin, "cap-changed").await, ["Cap of NY changed from 10 to 25."]);
    assert_eq!(details(&admin, "rule-changed").await, ["Rule created."]);
    assert_eq!(details(&admin, "deletion").await, ["Lead deleted."]);
    assert_eq!(details(&admin, "raffle-closed").await.len(), 1);
    assert_eq!(details(&admin, "export").await, Vec::<String>::new());
}

async fn an_import_and_its_undo_have_one_entry_each(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let import = imports::send(&admin, &imports::people(5)).await;
    imports::start(&admin, &import).await;
    imports::finish(&admin, &import).await;
    admin.get(&format!("{import}/report.csv")).send().await.expect(200);
    admin.get(&format!("{import}/report.csv?after=2")).send().await.expect(200);
    for _ in 0..2 {
        admin.post(&format!("{import}/undo")).send().await.expect(303);
    }
    for _ in 0..3 {
        admin.post(&format!("{import}/step")).send().await.expect(303);
    }
    let trash: Value = admin.get("/api/leads/trash").send().await.expect(200).json();
    assert_eq!(trash["items"].as_array().unwrap().len(), 5, "the import was undone");
    let undo = "Undo of the import started: 5 created leads move to the trash, 0 leads get their earlier values back.";
    assert_eq!(details(&admin, "import").await, ["Import of 5 rows started.", undo]);
    let mut exports = details(&admin, "export").await;
    exports.sort();
    assert_eq!(exports, ["Report of the import exported.", "Report of the import from row 3 exported."]);
    assert_eq!(details(&admin, "deletion").await, Vec::<String>::new());
    let found = entries(&admin, "kind=import").await;
    assert!(found.iter().all(|entry| entry["subject"] == "file.csv" && entry["path"] == import), "{found:?}");

    // From the shell. A file that cannot be imported has no entry, and neither has a dry run.
    let options = holdfast::imports::run::FileOptions { file_name: "shell.csv", ..Default::default() };
    let dry = holdfast::imports::run::FileOptions { dry_run: true, ..Default::default() };
    let (by, shell) = (Actor::new("Shell"), workspace.app.imports());
    shell.run_file(&by, &imports::people(3), &dry, imports::continued).await.unwrap();
    shell.run_file(&by, b"email,b\na@example.com,2\n", &options, imports::continued).await.unwrap_err();
    shell.run_file(&by, &imports::people(3), &options, imports::continued).await.unwrap();
    let found = entries(&admin, "kind=import").await;
    assert_eq!((found.len(), &found[0]["subject"]), (3, &json!("shell.csv")));
    assert_eq!(found[0]["by"], AuditActor::command().by.as_str());
}

async fn deletions_by_commands_and_rules_have_entries_and_a_bulk_run_has_one(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    orders::stock(&workspace, "CA", 6).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(orders::create(&workspace, &["CA"], Some(1)).await.unwrap().order.id.to_string());
    }
    let missing = "019f0000-0000-7000-8000-000000000000";
    let (early, late) = (missing.replace("019f", "019e"), missing);
    let text = format!(
        "delete_order order_id={early}\ndelete_order order_id={}\nget_orders\ndelete_order order_id={late}\ndelete_order order_id={}\n",
        ids[0], ids[1]
    );
    for _ in 0..2 {
        let run = admin.post("/api/automation/execute").header("idempotency-key", "run");
        run.body("text/plain", text.clone()).send().await.expect(404);
    }
    let found = entries(&admin, "kind=deletion").await;
    let [bulk] = &found[..] else { panic!("{found:?}") };
    // The entry claims nothing of the line that failed before it, and no effect of those after it.
    assert_eq!((&bulk["subject"], bulk.get("path")), (&json!("3 orders"), None));
    let detail = format!(
        "A run of commands asked to delete 3 orders: {}, {missing}, {}. Any that it could not delete are unchanged.",
        ids[0], ids[1]
    );
    assert_eq!(bulk["detail"], detail);

    // A text of which only the last line can delete has the entry of that order.
    let single = orders::create(&workspace, &["CA"], Some(1)).await.unwrap().order.id;
    let text = format!("delete_order order_id={missing}\ndelete_order order_id={single}\n");
    admin.post("/api/automation/execute").body("text/plain", text).send().await.expect(404);
    let words = format!("Order {single} deleted; its 1 lead returned to stock.");
    assert_eq!(details(&admin, "deletion").await.iter().filter(|detail| **detail == words).count(), 1);

    let one = json!({ "command": "delete_order", "params": { "order_id": ids[2] } });
    admin.post("/api/automation/execute").json(&one).send().await.expect(200);
    let once =
        json!({ "command": "one_time_rule", "params": { "order_id": ids[3], "action": "delete_order" } });
    for _ in 0..2 {
        admin.post("/api/automation/execute").json(&once).send().await.expect(200);
    }
    assert_eq!(details(&admin, "deletion").await.len(), 4);

    let rule =
        json!({ "name": "Clean", "on": "order.created", "command": "delete_order order_id={orderId}" });
    admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    process_stream(&environment, &workspace).await;
    let before = entries(&admin, "kind=deletion").await.len();
    orders::create(&workspace, &["CA"], Some(1)).await.unwrap();
    process_stream(&environment, &workspace).await;
    let found = entries(&admin, "kind=deletion").await;
    assert_eq!(found.len(), before + 1);
    assert_eq!((&found[0]["by"], found[0].get("account")), (&json!("Rule Clean"), None));
    assert_eq!(entries(&admin, "kind=deletion&person=rule+clean").await.len(), found.len() - 4);
}
