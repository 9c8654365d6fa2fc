//! Undo: bringing the values of an earlier version of a lead back.

use serde_json::{Value, json};

use crate::support::workspace::{Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_change_is_undone_with_a_version_of_its_own,
            an_undo_can_conflict_and_break_rules_like_any_change,
            only_an_administrator_undoes_a_conversion,
            an_undo_brings_custom_fields_and_the_email_back,
            an_undo_beside_a_change_has_one_winner;
        web: a_message_offers_to_undo_a_change
    ]
}

async fn a_change_is_undone_with_a_version_of_its_own(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    change(&agent, &lead, 1, json!({ "leadScore": 70, "phone": "212-555-0100" })).await.expect(200);
    change(&agent, &lead, 2, json!({ "name": "Ann Li", "state": null })).await.expect(200);
    let revert = format!("{}/revert", address(&lead));
    let undone: Value =
        agent.post(&revert).json(&json!({ "version": 3, "to": 2 })).send().await.expect(200).json();
    assert_eq!(
        (&undone["name"], &undone["state"], &undone["leadScore"]),
        (&json!("Ann Lee"), &json!("NY"), &json!(70))
    );
    let first: Value =
        agent.post(&revert).json(&json!({ "version": 4, "to": 1 })).send().await.expect(200).json();
    assert_eq!((&first["leadScore"], first.get("phone"), &first["version"]), (&json!(50), None, &json!(5)));
    let entry = history(&agent, &lead).await.pop().unwrap();
    assert_eq!((&entry["action"], &entry["reason"]), (&json!("REVERTED"), &json!("Back to version 1")));
    for to in [5, 6, 4] {
        let problem: Value = agent
            .post(&revert)
            .json(&json!({ "version": 5, "to": to }))
            .send()
            .await
            .expect(if to == 4 { 200 } else { 422 })
            .json();
        assert!(to == 4 || problem["errors"][0]["field"] == "to", "{problem}");
    }
    let problem: Value =
        agent.post(&revert).json(&json!({ "version": 6, "to": 4 })).send().await.expect(422).json();
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("already"), "{problem}");
}

async fn an_undo_can_conflict_and_break_rules_like_any_change(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    change(&agent, &lead, 1, json!({ "email": "new@example.com" })).await.expect(200);
    create(&agent, &new_lead("Other", "ann@example.com")).await;
    let revert = format!("{}/revert", address(&lead));
    let taken: Value =
        agent.post(&revert).json(&json!({ "version": 2, "to": 1 })).send().await.expect(422).json();
    assert_eq!(taken["rule"], "email-is-unique");
    change(&agent, &lead, 2, json!({ "leadScore": 9 })).await.expect(200);
    let conflict: Value =
        agent.post(&revert).json(&json!({ "version": 2, "to": 1 })).send().await.expect(409).json();
    assert_eq!(conflict["changes"].as_array().unwrap().len(), 1);
    // In an order, a lead keeps its state.
    change(&agent, &lead, 3, json!({ "state": "TX" })).await.expect(200);
    agent
        .post("/api/orders")
        .json(&json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["TX"], "quantityPerState": 1 }))
        .send()
        .await
        .expect(201);
    let kept: Value =
        agent.post(&revert).json(&json!({ "version": 5, "to": 3 })).send().await.expect(422).json();
    assert_eq!(kept["rule"], "assigned-keeps-state");
}

async fn only_an_administrator_undoes_a_conversion(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, administrator) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    change(&agent, &lead, 1, json!({ "leadScore": 90, "status": "CONVERTED" })).await.expect(200);
    let revert = format!("{}/revert", address(&lead));
    let body = json!({ "version": 2, "to": 1 });
    let refused: Value = agent.post(&revert).json(&body).send().await.expect(422).json();
    assert_eq!(refused["rule"], "converted-is-reopened");
    let undone: Value = administrator.post(&revert).json(&body).send().await.expect(200).json();
    assert_eq!((&undone["status"], &undone["leadScore"]), (&json!("PROSPECT"), &json!(50)));
}

async fn an_undo_brings_custom_fields_and_the_email_back(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut new = new_lead("Ann Lee", "ann@example.com");
    new["fields"] = json!({ "Industry": "Roofing", "Size": "10" });
    let lead = create(&agent, &new).await;
    let edit = json!({ "email": "lee@example.com", "fields": { "Industry": null, "City": "Reno" } });
    change(&agent, &lead, 1, edit).await.expect(200);
    agent
        .post(&format!("{}/revert", address(&lead)))
        .json(&json!({ "version": 2, "to": 1 }))
        .send()
        .await
        .expect(200);
    let now = read(&agent, &lead).await;
    assert_eq!(now["email"], "ann@example.com");
    assert_eq!(now["fields"], json!({ "Size": "10", "Industry": "Roofing" }));
    create(&agent, &new_lead("Lee", "lee@example.com")).await;
}

async fn an_undo_beside_a_change_has_one_winner(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for number in 0..12 {
        let lead = create(&agent, &new_lead("Ann Lee", &format!("ann{number}@example.com"))).await;
        change(&agent, &lead, 1, json!({ "name": "Ann Li" })).await.expect(200);
        let path = format!("{}/revert", address(&lead));
        let undo = agent.post(&path).json(&json!({ "version": 2, "to": 1 })).send();
        let edit = change(&agent, &lead, 2, json!({ "leadScore": 9 }));
        let (undone, changed) = match number % 2 {
            0 => tokio::join!(undo, edit),
            _ => {
                let (changed, undone) = tokio::join!(edit, undo);
                (undone, changed)
            }
        };
        let now = read(&agent, &lead).await;
        assert_eq!(now["version"], 3);
        match (undone.status.as_u16(), changed.status.as_u16()) {
            (200, 409) => assert_eq!((&now["name"], &now["leadScore"]), (&json!("Ann Lee"), &json!(50))),
            (409, 200) => assert_eq!((&now["name"], &now["leadScore"]), (&json!("Ann Li"), &json!(9))),
            both => panic!("{both:?}"),
        }
        assert_eq!(history(&agent, &lead).await.len(), 3);
    }
}

async fn a_message_offers_to_undo_a_change(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let lead = create(&workspace.agent().await, &new_lead("Lee", "lee@example.com")).await;
    let path = format!("/leads/{}", lead["id"].as_str().unwrap());
    let saved = ann
        .post(&path)
        .header("hx-request", "true")
        .form(&[("version", "1"), ("base.name", "Lee"), ("name", "Leigh")])
        .send()
        .await
        .expect(200);
    let toast: Value = serde_json::from_str(saved.header("hx-trigger")).unwrap();
    let undo = &toast["toast"]["undo"];
    assert_eq!(undo["action"], format!("{path}/revert"), "{toast}");
    assert_eq!(undo["fields"], json!([["version", "2"], ["to", "1"]]));
    let undone = ann
        .post(&format!("{path}/revert"))
        .header("hx-request", "true")
        .form(&[("version", "2"), ("to", "1")])
        .send()
        .await
        .expect(200);
    assert!(undone.text().contains(">Lee<"), "{}", undone.text());
    let late = ann.post(&format!("{path}/revert")).form(&[("version", "2"), ("to", "1")]).send().await;
    assert_eq!(late.status.as_u16(), 303, "the same form again is answered as before");
}
