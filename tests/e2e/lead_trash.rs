//! The trash: deleting leads, restoring them, and what is left of them after thirty days.

use aws_sdk_dynamodb::operation::scan::ScanInput;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stats::{new_records, process_stream};
use crate::support::http::Client;
use crate::support::workspace::{
    SHORT_RETRIES, Workspace, address, all_items, change, create, history, new_lead, read,
};
use crate::support::{Case, Fault, TestEnvironment, cases, wait};
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::store::Item;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_deleted_lead_is_restored_with_all_its_data,
            a_lead_whose_email_was_taken_is_not_restored,
            a_lead_that_many_people_restore_is_restored_once,
            a_restore_beside_a_new_lead_with_its_email_has_one_winner,
            a_repeated_request_is_answered_as_before_after_its_lead_was_deleted,
            the_trash_lists_deleted_leads_page_by_page,
            a_restored_lead_is_in_its_lists_its_queue_and_the_statistics_again;
        store: nothing_is_left_of_a_lead_that_left_the_trash;
        app: a_lead_leaves_the_trash_after_thirty_days;
        web: the_page_of_a_deleted_lead_says_who_deleted_it_and_restores_it
    ]
}

async fn delete(client: &Client, lead: &Value, version: u64) {
    client.delete(&format!("{}?version={version}", address(lead))).send().await.expect(204);
}

async fn a_deleted_lead_is_restored_with_all_its_data(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut new = new_lead("Ann Lee", "ann@example.com");
    new["phone"] = json!("212-555-0100");
    new["fields"] = json!({ "Industry": "Roofing" });
    let lead = create(&agent, &new).await;
    delete(&agent, &lead, 1).await;
    let problem: Value = agent.get(&address(&lead)).send().await.expect(410).json();
    assert_eq!(problem["version"], 2, "{problem}");
    assert!(problem["deletedBy"].is_string() && problem["deletedAt"].is_string(), "{problem}");
    let restore = format!("{}/restore", address(&lead));
    assert_eq!(problem["restore"], restore);
    agent.post(&restore).json(&json!({ "version": 1 })).send().await.expect(410);
    let restored: Value = agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(200).json();
    assert_eq!((&restored["version"], &restored["phone"]), (&json!(3), &json!("212-555-0100")));
    let now = read(&agent, &lead).await;
    assert_eq!(now["fields"], json!({ "Industry": "Roofing" }));
    let actions: Vec<Value> =
        history(&agent, &lead).await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["CREATED", "DELETED", "RESTORED"]);
    agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(409);
    change(&agent, &lead, 3, json!({ "leadScore": 9 })).await.expect(200);
    let found: Value = agent.get("/api/leads?q=ann").send().await.expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

async fn a_lead_whose_email_was_taken_is_not_restored(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    delete(&agent, &lead, 1).await;
    let other = create(&agent, &new_lead("Ann again", "Ann@example.com")).await;
    let restore = format!("{}/restore", address(&lead));
    let problem: Value = agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(422).json();
    assert_eq!((&problem["rule"], &problem["lead"]), (&json!("email-is-unique"), &json!(address(&other))));
    let ann = workspace.person(Role::Agent, "Ann").await;
    let path = format!("/leads/{}/restore", lead["id"].as_str().unwrap());
    let page = ann.post(&path).form(&[("version", "2")]).send().await.expect(422);
    assert!(page.text().contains(&format!("/leads/{}", other["id"].as_str().unwrap())), "{}", page.text());
    delete(&agent, &other, 1).await;
    agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(200);
}

async fn a_lead_that_many_people_restore_is_restored_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    delete(&agent, &lead, 1).await;
    let restore = format!("{}/restore", address(&lead));
    let attempts = (0..8).map(|_| agent.post(&restore).json(&json!({ "version": 2 })).send());
    let answers = futures_util::future::join_all(attempts).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(read(&agent, &lead).await["version"], 3);
}

async fn a_repeated_request_is_answered_as_before_after_its_lead_was_deleted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    let other = create(&agent, &new_lead("Lee", "lee@example.com")).await;
    delete(&agent, &lead, 1).await;
    let at = |rest: &str| format!("{}{rest}", address(&lead));
    let requests = [
        (at("/restore"), json!({ "version": 2 }), 200),
        (at(""), json!({ "version": 3, "leadScore": 7, "owner": bob.id }), 200),
        (at("/revert"), json!({ "version": 4, "to": 3 }), 200),
        (at("/merge"), json!({ "version": 5, "merged": other["id"], "mergedVersion": 1 }), 200),
        (at("/notes"), json!({ "text": "Called." }), 201),
    ];
    let send = |number: usize| {
        let (path, body, _) = &requests[number];
        agent.post(path).header("idempotency-key", &format!("k{number}")).json(body).send()
    };
    let mut first: Vec<Value> = Vec::new();
    for (number, (_, _, status)) in requests.iter().enumerate() {
        first.push(send(number).await.expect(*status).json());
    }
    delete(&agent, &lead, 6).await;
    super::dead_letters::drop_item(&environment, &format!("ACCOUNT#{}", bob.id), "ACCOUNT").await;
    for (number, (path, _, status)) in requests.iter().enumerate() {
        let again: Value = send(number).await.expect(*status).json();
        assert_eq!(again, first[number], "{path}");
    }
    // The same key with another body is another request.
    let reused =
        agent.post(&requests[0].0).header("idempotency-key", "k0").json(&json!({ "version": 7 })).send();
    let reused: Value = reused.await.expect(422).json();
    assert_eq!(reused["type"], "urn:holdfast:problem:idempotency-key-reused", "{reused}");
}

async fn the_trash_lists_deleted_leads_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let mut deleted = Vec::new();
    for number in 0..5 {
        let lead =
            create(&agent, &new_lead(&format!("Lead {number}"), &format!("lead{number}@example.com"))).await;
        delete(&agent, &lead, 1).await;
        deleted.push(lead["id"].clone());
    }
    create(&agent, &new_lead("Stays", "stays@example.com")).await;
    let listed = all_items(&agent, "/api/leads/trash?limit=2").await;
    let seen = listed.iter().map(|lead| lead["id"].clone()).collect();
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(ToString::to_string);
        ids
    };
    assert_eq!(sorted(seen), sorted(deleted));
    let page = workspace.person(Role::Agent, "Ann").await.get("/leads/trash").send().await.expect(200);
    assert!(page.text().contains("Lead 3") && !page.text().contains("Stays"));
    let listed: Value = agent.get("/api/leads").send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

async fn a_restored_lead_is_in_its_lists_its_queue_and_the_statistics_again(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    delete(&agent, &lead, 1).await;
    let order = json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"], "quantityPerState": 1 });
    agent.post("/api/orders").json(&order).send().await.expect(422);
    agent
        .post(&format!("{}/restore", address(&lead)))
        .json(&json!({ "version": 2 }))
        .send()
        .await
        .expect(200);
    agent.post("/api/orders").json(&order).send().await.expect(201);
    assert_eq!(read(&agent, &lead).await["stock"], "ASSIGNED");
    let listed: Value = agent.get("/api/leads?stock=ASSIGNED").send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

async fn a_lead_leaves_the_trash_after_thirty_days(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let lead = create(&workspace.agent().await, &new_lead("Ann Lee", "ann@example.com")).await;
    delete(&workspace.agent().await, &lead, 1).await;
    let now = workspace.app.clock.now();
    let after = |hours: i64| {
        let then = now + SignedDuration::from_hours(hours);
        workspace.clone().with_clock(Clock::from_fn(move || then))
    };
    let agent = after(30 * 24 - 1).agent().await;
    agent.get(&address(&lead)).send().await.expect(410);
    let agent = after(30 * 24 + 1).agent().await;
    agent.get(&address(&lead)).send().await.expect(404);
    agent
        .post(&format!("{}/restore", address(&lead)))
        .json(&json!({ "version": 2 }))
        .send()
        .await
        .expect(404);
    let page: Value = agent.get("/api/leads/trash").send().await.expect(200).json();
    assert_eq!(page["items"], json!([]), "hidden, although the store has not removed it");
}

/// The items of these leads, without those that the statistics keep for their counts.
async fn left(environment: &TestEnvironment, leads: &[&Value]) -> Vec<String> {
    let scan = ScanInput::builder().table_name(environment.table()).consistent_read(true);
    let items = environment.store().scan(scan).await;
    let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
    let is_of = |pk: &str| leads.iter().any(|lead| pk.ends_with(lead["id"].as_str().unwrap()));
    let items = items.items().iter().map(|item| (text(item, "pk"), text(item, "sk")));
    let left = items.filter(|(pk, sk)| is_of(pk) && sk != "COUNTED").map(|(_, sk)| sk);
    left.collect()
}

async fn nothing_is_left_of_a_lead_that_left_the_trash(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let mut new = new_lead("Ann Lee", "ann@example.com");
    new["fields"] = json!({ "Industry": "Roofing" });
    let lead = create(&agent, &new).await;
    let (merged, other) = (
        create(&agent, &new_lead("Lee", "lee@example.com")).await,
        create(&agent, &new_lead("Bo", "bo@example.com")).await,
    );
    for lead in [&lead, &merged, &other] {
        let note = agent.post(&format!("{}/notes", address(lead))).json(&json!({ "text": "Called." }));
        note.send().await.expect(201);
    }
    for score in 1..60 {
        change(&agent, &lead, score, json!({ "leadScore": score })).await.expect(200);
    }
    let merge = json!({ "version": 60, "merged": merged["id"], "mergedVersion": 1 });
    agent.post(&format!("{}/merge", address(&lead))).json(&merge).send().await.expect(200);
    delete(&agent, &lead, 61).await;
    delete(&agent, &other, 1).await;
    let restore = format!("{}/restore", address(&other));
    agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(200);
    process_stream(&environment, &workspace).await;
    assert_eq!(left(&environment, &[&lead, &merged]).await.len(), 62 + 3 + 4, "it can still be restored");
    assert_eq!(history(&agent, &other).await.len(), 3, "a restored lead keeps everything");

    super::dead_letters::drop_item(&environment, &format!("LEAD#{}", lead["id"].as_str().unwrap()), "TRASH")
        .await;
    // The first delivery is interrupted after its first steps.
    environment.wire().reset();
    let removal = new_records(&environment, &workspace).await.pop().expect("the removal is in the stream");
    let hasty = workspace.another(&environment, environment.wire(), SHORT_RETRIES);
    let purge = async { hasty.app.leads().purge(&removal).await };
    let cut = async {
        let wire = environment.wire();
        wait::until("the first step is done", async || wire.count("TransactWriteItems") >= 1).await;
        wire.always("TransactWriteItems", Fault::Throttled);
    };
    let _ = tokio::join!(purge, cut);
    environment.wire().reset();
    process_stream(&environment, &workspace).await;
    assert_eq!(left(&environment, &[&lead, &merged]).await, [] as [&str; 0]);
    assert_eq!(history(&agent, &other).await.len(), 3);
    workspace.app.leads().purge(&removal).await.expect("a repetition does nothing");
    agent.get(&address(&merged)).send().await.expect(404);
}

async fn a_restore_beside_a_new_lead_with_its_email_has_one_winner(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for number in 0..12 {
        let new = new_lead("Ann Lee", &format!("ann{number}@example.com"));
        let lead = create(&agent, &new).await;
        delete(&agent, &lead, 1).await;
        let path = format!("{}/restore", address(&lead));
        let restore = agent.post(&path).json(&json!({ "version": 2 })).send();
        let create = agent.post("/api/leads").json(&new).send();
        let (restored, created) = match number % 2 {
            0 => tokio::join!(restore, create),
            _ => {
                let (created, restored) = tokio::join!(create, restore);
                (restored, created)
            }
        };
        match (restored.status.as_u16(), created.status.as_u16()) {
            (200, 422) => assert_eq!(read(&agent, &lead).await["version"], 3),
            (422, 201) => {
                let other: Value = created.json();
                let problem: Value = restored.json();
                assert_eq!(problem["lead"], address(&other));
                agent.get(&address(&lead)).send().await.expect(410);
            }
            both => panic!("{both:?}"),
        }
        let path = format!("/api/leads?q=ann{number}");
        let found: Value = agent.get(&path).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    }
}

async fn the_page_of_a_deleted_lead_says_who_deleted_it_and_restores_it(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann Agent").await;
    let lead = create(&workspace.agent().await, &new_lead("Lee", "lee@example.com")).await;
    let path = format!("/leads/{}", lead["id"].as_str().unwrap());
    ann.post(&format!("{path}/delete")).form(&[("version", "1")]).send().await.expect(303);
    let page = ann.get(&path).send().await.expect(410);
    for shown in ["Ann Agent deleted this lead", "Restore lead", "It stays in the trash until"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    ann.post(&format!("{path}/restore")).form(&[("version", "2")]).send().await.expect(303);
    assert!(ann.get(&path).send().await.expect(200).text().contains("Restored"));
}
