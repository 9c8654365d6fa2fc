//! The administration of people through the JSON API: lists, changes, services, and former accounts.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::TokenDraft;
use holdfast::base::identity::{AccountId, Role, SignedIn};
use holdfast::store::Key;
use serde_json::{Value, json};

use crate::support::connector::Wire;
use crate::support::http::{Client, Response};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: people_are_listed_searched_filtered_and_paged,
            a_change_of_a_person_names_the_version_that_it_is_based_on,
            bad_input_about_people_is_named,
            only_administrators_may_administer_people;
        app: a_service_has_tokens_and_does_not_sign_in;
        store: accounts_of_version_01_are_listed_after_the_upgrade_and_changed_before_it
    ]
}

/// The password of a person who [joined](join_by).
pub const PASSWORD: &str = "correct horse battery";

/// A signed-out browser that sends forms from Holdfast's own pages.
pub fn browser(workspace: &Workspace) -> Client {
    workspace.visitor().always("sec-fetch-site", "same-origin")
}

/// Invites a person and returns the answer with the path of the link.
pub async fn invite(admin: &Client, name: &str, email: &str, role: &str) -> Value {
    let person = json!({ "name": name, "email": email, "role": role });
    admin.post("/api/accounts").json(&person).send().await.expect(201).json()
}

/// Uses an invitation with a name and a password.
pub async fn join_by(visitor: &Client, link: &str) -> Response {
    visitor.post(link).form(&[("name", "Ann Lee"), ("password", PASSWORD)]).send().await
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{value} has no text {field}"))
}

pub fn path(account: &Value) -> String {
    format!("/api/accounts/{}", text(account, "id"))
}

pub async fn change(admin: &Client, id: impl std::fmt::Display, body: Value) -> Response {
    admin.patch(&format!("/api/accounts/{id}")).json(&body).send().await
}

pub async fn account(admin: &Client, id: impl std::fmt::Display) -> Value {
    admin.get(&format!("/api/accounts/{id}")).send().await.expect(200).json()
}

pub async fn names(client: &Client, query: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/accounts?{query}{cursor}");
        let page: Value = client.get(&path).send().await.expect(200).json();
        names.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "name").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

/// The number of active administrators that the table counts.
pub async fn administrators(workspace: &Workspace) -> u64 {
    let item = workspace.app.dynamo.get(&Key::new("ADMINISTRATORS", "COUNT")).await.unwrap();
    item.map_or(0, |item| item["number"].as_n().unwrap().parse().unwrap())
}

async fn people_are_listed_searched_filtered_and_paged(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    for (name, role) in [("zoe Park", "viewer"), ("Émile Roux", "agent"), ("Ann Lee", "agent")] {
        let email = format!("{}@example.com", name.split(' ').next_back().unwrap().to_lowercase());
        invite(&admin, name, &email, role).await;
    }
    let everyone = ["Ann Lee", "Émile Roux", "Test administrator", "zoe Park"];
    assert_eq!(names(&admin, "limit=1").await, everyone, "by name, regardless of case and accents");
    for (query, expected) in [
        ("q=lee", vec!["Ann Lee"]),
        ("q=emile", vec!["Émile Roux"]),
        ("q=roux%40example.com", vec!["Émile Roux"]),
        ("q=example&role=agent", vec!["Ann Lee", "Émile Roux"]),
        ("q=nothing", vec![]),
        ("role=agent&limit=1", vec!["Ann Lee", "Émile Roux"]),
        ("state=invited", vec!["Ann Lee", "Émile Roux", "zoe Park"]),
        ("state=active", vec!["Test administrator"]),
        ("role=viewer&state=invited", vec!["zoe Park"]),
        ("role=viewer&state=disabled", vec![]),
    ] {
        let mut found = names(&admin, query).await;
        if query.contains("q=") {
            // A search is sorted by the matching word.
            found.sort();
        }
        assert_eq!(found, expected, "{query}");
    }
    // A change moves a person to another place in the lists and in the search.
    let page: Value = admin.get("/api/accounts?q=zoe").send().await.expect(200).json();
    let zoe = &page["items"][0];
    change(&admin, text(zoe, "id"), json!({ "version": 1, "name": "Bea Park", "role": "agent" }))
        .await
        .expect(200);
    assert_eq!(names(&admin, "role=agent").await, ["Ann Lee", "Bea Park", "Émile Roux"]);
    assert_eq!(names(&admin, "q=zoe").await, [""; 0]);
    assert_eq!(names(&admin, "q=bea").await, ["Bea Park"]);
    for wrong in ["role=owner", "state=gone", "limit=0", "q=%00"] {
        admin.get(&format!("/api/accounts?{wrong}")).send().await.expect(422);
    }
    admin.get("/api/accounts?cursor=nonsense").send().await.expect(400);
}

async fn a_change_of_a_person_names_the_version_that_it_is_based_on(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "viewer").await;
    invite(&admin, "Bob", "bob@example.com", "agent").await;
    let id = text(&ann, "id");
    let new = json!({ "version": 1, "name": "Ann Lee", "role": "agent" });
    let request = || admin.patch(&path(&ann)).header("idempotency-key", "k1").json(&new).send();
    let changed: Value = request().await.expect(200).json();
    assert_eq!((text(&changed, "role"), changed["version"].as_u64()), ("agent", Some(2)));
    assert_eq!(request().await.expect(200).json::<Value>(), changed, "a repetition gets the same answer");
    let stale: Value = change(&admin, id, json!({ "version": 1, "role": "viewer" })).await.expect(409).json();
    assert_eq!((text(&stale["fresh"], "name"), text(&stale["fresh"], "role")), ("Ann Lee", "agent"));
    let by_header = admin.patch(&path(&ann)).header("if-match", "\"2\"").json(&json!({ "name": "Ann Li" }));
    by_header.send().await.expect(200);
    change(&admin, id, json!({ "name": "Ann" })).await.expect(428);
    let taken = change(&admin, id, json!({ "version": 3, "email": "BOB@example.com" })).await.expect(422);
    assert_eq!(taken.json::<Value>()["errors"][0]["field"], "email");
    change(&admin, id, json!({ "version": 3, "email": "ann.li@example.com" })).await.expect(200);
    // The former address is free again.
    invite(&admin, "Another Ann", "ann@example.com", "agent").await;
    let page: Value = admin.get(&format!("{}/history?limit=2", path(&ann))).send().await.expect(200).json();
    assert_eq!(
        text(&page["items"][0], "detail"),
        "Email changed from ann@example.com to ann.li@example.com."
    );
    let next = format!("{}/history?limit=2&cursor={}", path(&ann), text(&page, "next"));
    let rest: Value = admin.get(&next).send().await.expect(200).json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 2);
}

async fn bad_input_about_people_is_named(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let fields = async |body: Value| -> Vec<String> {
        let refused = admin.post("/api/accounts").json(&body).send().await.expect(422);
        let errors = refused.json::<Value>()["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| text(error, "field").to_owned()).collect()
    };
    assert_eq!(fields(json!({})).await, ["name", "role"]);
    assert_eq!(
        fields(json!({ "name": "", "email": "x", "role": "boss", "kind": "robot", "x": 1 })).await,
        ["name", "email", "role", "kind", "x"]
    );
    assert_eq!(fields(json!({ "name": "Ann", "role": "agent" })).await, ["email"]);
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    change(&admin, text(&ann, "id"), json!({ "version": 1 })).await.expect(400);
    change(&admin, text(&ann, "id"), json!({ "version": 1, "state": "invited" })).await.expect(422);
    let deletion = |query: &str| admin.delete(&format!("{}?{query}", path(&ann))).send();
    deletion("version=1").await.expect(422);
    deletion("version=1&leads=clear&leadsTo=x@example.com").await.expect(422);
    deletion("version=1&leads=keep").await.expect(422);
    deletion("version=1&leadsTo=none@example.com").await.expect(422);
    deletion(&format!("version=1&leadsTo={}", text(&ann, "id"))).await.expect(422);
    deletion("leads=clear").await.expect(428);
    deletion("version=7&leads=clear").await.expect(409);
    let missing = "/api/accounts/019f0000-0000-7000-8000-000000000000";
    for path in [missing.to_owned(), format!("{missing}/history"), format!("{missing}/tokens")] {
        admin.get(&path).send().await.expect(404);
    }
    admin.delete(&format!("{missing}?version=1&leads=clear")).send().await.expect(404);
}

async fn only_administrators_may_administer_people(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for role in [Role::Participant, Role::Viewer, Role::Agent] {
        let program = workspace.program(role).await;
        program.get("/api/accounts").send().await.expect(403);
        let person = json!({ "name": "Ann", "email": "ann@example.com", "role": "administrator" });
        program.post("/api/accounts").json(&person).send().await.expect(403);
        program.get("/people").send().await.expect(403);
    }
}

async fn a_service_has_tokens_and_does_not_sign_in(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.session(Role::Administrator, "Ada").await.always("sec-fetch-site", "same-origin");
    let body = json!({ "name": "Night import", "role": "agent", "kind": "service" });
    let service: Value = admin.post("/api/accounts").json(&body).send().await.expect(201).json();
    assert_eq!((text(&service, "state"), &service["linkPath"]), ("active", &Value::Null));
    let tokens = format!("{}/tokens", path(&service));
    let create = |body: Value| {
        let request = admin.post(&tokens).json(&body);
        async move { request.send().await }
    };
    create(json!({ "name": "t", "role": "administrator" })).await.expect(422);
    let token: Value = create(json!({ "name": "t", "expiresInDays": 30 })).await.expect(201).json();
    let program = workspace.bearer(text(&token, "secret"));
    let me: Value = program.get("/api/me").send().await.expect(200).json();
    assert_eq!((text(&me, "name"), text(&me, "role")), ("Night import", "agent"));
    // A program cannot create another token, and an administrator creates none in the name of a person.
    let other = workspace.program(Role::Administrator).await;
    let refused = other.post(&tokens).json(&json!({ "name": "t2" })).send().await.expect(403);
    assert!(refused.text().contains("session-needed"));
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let of_ann = format!("{}/tokens", path(&ann));
    admin.post(&of_ann).json(&json!({ "name": "t" })).send().await.expect(422);
    // It gets no link and no password.
    admin.post(&format!("{}/link", path(&service))).json(&json!({ "version": 1 })).send().await.expect(422);
    let listed: Value = admin.get(&tokens).send().await.expect(200).json();
    assert_eq!(listed["items"][0]["id"], token["id"]);
    let one = format!("{tokens}/{}", text(&token, "id"));
    admin.get(&one).send().await.expect(200);
    admin.delete(&one).send().await.expect(204);
    admin.delete(&one).send().await.expect(404);
    program.get("/api/me").send().await.expect(401);
}

/// A new administrator with a program in their name.
pub async fn administrator(workspace: &Workspace, name: &str) -> (SignedIn, Client) {
    let account = workspace.account(Role::Administrator, name).await;
    let draft = TokenDraft { name: "test".parse().unwrap(), role: Role::Administrator, days: None };
    let made = workspace.app.accounts().create_token(account.id, draft, Operator::Command, None).await;
    let (_, secret) = made.unwrap().now().unwrap();
    let client = workspace.bearer(secret.reveal());
    (account, client)
}

/// Puts an account as version 0.1 stored it.
async fn put_former(environment: &TestEnvironment, name: &str, role: &str) -> AccountId {
    let now = jiff::Timestamp::now();
    let number = u8::try_from(name.len()).unwrap();
    let id = AccountId::new(now, &[number; 10]);
    let email = format!("{}@example.com", name.to_lowercase());
    let text = |text: String| AttributeValue::S(text);
    let account = vec![
        ("pk", text(format!("ACCOUNT#{id}"))),
        ("sk", text("ACCOUNT".to_owned())),
        ("id", text(id.to_string())),
        ("name", text(name.to_owned())),
        ("email", text(email.clone())),
        ("role", text(role.to_owned())),
        ("epoch", AttributeValue::N("1".to_owned())),
        ("version", AttributeValue::N("1".to_owned())),
        ("createdAt", text(now.to_string())),
        ("updatedAt", text(now.to_string())),
    ];
    let login = vec![
        ("pk", text(format!("LOGIN#{email}"))),
        ("sk", text("LOGIN".to_owned())),
        ("accountId", text(id.to_string())),
    ];
    environment.insert_items(vec![account, login]).await;
    id
}

async fn accounts_of_version_01_are_listed_after_the_upgrade_and_changed_before_it(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let one = put_former(&environment, "Olive", "administrator").await;
    let two = put_former(&environment, "Percival", "agent").await;
    put_former(&environment, "Quentin", "administrator").await;
    assert_eq!(names(&admin, "").await, ["Test administrator"]);
    // A change before the upgrade adds the account to the lists.
    let changed = change(&admin, two, json!({ "version": 1, "role": "viewer" })).await.expect(200);
    assert_eq!(changed.json::<Value>()["version"], 2);
    assert_eq!(names(&admin, "role=viewer").await, ["Percival"]);
    // The upgrade reads the whole table, which no request may do.
    let accounts = workspace.another(&environment, &Wire::new(), TEST_RETRIES).app.accounts();
    let (first, second) = join(accounts.upgrade(), accounts.upgrade()).await;
    assert_eq!(first.unwrap() + second.unwrap(), 2, "each is added once");
    assert_eq!(names(&admin, "").await, ["Olive", "Percival", "Quentin", "Test administrator"]);
    assert_eq!(names(&admin, "q=olive").await, ["Olive"]);
    assert_eq!(administrators(&workspace).await, 3);
    assert_eq!(accounts.upgrade().await.unwrap(), 0);
    change(&admin, one, json!({ "version": 1, "state": "disabled" })).await.expect(200);
    assert_eq!(administrators(&workspace).await, 2);
}
