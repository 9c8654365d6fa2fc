//! Leads in the JSON API: creating, changing, refusing, and the history.

use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use serde_json::{Value, json};

use crate::support::workspace::{TEST_RETRIES, Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: a_lead_is_created_read_changed_and_deleted,
            a_lead_can_be_sent_back_as_it_was_read,
            etags_are_versions;
        api: a_stale_change_is_answered_with_the_current_lead_and_the_missed_changes,
            every_partial_change_of_every_stored_state_keeps_the_rules,
            a_stale_change_that_breaks_a_rule_is_a_conflict,
            an_email_belongs_to_one_lead_in_any_letter_case,
            a_post_with_an_idempotency_key_happens_once,
            a_repeated_post_gets_its_first_answer_although_the_lead_has_changed,
            an_assigned_lead_cannot_be_deleted;
        web: a_lead_with_score_79_cannot_be_converted_and_with_80_it_can,
            a_converted_lead_is_reopened_by_an_administrator_with_a_reason,
            the_history_has_the_old_and_new_value_of_each_field_and_outlives_the_lead
    ]
}

async fn a_lead_is_created_read_changed_and_deleted(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let answer =
        agent.post("/api/leads").json(&new_lead("Ann Lee", "Ann@Example.com")).send().await.expect(201);
    let lead: Value = answer.json();
    assert_eq!(answer.header("location"), address(&lead));
    assert_eq!(answer.header("etag"), "\"1\"");
    for (field, value) in [
        ("name", json!("Ann Lee")),
        ("email", json!("Ann@Example.com")),
        ("state", json!("NY")),
        ("leadScore", json!(50)),
        ("status", json!("PROSPECT")),
        ("stock", json!("UNASSIGNED")),
        ("version", json!(1)),
    ] {
        assert_eq!(lead[field], value, "{field}");
    }
    assert_eq!(read(&agent, &lead).await, lead);

    let changed: Value =
        change(&agent, &lead, 1, json!({ "leadScore": 85, "state": null })).await.expect(200).json();
    assert_eq!(
        (&changed["leadScore"], &changed["state"], &changed["version"]),
        (&json!(85), &Value::Null, &json!(2))
    );
    assert_eq!(read(&agent, &lead).await, changed, "the answer is the current lead");

    let gone = agent.delete(&address(&lead)).header("if-match", "\"2\"").send().await.expect(204);
    assert!(gone.body.is_empty());
    agent.get(&address(&lead)).send().await.expect(410);
    change(&agent, &lead, 2, json!({ "leadScore": 1 })).await.expect(410);
    create(&agent, &new_lead("Ann again", "ann@example.com")).await;
}

async fn a_stale_change_is_answered_with_the_current_lead_and_the_missed_changes(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let fresh: Value = change(&ann, &lead, 1, json!({ "leadScore": 70 })).await.expect(200).json();
    let answer = change(&bob, &lead, 1, json!({ "name": "Other" })).await.expect(409);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Value = answer.json();
    assert_eq!(problem["status"], 409);
    assert_eq!(problem["fresh"], fresh);
    assert_eq!(problem["changes"][0]["changes"], json!([{ "field": "leadScore", "old": 50, "new": 70 }]));
    assert_eq!(problem["changes"][0]["by"], fresh["updatedBy"]);
    assert_eq!(read(&ann, &lead).await, fresh, "nothing was written");
    let deleted = bob.delete(&format!("{}?version=1", address(&lead))).send().await.expect(409);
    assert_eq!(deleted.json::<Value>()["fresh"], fresh);
}

async fn a_lead_with_score_79_cannot_be_converted_and_with_80_it_can(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut body = new_lead("Lead", "lead@example.com");
    body["leadScore"] = 79.into();
    let lead = create(&agent, &body).await;
    let status = format!("{}/status", address(&lead));
    let convert = |version: u64| {
        agent.patch(&status).json(&json!({ "status": "CONVERTED", "version": version })).send()
    };
    let problem: Value = convert(1).await.expect(422).json();
    assert_eq!((&problem["rule"], &problem["field"]), (&json!("convert-needs-score"), &json!("status")));
    assert!(problem["detail"].as_str().unwrap().contains("80"), "{problem}");
    assert_eq!(read(&agent, &lead).await, lead, "nothing was written");
    assert_eq!(history(&agent, &lead).await.len(), 1);

    change(&agent, &lead, 1, json!({ "leadScore": 80 })).await.expect(200);
    let converted: Value = convert(2).await.expect(200).json();
    assert_eq!((&converted["status"], &converted["version"]), (&json!("CONVERTED"), &json!(3)));
}

/// The rules, implemented a second time and differently: whether a change of a stored lead is allowed.
fn allowed(stored: (&str, u64), change: (Option<&str>, Option<u64>)) -> bool {
    let (status, score) = (change.0.unwrap_or(stored.0), change.1.unwrap_or(stored.1));
    let leaves = stored.0 == "CONVERTED" && status != "CONVERTED";
    !leaves && (status != "CONVERTED" || score >= 80)
}

async fn every_partial_change_of_every_stored_state_keeps_the_rules(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let stored = [
        ("PROSPECT", 50),
        ("PROSPECT", 80),
        ("QUALIFIED", 79),
        ("QUALIFIED", 100),
        ("CONVERTED", 80),
        ("CONVERTED", 95),
    ];
    let statuses = [None, Some("PROSPECT"), Some("QUALIFIED"), Some("CONVERTED")];
    let scores = [None, Some(0), Some(79), Some(80), Some(100)];
    for (row, before) in stored.into_iter().enumerate() {
        for (column, status) in statuses.into_iter().enumerate() {
            for score in scores {
                let email = format!("lead{row}.{column}.{}@example.com", score.unwrap_or(101));
                let mut body = new_lead("Lead", &email);
                body["status"] = before.0.into();
                body["leadScore"] = before.1.into();
                let lead = create(&agent, &body).await;
                let mut fields = json!({ "name": "Changed" });
                if let Some(status) = status {
                    fields["status"] = status.into();
                }
                if let Some(score) = score {
                    fields["leadScore"] = score.into();
                }
                let answer = change(&agent, &lead, 1, fields.clone()).await;
                let expected = if allowed(before, (status, score)) { 200 } else { 422 };
                assert_eq!(answer.status.as_u16(), expected, "{before:?} changed by {fields}");
                let after = read(&agent, &lead).await;
                if expected == 422 {
                    assert_eq!(after, lead, "{before:?} refused {fields} and wrote");
                } else {
                    assert_eq!(after["leadScore"], json!(score.unwrap_or(before.1)));
                    assert_eq!(after["status"], json!(status.unwrap_or(before.0)));
                }
            }
        }
    }
}

async fn a_stale_change_that_breaks_a_rule_is_a_conflict(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    // One change that the transaction would refuse, and one that is refused before it.
    change(&agent, &lead, 1, json!({ "status": "CONVERTED" })).await.expect(409);
    change(&agent, &lead, 1, json!({ "status": "CONVERTED", "leadScore": 10 })).await.expect(409);
    change(&agent, &lead, 2, json!({ "status": "CONVERTED", "leadScore": 10 })).await.expect(422);
    // A stale change with a taken address is a conflict: the client must see the current lead first.
    create(&agent, &new_lead("Other", "other@example.com")).await;
    change(&agent, &lead, 1, json!({ "email": "other@example.com" })).await.expect(409);
    change(&agent, &lead, 2, json!({ "email": "OTHER@example.com" })).await.expect(422);
}

async fn a_converted_lead_is_reopened_by_an_administrator_with_a_reason(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, administrator) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let mut body = new_lead("Lead", "lead@example.com");
    body["leadScore"] = 90.into();
    let lead = create(&agent, &body).await;
    let reopen = format!("{}/reopen", address(&lead));
    let request = json!({ "version": 1, "reason": "The contract fell through." });
    let problem: Value = administrator.post(&reopen).json(&request).send().await.expect(422).json();
    assert_eq!(problem["rule"], "only-converted-reopens");
    change(&agent, &lead, 1, json!({ "status": "CONVERTED" })).await.expect(200);

    let problem: Value = change(&agent, &lead, 2, json!({ "status": "QUALIFIED" })).await.expect(422).json();
    assert_eq!(problem["rule"], "converted-is-reopened");
    let problem: Value = change(&agent, &lead, 2, json!({ "leadScore": 79 })).await.expect(422).json();
    assert_eq!((&problem["rule"], &problem["field"]), (&json!("converted-keeps-score"), &json!("leadScore")));
    let request = json!({ "version": 2, "reason": "The contract fell through." });
    agent.post(&reopen).json(&request).send().await.expect(403);
    administrator.post(&reopen).json(&json!({ "version": 2, "reason": " " })).send().await.expect(422);
    administrator.post(&reopen).json(&json!({ "version": 1, "reason": "x" })).send().await.expect(409);
    let open: Value = administrator.post(&reopen).json(&request).send().await.expect(200).json();
    assert_eq!((&open["status"], &open["version"]), (&json!("QUALIFIED"), &json!(3)));
    let entry = history(&agent, &lead).await.pop().unwrap();
    assert_eq!((&entry["action"], &entry["reason"]), (&json!("REOPENED"), &request["reason"]));
}

async fn an_email_belongs_to_one_lead_in_any_letter_case(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let first = create(&agent, &new_lead("First", "same@example.com")).await;
    let problem: Value = agent
        .post("/api/leads")
        .json(&new_lead("Second", "SAME@Example.COM"))
        .send()
        .await
        .expect(422)
        .json();
    assert_eq!((&problem["rule"], &problem["field"]), (&json!("email-is-unique"), &json!("email")));
    let second = create(&agent, &new_lead("Second", "second@example.com")).await;
    change(&agent, &second, 1, json!({ "email": "Same@example.com" })).await.expect(422);
    // An address is free again when its lead has changed it, and a lead may change the letter case of its own address.
    change(&agent, &first, 1, json!({ "email": "moved@example.com" })).await.expect(200);
    change(&agent, &second, 1, json!({ "email": "Same@example.com" })).await.expect(200);
    change(&agent, &second, 2, json!({ "email": "same@example.com" })).await.expect(200);
}

async fn a_post_with_an_idempotency_key_happens_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, other) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let body = new_lead("Once", "once@example.com");
    let first =
        agent.post("/api/leads").header("idempotency-key", "k-1").json(&body).send().await.expect(201);
    let second =
        agent.post("/api/leads").header("idempotency-key", "k-1").json(&body).send().await.expect(201);
    assert_eq!(first.json::<Value>(), second.json::<Value>());
    for header in ["location", "etag"] {
        assert_eq!(first.header(header), second.header(header));
    }
    let different = new_lead("Other", "other@example.com");
    let reused =
        agent.post("/api/leads").header("idempotency-key", "k-1").json(&different).send().await.expect(422);
    assert_eq!(reused.json::<Value>()["type"], "urn:holdfast:problem:idempotency-key-reused");
    // Another account may use the same key for another request.
    other.post("/api/leads").header("idempotency-key", "k-1").json(&different).send().await.expect(201);
    for bad in ["", " ", "a b", &"x".repeat(201)] {
        agent.post("/api/leads").header("idempotency-key", bad).json(&different).send().await.expect(400);
    }

    let racing = (0..8).map(|_| {
        let agent = agent.clone();
        async move {
            let body = new_lead("Race", "race@example.com");
            agent
                .post("/api/leads")
                .header("idempotency-key", "race")
                .json(&body)
                .send()
                .await
                .expect(201)
                .json::<Value>()
        }
    });
    let answers = futures_util::future::join_all(racing).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "all eight got the same lead");
}

async fn a_repeated_post_gets_its_first_answer_although_the_lead_has_changed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let send = async || {
        let body = json!({ "version": 1, "leadScore": 60 });
        agent
            .post(&address(&lead))
            .header("idempotency-key", "change")
            .json(&body)
            .send()
            .await
            .expect(200)
            .json::<Value>()
    };
    let first = send().await;
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);
    assert_eq!(send().await, first);
    // An instance that has not read the lead gives the same answer.
    let cold = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES).bearer(&token);
    let body = json!({ "version": 1, "leadScore": 60 });
    let again =
        cold.post(&address(&lead)).header("idempotency-key", "change").json(&body).send().await.expect(200);
    assert_eq!(again.json::<Value>(), first);
    assert_eq!(history(&agent, &lead).await.len(), 3);
}

async fn an_assigned_lead_cannot_be_deleted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    // Writes what an order would write.
    let key = format!("LEAD#{}", lead["id"].as_str().unwrap());
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder().table_name(environment.table());
    let update = update.key("pk", text(&key)).key("sk", text("LEAD"));
    let update = update
        .update_expression("SET stock = :stock")
        .expression_attribute_values(":stock", text("ASSIGNED"));
    environment.store().update_item(update).await;
    let problem: Value =
        agent.delete(&address(&lead)).header("if-match", "\"1\"").send().await.expect(422).json();
    assert_eq!((&problem["rule"], &problem["field"]), (&json!("assigned-stays"), &json!("stock")));
    assert_eq!(read(&agent, &lead).await["stock"], "ASSIGNED");
    agent.delete(&address(&lead)).header("if-match", "\"2\"").send().await.expect(409);
}

async fn the_history_has_the_old_and_new_value_of_each_field_and_outlives_the_lead(
    environment: TestEnvironment,
) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann", "ann@example.com")).await;
    change(&agent, &lead, 1, json!({ "name": "Ann Lee", "state": "CA", "leadScore": 50 })).await.expect(200);
    agent.delete(&address(&lead)).header("if-match", "\"2\"").send().await.expect(204);
    let entries = history(&agent, &lead).await;
    let actions: Vec<_> =
        entries.iter().map(|entry| (entry["version"].as_u64().unwrap(), &entry["action"])).collect();
    assert_eq!(actions, [(1, &json!("CREATED")), (2, &json!("UPDATED")), (3, &json!("DELETED"))]);
    assert_eq!(entries[0]["changes"].as_array().unwrap().len(), 6, "every field was new");
    assert_eq!(
        entries[1]["changes"],
        json!([{ "field": "name", "old": "Ann", "new": "Ann Lee" }, { "field": "state", "old": "NY", "new": "CA" }]),
        "a field that kept its value is not named"
    );
    agent.get(&format!("{}/history?limit=1&cursor=nonsense", address(&lead))).send().await.expect(400);
    agent.get("/api/leads/019f0000-0000-7000-8000-000000000000/history").send().await.expect(404);
}

async fn a_lead_can_be_sent_back_as_it_was_read(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    lead["name"] = "Renamed".into();
    let replaced: Value = agent.put(&address(&lead)).json(&lead).send().await.expect(200).json();
    assert_eq!((&replaced["name"], &replaced["version"]), (&json!("Renamed"), &json!(2)));
    let mut incomplete = replaced.clone();
    incomplete.as_object_mut().unwrap().remove("email");
    agent.put(&address(&lead)).json(&incomplete).send().await.expect(422);
    agent.patch(&address(&lead)).json(&json!({ "version": 2, "stock": "ASSIGNED" })).send().await.expect(422);
}

async fn etags_are_versions(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let path = address(&lead);
    agent.get(&path).header("if-none-match", "\"1\"").send().await.expect(304);
    agent.get(&path).header("if-none-match", "\"2\"").send().await.expect(200);
    let score = json!({ "leadScore": 60 });
    let changed = agent.patch(&path).header("if-match", "\"1\"").json(&score).send().await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    agent.patch(&path).header("if-match", "\"1\"").json(&score).send().await.expect(409);
    agent.patch(&path).json(&score).send().await.expect(428);
    agent.patch(&path).header("if-match", "*").json(&score).send().await.expect(400);
    let both = json!({ "leadScore": 60, "version": 1 });
    agent.patch(&path).header("if-match", "\"2\"").json(&both).send().await.expect(400);
    agent.delete(&path).send().await.expect(428);
}
