//! A leaked token of an administrator gets no administrator of its own.

use holdfast::base::identity::{Role, SignedIn};
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_token_neither_makes_nor_takes_over_an_administrator,
            a_token_still_administers_other_people
    ]
}

const NEEDED: &str = "urn:holdfast:problem:session-needed";

fn address(person: &SignedIn) -> String {
    format!("/api/accounts/{}", person.id)
}

async fn version(workspace: &Workspace, person: &SignedIn) -> u64 {
    workspace.app.accounts().find(person.id).await.unwrap().version.get()
}

/// Everything with which an administrator is made or taken over.
async fn attempts(client: &Client, workspace: &Workspace, ann: &SignedIn, bob: &SignedIn) -> Vec<Response> {
    let created = |body: Value| client.post("/api/accounts").json(&body).send();
    let change = async |person: &SignedIn, body: Value| {
        let mut body = body;
        body["version"] = version(workspace, person).await.into();
        client.patch(&address(person)).json(&body).send().await
    };
    let link = format!("{}/link", address(bob));
    vec![
        created(json!({ "name": "Eve", "email": "eve@example.com", "role": "administrator" })).await,
        created(json!({ "name": "Robot", "role": "administrator", "kind": "service" })).await,
        change(ann, json!({ "role": "administrator" })).await,
        change(bob, json!({ "email": "eve2@example.com" })).await,
        client.post(&link).json(&json!({ "version": version(workspace, bob).await })).send().await,
        change(bob, json!({ "state": "disabled" })).await,
        change(bob, json!({ "state": "active" })).await,
    ]
}

async fn a_token_neither_makes_nor_takes_over_an_administrator(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let program = workspace.program(Role::Administrator).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let bob = workspace.account(Role::Administrator, "Bob Ray").await;
    let answers = attempts(&program, &workspace, &ann, &bob).await;
    for (number, answer) in answers.into_iter().enumerate() {
        // Disabling takes an administrator away, which stops a leaked token of that person.
        if number == 5 {
            answer.expect(200);
            continue;
        }
        let problem: Value = answer.expect(403).json();
        assert_eq!(problem["type"], NEEDED, "{number}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("signed-in browser"), "{problem}");
    }
    let accounts = workspace.app.accounts();
    assert_eq!(accounts.find(ann.id).await.unwrap().role, Role::Agent);
    assert_eq!(accounts.find(bob.id).await.unwrap().email, bob.email);
    // Pages refuse the token too, and a browser may do all of it.
    let form = [("kind", "person"), ("name", "Eve"), ("email", "eve@example.com"), ("role", "administrator")];
    program.post("/people").form(&form).send().await.expect(403);
    let two_factor = format!("/people/{}/two-factor/reset", bob.id);
    let expected = version(&workspace, &bob).await.to_string();
    program.post(&two_factor).form(&[("version", expected.as_str())]).send().await.expect(403);

    let admin = workspace.person(Role::Administrator, "Ada").await;
    let carl = workspace.account(Role::Administrator, "Carl Poe").await;
    for (number, answer) in attempts(&admin, &workspace, &ann, &carl).await.into_iter().enumerate() {
        assert!(answer.status.is_success(), "{number}: {}", answer.text());
    }
}

async fn a_token_still_administers_other_people(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let program = workspace.program(Role::Administrator).await;
    let person = json!({ "name": "Ann Lee", "email": "ann@example.com", "role": "agent" });
    let ann: Value = program.post("/api/accounts").json(&person).send().await.expect(201).json();
    let path = format!("/api/accounts/{}", ann["id"].as_str().unwrap());
    let change = json!({ "version": 1, "role": "viewer", "email": "lee@example.com" });
    program.patch(&path).json(&change).send().await.expect(200);
    program.post(&format!("{path}/link")).json(&json!({ "version": 2 })).send().await.expect(200);
    // An administrator's name and a lower role give no one anything.
    let bob = workspace.account(Role::Administrator, "Bob Ray").await;
    for change in [json!({ "version": 1, "name": "Robert" }), json!({ "version": 2, "role": "agent" })] {
        program.patch(&address(&bob)).json(&change).send().await.expect(200);
    }
}
