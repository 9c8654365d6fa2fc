//! Rules: each rule answers an event once, even when the stream repeats it, and every run leaves a record.

mod triggers;

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use holdfast::orders::list::{self, OrderFilter};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::orders::{create as create_order, stock};
use super::stats::process_stream;
use crate::support::clock::TestClock;
use crate::support::html::hidden;
use crate::support::http::Client;
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        api: rules_are_created_once_and_changed_by_version;
        web: an_invalid_rule_is_refused_and_its_field_is_named,
            only_administrators_change_rules_and_participants_see_none,
            a_form_of_a_rule_that_is_sent_twice_takes_effect_once,
            the_loser_of_a_race_for_a_rule_keeps_the_typed_values;
        app: conditions_decide_which_events_a_rule_answers,
            caps_and_low_stock_trigger_rules;
        embedded: rules_are_created_changed_and_run_again_on_their_page
    ];
    cases.extend(triggers::all());
    cases
}

const RULES: &str = "/api/automation/rules";

async fn administrator(workspace: &Workspace) -> Client {
    workspace.program(Role::Administrator).await
}

/// Creates a rule.
async fn rule(client: &Client, body: Value) -> Value {
    client.post(RULES).json(&body).send().await.expect(201).json()
}

/// A rule that creates an order for each new lead.
fn order_for_lead(on: &str) -> Value {
    json!({
        "name": "Welcome", "on": on,
        "command": "create_order customer_name=\"For {name}\" customer_email={email} requested_states={state} quantity_per_state=1",
    })
}

async fn runs(client: &Client, query: &str) -> Vec<Value> {
    let list: Value = client.get(&format!("/api/automation/runs?{query}")).send().await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

async fn orders(workspace: &Workspace) -> usize {
    let request = list::ListRequest { filter: OrderFilter::default(), limit: 100, cursor: None };
    workspace.app.orders().list(&request).await.unwrap().items.len()
}

async fn conditions_decide_which_events_a_rule_answers(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let mut body = order_for_lead("lead.created");
    body["conditions"] = json!({ "states": ["CA", "NY"], "scoreAtLeast": 60 });
    rule(&admin, body.clone()).await;
    body["enabled"] = json!(false);
    body["conditions"] = json!({});
    rule(&admin, body).await;
    for (number, state, score) in [(1, "NY", 60), (2, "NY", 59), (3, "TX", 99), (4, "CA", 61)] {
        let mut lead = new_lead("Lead", &format!("lead{number}@example.com"));
        lead["state"] = json!(state);
        lead["leadScore"] = json!(score);
        create(&admin, &lead).await;
    }
    process_stream(&environment, &workspace).await;
    let runs = runs(&admin, "").await;
    let states: Vec<_> = runs.iter().map(|run| run["event"]["fields"]["state"].as_str().unwrap()).collect();
    assert_eq!(states.len(), 2, "{runs:#?}");
    assert!(states.contains(&"NY") && states.contains(&"CA"));
}

async fn caps_and_low_stock_trigger_rules(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    for on in ["cap.reached", "stock.low", "order.deleted"] {
        let command = if on == "order.deleted" { "get_orders" } else { "get_leads state={state}" };
        rule(&admin, json!({ "name": on, "on": on, "command": command })).await;
    }
    stock(&workspace, "NY", 15).await;
    process_stream(&environment, &workspace).await;
    assert_eq!(runs(&admin, "").await.len(), 0, "a growing stock is not low");
    let first = create_order(&workspace, &["NY"], Some(5)).await.unwrap();
    process_stream(&environment, &workspace).await;
    assert_eq!(runs(&admin, "").await.len(), 0, "ten are left and five are in open orders");
    create_order(&workspace, &["NY"], Some(5)).await.unwrap();
    process_stream(&environment, &workspace).await;
    workspace.app.orders().delete(first.order.id, None, &super::orders::by(), None).await.unwrap();
    process_stream(&environment, &workspace).await;
    let mut seen: Vec<_> = runs(&admin, "state=DONE").await;
    seen.sort_by_key(|run| run["event"]["kind"].to_string());
    let found: Vec<_> = seen
        .iter()
        .map(|run| (run["event"]["kind"].clone(), run["event"]["fields"]["quantity"].clone()))
        .collect();
    assert_eq!(
        found,
        [
            (json!("cap.reached"), json!("10")),
            (json!("order.deleted"), json!("5")),
            (json!("stock.low"), json!("5"))
        ]
    );
}

async fn rules_are_created_once_and_changed_by_version(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let make = || admin.post(RULES).header("idempotency-key", "make").json(&order_for_lead("lead.created"));
    let made = make().send().await.expect(201);
    assert_eq!(made.header("etag"), "\"1\"");
    let rule: Value = made.json();
    let path = format!("{RULES}/{}", rule["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    assert_eq!(make().send().await.expect(201).text(), made.text());
    assert_eq!(admin.get(RULES).send().await.expect(200).json::<Value>()["items"], json!([rule]));

    admin.patch(&path).json(&json!({ "enabled": false })).send().await.expect(428);
    admin.patch(&path).json(&json!({ "version": 1 })).send().await.expect(400);
    let off = json!({ "version": 1, "enabled": false, "conditions": { "states": ["NY", "CA", "NY"] } });
    let changed = admin.patch(&path).json(&off).send().await.expect(200);
    let rule: Value = changed.json();
    assert_eq!((&rule["version"], &rule["enabled"]), (&json!(2), &json!(false)));
    assert_eq!(rule["conditions"]["states"], json!(["CA", "NY"]));
    let stale = admin.patch(&path).header("if-match", "\"1\"").json(&json!({ "name": "Other" }));
    assert_eq!(stale.send().await.expect(409).json::<Value>()["fresh"], rule);
    let renames = (0..8).map(|number| {
        let (admin, path) = (admin.clone(), path.clone());
        async move {
            let body = json!({ "version": 2, "name": format!("Name {number}") });
            admin.patch(&path).json(&body).send().await.status.as_u16()
        }
    });
    let mut answers = join_all(renames).await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409, 409, 409, 409]);
    admin.delete(&path).send().await.expect(428);
    admin.delete(&format!("{path}?version=2")).send().await.expect(409);
    admin.delete(&format!("{path}?version=3")).send().await.expect(204);
    admin.get(&path).send().await.expect(404);
    admin.delete(&format!("{path}?version=3")).send().await.expect(404);

    let makes = (0..103).map(|_| {
        let admin = admin.clone();
        async move { admin.post(RULES).json(&order_for_lead("lead.created")).send().await.status.as_u16() }
    });
    let answers = join_all(makes).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 100);
    assert_eq!(answers.iter().filter(|status| **status == 422).count(), 3);
    assert_eq!(
        admin.get(RULES).send().await.expect(200).json::<Value>()["items"].as_array().unwrap().len(),
        100
    );
}

async fn an_invalid_rule_is_refused_and_its_field_is_named(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    for (change, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "on": "lead.lost" }), "on"),
        (json!({ "on": "every 30s" }), "on"),
        (json!({ "on": "order.created" }), "command"),
        (json!({ "command": "sing" }), "command"),
        (
            json!({ "command": "create_order customer_name={name} customer_email={email} requested_states=XX" }),
            "command",
        ),
        (json!({ "command": "fulfill_order order_id={orderId}" }), "command"),
        (json!({ "command": "get_leads\nget_leads" }), "command"),
        (json!({ "conditions": { "states": ["XX"] } }), "conditions.states[0]"),
        (json!({ "conditions": { "scoreAtLeast": 101 } }), "conditions.scoreAtLeast"),
        (json!({ "conditions": { "quantityAtLeast": 5 } }), "quantityAtLeast"),
        (json!({ "repeat": "twice" }), "repeat"),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "color": "red" }), "color"),
    ] {
        let mut body = order_for_lead("lead.created");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let problem: Value = admin.post(RULES).json(&body).send().await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{change}: {problem}");
        assert!(problem["errors"][0]["message"].as_str().unwrap().len() > 10, "{problem}");
    }
    assert_eq!(admin.get(RULES).send().await.expect(200).json::<Value>()["items"], json!([]));
    for path in
        ["/api/automation/runs?state=LOST", "/api/automation/runs?rule=1", "/api/automation/runs?limit=0"]
    {
        admin.get(path).send().await.expect(422);
    }
    admin.get("/api/automation/runs?cursor=x").send().await.expect(400);
}

async fn only_administrators_change_rules_and_participants_see_none(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, participant) = (workspace.agent().await, workspace.program(Role::Participant).await);
    let made = rule(&administrator(&workspace).await, order_for_lead("lead.created")).await;
    let path = format!("{RULES}/{}", made["id"].as_str().unwrap());
    agent.get(&path).send().await.expect(200);
    agent.post(RULES).json(&order_for_lead("lead.created")).send().await.expect(403);
    agent.patch(&path).json(&json!({ "version": 1, "enabled": false })).send().await.expect(403);
    agent.delete(&format!("{path}?version=1")).send().await.expect(403);
    for path in [RULES, &path, "/api/automation/runs"] {
        participant.get(path).send().await.expect(403);
        workspace.visitor().get(path).send().await.expect(401);
    }
}

/// The form of a rule as a browser sends it, with some fields changed.
fn form<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let base = [
        ("name", "Serve California"),
        ("on", "lead.created"),
        ("interval", ""),
        ("states", ""),
        ("scoreAtLeast", ""),
        ("quantityAtLeast", ""),
        ("command", "create_order customer_name=Acme customer_email=buy@acme.example requested_states=CA"),
        ("repeat", "always"),
        ("enabled", "on"),
    ];
    let changed = |name| changes.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let fields = base.map(|(name, value)| (name, changed(name).unwrap_or(value)));
    let more = changes.iter().filter(|(name, _)| base.iter().all(|(other, _)| other != name));
    fields.into_iter().chain(more.copied()).collect()
}

async fn rules_are_created_changed_and_run_again_on_their_page(environment: TestEnvironment) {
    let test_clock = TestClock::at("2026-11-20T12:00:00Z".parse().unwrap());
    let workspace = Workspace::open(&environment).await.with_clock(test_clock.clock());
    let ann = workspace.person(Role::Administrator, "Ann").await;
    let agent = workspace.person(Role::Agent, "Bob").await;
    assert!(ann.get("/automation").send().await.expect(200).text().contains("href=\"/automation/rules\""));
    let key = hidden(ann.get("/automation/rules/new").send().await.expect(200).text(), "key");
    let wrong = ann
        .post("/automation/rules")
        .form(&form(&[("states", "XX"), ("key", &key)]))
        .send()
        .await
        .expect(422);
    assert!(wrong.text().contains("XX isn&#39;t a US state") && wrong.text().contains("Serve California"));
    for _ in 0..2 {
        let made = ann.post("/automation/rules").form(&form(&[("key", &key)])).send().await.expect(303);
        assert_eq!(made.header("location"), "/automation/rules");
    }
    let rules: Value = ann.get(RULES).send().await.expect(200).json();
    assert_eq!(rules["items"].as_array().unwrap().len(), 1, "a form that is sent twice makes one rule");

    create(&ann, &new_lead("Lead", "lead@example.com")).await;
    process_stream(&environment, &workspace).await;
    for wait in [60, 300] {
        test_clock.advance(SignedDuration::from_secs(wait));
        workspace.app.projections().sweep().await.unwrap();
    }
    let page = ann.get("/automation/rules").send().await.expect(200);
    for words in
        ["Needs attention", "No leads available in these states", "Run again", "3 attempts", "Turn off"]
    {
        assert!(page.text().contains(words), "{words}");
    }
    let seen = agent.get("/automation/rules").send().await.expect(200);
    assert!(seen.text().contains("Needs attention") && !seen.text().contains("Run again"));
    assert!(!seen.text().contains("Turn off") && !seen.text().contains("New rule"));
    let run = &runs(&ann, "state=PARKED").await[0];
    let path = format!("/automation/runs/{}/retry", run["id"].as_str().unwrap());
    let version = run["version"].to_string();
    agent.post(&path).form(&[("version", &version)]).send().await.expect(403);
    ann.post(&path).form(&[("version", &version)]).send().await.expect(303);
    let failed = ann.get("/automation/rules").send().await.expect(200);
    let alert = "role=\"alert\"><div class=\"toast error\"><p>The run failed again.";
    assert!(failed.text().contains(alert), "{}", failed.text());
    stock(&workspace, "CA", 1).await;
    let version = runs(&ann, "state=PARKED").await[0]["version"].to_string();
    for _ in 0..2 {
        ann.post(&path).form(&[("version", &version)]).send().await.expect(303);
        let done = ann.get("/automation/rules").send().await.expect(200);
        assert!(done.text().contains("The run is done."), "{}", done.text());
    }
    assert_eq!(orders(&workspace).await, 1, "a form that is sent twice runs once");
    let zoe = workspace.person(Role::Administrator, "Zoe").await;
    let late = zoe.post(&path).form(&[("version", &version)]).send().await.expect(409);
    assert!(late.text().contains("This run has changed"));
    assert!(!ann.get("/automation/rules").send().await.expect(200).text().contains("Needs attention"));
}

async fn the_loser_of_a_race_for_a_rule_keeps_the_typed_values(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Administrator, "Ann").await;
    ann.post("/automation/rules").form(&form(&[])).send().await.expect(303);
    let rules: Value = ann.get(RULES).send().await.expect(200).json();
    let path = format!("/automation/rules/{}", rules["items"][0]["id"].as_str().unwrap());
    let base: Vec<(String, String)> =
        form(&[]).into_iter().map(|(name, value)| (format!("base.{name}"), value.to_owned())).collect();
    let base: Vec<(&str, &str)> = base.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let save = async |version: &str, changes: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> =
            form(changes).into_iter().chain(base.clone()).chain([("version", version)]).collect();
        ann.post(&path).form(&all).send().await
    };
    save("1", &[("name", "Theirs"), ("states", "CA")]).await.expect(303);
    let lost = save("1", &[("name", "Mine"), ("scoreAtLeast", "70")]).await.expect(409);
    for words in ["This rule was changed", "Theirs", "value=\"Mine\"", "value=\"70\"", "value=\"CA\""] {
        assert!(lost.text().contains(words), "{words}: {}", lost.text());
    }
    assert_eq!(
        (hidden(lost.text(), "version"), hidden(lost.text(), "base.name")),
        ("2".to_owned(), "Theirs".to_owned())
    );
    let switch = ann.post(&format!("{path}/switch")).form(&[("version", "1"), ("enabled", "")]).send().await;
    assert!(switch.expect(409).text().contains("It wasn&#39;t changed."));
    let delete = ann.post(&format!("{path}/delete")).form(&[("version", "1")]).send().await;
    assert!(delete.expect(409).text().contains("It wasn&#39;t deleted."));
    ann.post(&format!("{path}/switch")).form(&[("version", "2"), ("enabled", "")]).send().await.expect(303);
    let wrong = save("3", &[("enabled", ""), ("command", "sing")]).await.expect(422);
    assert!(wrong.text().contains("There&#39;s no command sing"));
    ann.post(&format!("{path}/delete")).form(&[("version", "3")]).send().await.expect(303);
    ann.get(&path).send().await.expect(404);
}

async fn a_form_of_a_rule_that_is_sent_twice_takes_effect_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Administrator, "Ann").await;
    ann.post("/automation/rules").form(&form(&[])).send().await.expect(303);
    let rules = async || -> Value { ann.get(RULES).send().await.expect(200).json() };
    let path = format!("/automation/rules/{}", rules().await["items"][0]["id"].as_str().unwrap());
    let save = form(&[("name", "Named"), ("version", "1"), ("base.name", "Serve California")]);
    let switch = vec![("version", "2"), ("enabled", "")];
    for (action, fields, version) in [("", save, 2), ("/switch", switch, 3)] {
        for _ in 0..2 {
            let done = ann.post(&format!("{path}{action}")).form(&fields).send().await.expect(303);
            assert_eq!(done.header("location"), "/automation/rules");
        }
        let now = rules().await["items"][0].clone();
        assert_eq!((&now["name"], &now["version"]), (&json!("Named"), &json!(version)));
    }
    for _ in 0..2 {
        ann.post(&format!("{path}/delete")).form(&[("version", "3")]).send().await.expect(303);
    }
    assert_eq!(rules().await["items"], json!([]));
}
