//! Commands in JSON and text: idempotent where promised, and without effect when any command is invalid.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use holdfast::commands::grammar;
use serde_json::{Value, json};

use crate::orders::{by, set_cap, stock};
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: help_lists_the_commands_in_json_and_text;
        api: a_repeated_command_has_no_second_effect_and_the_same_answer,
            a_one_time_rule_runs_once_ever_and_repeats_its_first_result,
            eight_concurrent_calls_of_a_one_time_rule_run_it_once_and_get_the_same_answer;
        web: json_commands_create_fulfill_delete_and_list,
            text_commands_run_line_by_line_with_a_result_each,
            a_repeated_text_has_no_second_effect_and_the_same_answer,
            a_failed_one_time_rule_can_be_retried,
            parameters_can_be_named_in_snake_case_or_camel_case,
            an_invalid_json_command_names_its_field_and_writes_nothing,
            an_invalid_line_of_text_is_named_and_no_line_is_run,
            only_agents_run_commands;
        embedded: lines_that_would_exceed_the_deadline_are_not_started
    ]
}

const PATH: &str = "/api/automation/execute";
const UNKNOWN_ID: &str = "019f0000-0000-7000-8000-000000000000";

async fn send(client: &Client, command: &str, params: Value) -> Response {
    client.post(PATH).json(&json!({ "command": command, "params": params })).send().await
}

/// The result of a successful command.
async fn done(client: &Client, command: &str, params: Value) -> Value {
    let answer: Value = send(client, command, params).await.expect(200).json();
    assert_eq!(answer["command"], command);
    answer["result"].clone()
}

async fn text(client: &Client, commands: &str) -> Response {
    let answer = client.post(PATH).body("text/plain; charset=utf-8", commands.to_owned()).send().await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{}", answer.text());
    answer
}

fn acme(states: Value) -> Value {
    json!({ "customer_name": "Acme Roofing", "customer_email": "buy@acme.example", "requested_states": states })
}

fn order_id(order: &Value) -> String {
    order["id"].as_str().expect("an order has an id").to_owned()
}

fn writes(environment: &TestEnvironment) -> usize {
    environment.wire().count("TransactWriteItems")
}

/// The number of orders.
async fn orders(client: &Client) -> usize {
    done(client, "get_orders", json!({ "limit": 100 })).await["items"].as_array().unwrap().len()
}

async fn json_commands_create_fulfill_delete_and_list(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let of_ca = stock(&workspace, "CA", 3).await;
    let order = done(&agent, "create_order", acme(json!(["CA"]))).await;
    assert_eq!(order["status"], "OPEN");
    let taken: Vec<_> = order["leads"].as_array().unwrap().iter().map(|lead| lead["id"].clone()).collect();
    assert_eq!(taken, of_ca.iter().map(|lead| json!(lead.id)).collect::<Vec<_>>());

    let leads = async |params: Value| {
        let items = done(&agent, "get_leads", params).await["items"].clone();
        items.as_array().unwrap().len()
    };
    assert_eq!(leads(json!({ "status": "assigned", "state": "CA" })).await, 3);
    assert_eq!(leads(json!({ "status": "unassigned" })).await, 0);
    assert_eq!(leads(json!({ "status": "prospect", "limit": 2 })).await, 2);
    assert_eq!(leads(json!({})).await, 3);

    let id = order_id(&order);
    let deleted = done(&agent, "delete_order", json!({ "order_id": id })).await;
    assert_eq!((&deleted["id"], &deleted["leadCount"]), (&json!(id), &json!(3)));
    assert_eq!(leads(json!({ "status": "unassigned" })).await, 3);
    let order = done(&agent, "create_order", acme(json!("CA, NY"))).await;
    let fulfilled = done(&agent, "fulfill_order", json!({ "order_id": order_id(&order) })).await;
    assert_eq!(fulfilled["status"], "FULFILLED");
    assert_eq!(leads(json!({ "status": "fulfilled" })).await, 3);
    let listed = done(&agent, "get_orders", json!({ "status": "fulfilled" })).await;
    assert_eq!(listed["items"][0]["id"], order["id"]);
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["next"]), (1, &Value::Null));
    assert_eq!(done(&agent, "get_orders", json!({ "status": "OPEN" })).await["items"], json!([]));

    send(&agent, "fulfill_order", json!({ "order_id": UNKNOWN_ID })).await.expect(404);
    send(&agent, "delete_order", json!({ "order_id": order_id(&order) })).await.expect(422);
    let nothing: Value = send(&agent, "create_order", acme(json!("TX"))).await.expect(422).json();
    assert_eq!(nothing["given"][0]["state"], "TX");
}

async fn text_commands_run_line_by_line_with_a_result_each(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 3).await;
    let commands = format!(
        "# the morning's work\r\n\
         create_order customer_name=\"Al \\\"Ace\\\" Roofing\" customer_email=buy@acme.example requested_states=CA,NY\r\n\
         \r\n\
         fulfill_order order_id={UNKNOWN_ID} # there is none\r\n\
         get_orders status=open\r\n\
         get_leads status=assigned limit=2\r\n\
         create_order customer_name=Late customer_email=late@acme.example requested_states=TX"
    );
    let answer = text(&agent, &commands).await.expect(404);
    let lines: Vec<_> = answer.text().lines().collect();
    assert!(lines[0].starts_with("2 ok create_order order="), "{lines:#?}");
    assert!(lines[0].ends_with("status=OPEN leads=3 given=CA:3,NY:0"), "{lines:#?}");
    assert!(lines[1].starts_with("4 failed fulfill_order: Order not found. "), "{lines:#?}");
    assert_eq!(lines[2], "5 ok get_orders orders=1 more=no");
    // The table for people can also be split by tools such as awk.
    let cells: Vec<_> = lines[4].split_whitespace().collect();
    assert_eq!((cells[1], cells[2], cells[5]), ("OPEN", "3", "CA,NY"));
    assert!(lines[4].starts_with("  ") && lines[4].ends_with("Al \"Ace\" Roofing"), "{lines:#?}");
    assert!(lines[5].starts_with("6 ok get_leads leads=2 more=yes next="), "{}", lines[5]);
    assert!(lines[6].trim_start().starts_with("ID ") && lines[6].ends_with(" NAME"), "{lines:#?}");
    assert!(lines[8].contains(" ASSIGNED "), "{lines:#?}");
    assert!(lines[9].starts_with("7 failed create_order: No leads available in these states."), "{lines:#?}");
    assert_eq!(lines[11].split_whitespace().collect::<Vec<_>>(), ["TX", "-", "0", "10", "0", "0"]);
    assert_eq!(lines.len(), 12);
    text(&agent, "get_leads").await.expect(200);
}

async fn a_repeated_command_has_no_second_effect_and_the_same_answer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 6).await;
    let keyed = async |key: &str, command: &str, params: Value| {
        let body = json!({ "command": command, "params": params });
        agent.post(PATH).header("idempotency-key", key).json(&body).send().await
    };
    let mut new_order = acme(json!("CA"));
    new_order["quantity_per_state"] = 2.into();
    let first = keyed("create", "create_order", new_order.clone()).await.expect(200);
    let again = keyed("create", "create_order", new_order.clone()).await.expect(200);
    assert_eq!(again.text(), first.text());
    assert_eq!(orders(&agent).await, 1);
    new_order["quantity_per_state"] = 3.into();
    keyed("create", "create_order", new_order.clone()).await.expect(422);

    let order = json!({ "order_id": first.json::<Value>()["result"]["id"] });
    let open = keyed("list", "get_orders", json!({ "status": "open" })).await.expect(200);
    let fulfilled = keyed("fulfill", "fulfill_order", order.clone()).await.expect(200);
    let lead = fulfilled.json::<Value>()["result"]["leads"][0].clone();
    let change = json!({ "version": lead["version"], "leadScore": 77 });
    agent
        .patch(&format!("/api/leads/{}", lead["id"].as_str().unwrap()))
        .json(&change)
        .send()
        .await
        .expect(200);
    assert_eq!(keyed("fulfill", "fulfill_order", order.clone()).await.expect(200).text(), fulfilled.text());
    assert_eq!(
        keyed("list", "get_orders", json!({ "status": "open" })).await.expect(200).text(),
        open.text()
    );

    let gone = done(&agent, "create_order", acme(json!("CA"))).await;
    let gone = json!({ "order_id": gone["id"] });
    let deleted = keyed("delete", "delete_order", gone.clone()).await.expect(200);
    assert_eq!(keyed("delete", "delete_order", gone.clone()).await.expect(200).text(), deleted.text());
    keyed("other", "delete_order", gone.clone()).await.expect(404);
    // The key of another request has no effect, even if the command has its own idempotency record.
    let rule = json!({ "order_id": order["order_id"], "action": "fulfill" });
    keyed("delete", "one_time_rule", rule.clone()).await.expect(422);
    let ruled = keyed("rule", "one_time_rule", rule.clone()).await.expect(200);
    assert_eq!(keyed("rule", "one_time_rule", rule).await.expect(200).text(), ruled.text());
}

async fn a_repeated_text_has_no_second_effect_and_the_same_answer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 9).await;
    let create = "create_order customer_name=Acme customer_email=buy@acme.example requested_states=CA quantity_per_state=2\n";
    let keyed = async |key: &str, commands: &str| {
        agent.post(PATH).header("idempotency-key", key).body("text/plain", commands.to_owned()).send().await
    };
    let key = "k".repeat(200);
    let commands = create.repeat(2);
    let first = keyed(&key, &commands).await.expect(200);
    assert_eq!(keyed(&key, &commands).await.expect(200).text(), first.text());
    assert_eq!(orders(&agent).await, 2);
    // Another text with the same key runs no line, not even its last line, which has no record yet.
    let other = keyed(&key, &create.repeat(3)).await.expect(422);
    assert!(
        other.text().starts_with("This Idempotency-Key was used for another request. "),
        "{}",
        other.text()
    );
    assert_eq!(orders(&agent).await, 2);
    // A repeated text retries the failed line and skips the successful ones.
    let failing = format!("{create}fulfill_order order_id={UNKNOWN_ID}\n{create}");
    let first = keyed("failing", &failing).await.expect(404);
    assert_eq!(keyed("failing", &failing).await.expect(404).text(), first.text());
    assert_eq!(orders(&agent).await, 4);
    let bad = keyed("\u{e9}", create).await.expect(400);
    assert_eq!(bad.header("content-type"), "text/plain; charset=utf-8");
}

async fn a_one_time_rule_runs_once_ever_and_repeats_its_first_result(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    stock(&workspace, "CA", 4).await;
    for (action, same) in [("fulfill_order", "fulfill"), ("delete", "delete_order")] {
        set_cap(&workspace, "CA", 2).await;
        let order = done(&ann, "create_order", acme(json!("CA"))).await;
        let params = json!({ "orderId": order["id"], "action": action });
        let first = send(&ann, "one_time_rule", params).await.expect(200);
        let result = first.json::<Value>()["result"].clone();
        assert_eq!((&result["orderId"], &result["order"]["id"]), (&order["id"], &order["id"]));
        let before = writes(&environment);
        let params = json!({ "order_id": order["id"], "action": same });
        let again = send(&bob, "one_time_rule", params).await.expect(200);
        assert_eq!(again.text(), first.text(), "another caller gets the same answer");
        assert_eq!(writes(&environment), before, "nothing is written");
        let line = format!("one_time_rule orderId={} action={action}", order_id(&order));
        let answer = text(&bob, &line).await.expect(200);
        let name = result["action"].as_str().unwrap();
        assert!(
            answer.text().starts_with(&format!("1 ok one_time_rule action={name} order=")),
            "{}",
            answer.text()
        );
    }
    // Two orders of two leads each: one is fulfilled, and the leads of the other are free again.
    let free = done(&ann, "get_leads", json!({ "status": "unassigned" })).await;
    assert_eq!(free["items"].as_array().unwrap().len(), 2);
}

async fn eight_concurrent_calls_of_a_one_time_rule_run_it_once_and_get_the_same_answer(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "CA", 2).await;
    let mut callers = Vec::new();
    for _ in 0..8 {
        callers.push(workspace.agent().await);
    }
    for action in ["delete_order", "fulfill_order"] {
        let order = done(&callers[0], "create_order", acme(json!("CA"))).await;
        let gate = environment.wire().hold(8, "TransactWriteItems");
        let calls = callers.iter().cloned().map(|caller| {
            let params = json!({ "order_id": order["id"], "action": action });
            tokio::spawn(
                async move { send(&caller, "one_time_rule", params).await.expect(200).text().to_owned() },
            )
        });
        let calls: Vec<_> = calls.collect();
        gate.arrived(8).await;
        gate.open();
        let answer: BTreeSet<String> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answer.len(), 1, "{answer:#?}");
        let path = format!("/api/leads/{}/history", order["leads"][0]["id"].as_str().unwrap());
        let history: Value = callers[0].get(&path).send().await.expect(200).json();
        let what = if action == "delete_order" { "RETURNED" } else { "FULFILLED" };
        let actions = history["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == what);
        assert_eq!(actions.count(), 1, "{history:#}");
    }
}

async fn a_failed_one_time_rule_can_be_retried(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 1).await;
    let order = done(&agent, "create_order", acme(json!("CA"))).await;
    done(&agent, "fulfill_order", json!({ "order_id": order["id"] })).await;
    let before = writes(&environment);
    let rule = |action: &str| json!({ "order_id": order["id"], "action": action });
    let refused: Value = send(&agent, "one_time_rule", rule("delete")).await.expect(422).json();
    assert_eq!(refused["rule"], "fulfilled-stays");
    send(&agent, "one_time_rule", json!({ "order_id": UNKNOWN_ID, "action": "fulfill" })).await.expect(404);
    assert_eq!(writes(&environment), before, "a failure leaves no record");
    send(&agent, "one_time_rule", rule("delete")).await.expect(422);
    send(&agent, "one_time_rule", rule("fulfill")).await.expect(200);
}

async fn parameters_can_be_named_in_snake_case_or_camel_case(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 4).await;
    let camel = json!({ "customerName": "Acme", "customerEmail": "a@acme.example", "requestedStates": ["CA"], "quantityPerState": 2 });
    let order = done(&agent, "create_order", camel).await;
    assert_eq!(order["leadCount"], 2);
    done(&agent, "delete_order", json!({ "orderId": order["id"] })).await;
    let line =
        "create_order customerName=Acme customerEmail=a@acme.example requestedStates=ca quantityPerState=3";
    assert!(text(&agent, line).await.expect(200).text().contains(" leads=3 "));
}

async fn an_invalid_json_command_names_its_field_and_writes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 1).await;
    let before = writes(&environment);
    let order = |field: &str, value: Value| {
        let mut params = acme(json!("CA"));
        params[field] = value;
        json!({ "command": "create_order", "params": params })
    };
    let fifty_one: Vec<_> = holdfast::base::values::UsState::all().collect();
    for (body, field) in [
        (json!({ "command": "fulfil_order" }), "command"),
        (json!({ "params": {} }), "command"),
        (json!({ "command": "" }), "command"),
        (json!({ "command": "fulfill_order" }), "params.order_id"),
        (json!({ "command": "fulfill_order", "params": { "order_id": "7" } }), "params.order_id"),
        (json!({ "command": "fulfill_order", "params": { "orderId": 7 } }), "params.orderId"),
        (json!({ "command": "get_leads", "params": { "status": "sold" } }), "params.status"),
        (json!({ "command": "get_leads", "params": { "limit": 101 } }), "params.limit"),
        (json!({ "command": "get_orders", "params": { "state": "CA" } }), "params.state"),
        (json!({ "command": "one_time_rule", "params": { "order_id": UNKNOWN_ID } }), "params.action"),
        (json!({ "command": "help", "params": { "me": 1 } }), "params.me"),
        (json!({ "command": "get_leads", "params": [] }), "params"),
        (json!({ "command": 7 }), "command"),
        (json!({ "command": "get_leads", "surprise": 1 }), "surprise"),
        (order("customer_name", json!("")), "params.customer_name"),
        (order("customer_email", json!("acme")), "params.customer_email"),
        (order("requested_states", json!([])), "params.requested_states"),
        (order("requested_states", json!(["XX"])), "params.requested_states"),
        (order("requested_states", json!(fifty_one)), "params.requested_states"),
        (order("quantity_per_state", json!(0)), "params.quantity_per_state"),
        (order("quantity_per_state", json!(-1)), "params.quantity_per_state"),
        (order("quantity_per_state", json!(1e9)), "params.quantity_per_state"),
        (order("quantity", json!(1)), "params.quantity"),
    ] {
        let answer = agent.post(PATH).json(&body).send().await.expect(422);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Value = answer.json();
        let fields: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
        assert_eq!(fields, [field], "{body}: {problem}");
        assert!(problem["errors"][0]["message"].as_str().is_some_and(|words| words.len() > 10), "{problem}");
    }
    let twice = r#"{"command":"get_leads","params":{"state":"CA","state":"NY"}}"#;
    agent.post(PATH).body("application/json", twice).send().await.expect(422);
    for body in ["", "{", "[]", "null", "\"help\"", "{} {}"] {
        agent.post(PATH).body("application/json", body).send().await.expect(400);
    }
    agent.post(PATH).body("application/xml", "<help/>").send().await.expect(415);
    assert_eq!(writes(&environment), before, "something was written");
}

async fn an_invalid_line_of_text_is_named_and_no_line_is_run(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "CA", 3).await;
    let before = writes(&environment);
    let create = "create_order customer_name=Acme customer_email=buy@acme.example requested_states=CA";
    let wrong =
        format!("{create}\nfulfill_order order_id=7 # no id\n\nget_leads state=\"CA\ncreate_orders {create}");
    let answer = text(&agent, &wrong).await.expect(422);
    let lines: Vec<_> = answer.text().lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for (line, words) in lines.iter().zip([
        "line 2, column 15, order_id: The ID of an order is a UUID",
        "line 4, column 20: The quotation mark at the end of the value is missing.",
        "line 5, column 1: There's no command create_orders. The commands are create_order, ",
    ]) {
        assert!(line.starts_with(words), "{line}");
    }
    for (body, status) in [
        (b"".to_vec(), 422),
        (b"# nothing".to_vec(), 422),
        (b"get_leads state=\xff".to_vec(), 400),
        (format!("{create}\n").repeat(101).into_bytes(), 422),
        (format!("{create} #{}", "x".repeat(70_000)).into_bytes(), 413),
    ] {
        let answer = agent.post(PATH).body("text/plain", body).send().await.expect(status);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert!(!answer.text().is_empty());
    }
    assert_eq!(writes(&environment), before, "something was written");
}

async fn lines_that_would_exceed_the_deadline_are_not_started(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let lines = grammar::read("help get_leads\nget_leads\nget_orders").unwrap();
    let long_ago = Some(jiff::Timestamp::UNIX_EPOCH);
    let results = workspace.app.commands().run(&lines, &by(), None, long_ago).await;
    let statuses: Vec<_> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [200, 503, 503]);
    assert_eq!(environment.wire().count("Query"), 0, "nothing was asked");
}

async fn help_lists_the_commands_in_json_and_text(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let answer = text(&agent, "help\nhelp get_leads").await.expect(200);
    let (all, one) = answer.text().split_once("2 ok help\n").unwrap();
    assert!(all.starts_with("1 ok help\n"));
    let listed: Value = done(&agent, "help", json!({})).await;
    let commands = listed["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 8);
    for command in commands {
        assert!(all.contains(command["what"].as_str().unwrap()), "{command}");
        for parameter in command["parameters"].as_array().unwrap() {
            assert!(all.contains(parameter["what"].as_str().unwrap()), "{parameter}");
        }
    }
    assert!(one.contains("get_leads") && one.contains("withheld") && !one.contains("fulfill_order"), "{one}");
    let one = done(&agent, "help", json!({ "command": "get_leads" })).await;
    assert_eq!(one["commands"].as_array().unwrap().len(), 1);
}

async fn only_agents_run_commands(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let participant = workspace.program(Role::Participant).await;
    send(&participant, "get_leads", json!({})).await.expect(403);
    participant.post(PATH).body("text/plain", "get_leads").send().await.expect(403);
    participant.get("/automation").send().await.expect(403);
    participant.post("/automation").form(&[("commands", "get_leads")]).send().await.expect(403);
    workspace.visitor().post(PATH).body("text/plain", "get_leads").send().await.expect(401);
}
