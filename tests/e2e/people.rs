//! The administration of people through the JSON API: invitations, changes, races, and former accounts.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join;
use holdfast::accounts::administer::AccountDraft;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{AccountKind, TokenDraft};
use holdfast::accounts::links::INVITATION_LASTS;
use holdfast::accounts::tokens::Made;
use holdfast::app::build_router;
use holdfast::base::clock::Clock;
use holdfast::base::identity::{AccountId, Role, SignedIn};
use holdfast::store::Key;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::connector::Wire;
use crate::support::http::{Client, Response};
use crate::support::workspace::{PATIENCE, Workspace};
use crate::support::{Case, Entry, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: people_are_listed_searched_filtered_and_paged,
            an_invited_person_joins_once_and_the_link_is_answered_once,
            a_change_of_a_person_names_the_version_that_it_is_based_on,
            bad_input_about_people_is_named,
            only_administrators_may_administer_people;
        app: a_renewed_withdrawn_or_expired_invitation_is_gone,
            a_reset_sets_a_new_password_and_ends_sessions,
            a_service_has_tokens_and_does_not_sign_in,
            ending_all_sessions_ends_tokens_only_if_wanted;
        store: an_invitation_that_two_people_use_at_once_makes_one_of_them_join,
            of_two_administrators_who_demote_each_other_one_stays,
            the_last_active_administrator_stays,
            a_disabled_person_is_refused_at_once,
            a_demoted_administrator_changes_no_account_any_more,
            accounts_of_version_01_are_listed_after_the_upgrade_and_changed_before_it
    ]
}

const PASSWORD: &str = "correct horse battery";

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

fn path(account: &Value) -> String {
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

/// The same application, some time later.
fn later(workspace: &Workspace, after: SignedDuration) -> Workspace {
    let mut app = workspace.app.clone();
    app.clock = Clock::from_fn(move || jiff::Timestamp::now() + after);
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
}

/// The number of active administrators that the table counts.
async fn administrators(workspace: &Workspace) -> u64 {
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

async fn an_invited_person_joins_once_and_the_link_is_answered_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let person = json!({ "name": "Ann", "email": "ann@example.com", "role": "agent" });
    let send = || admin.post("/api/accounts").header("idempotency-key", "k1").json(&person).send();
    let answer = send().await.expect(201);
    let ann: Value = answer.json();
    assert_eq!(answer.header("location"), path(&ann));
    assert_eq!((answer.header("etag"), text(&ann, "state")), ("\"1\"", "invited"));
    assert_eq!(text(&ann["link"], "purpose"), "invitation");
    let link = text(&ann, "linkPath").to_owned();
    // The secret is not stored, so a repetition does not contain it.
    let again: Value = send().await.expect(201).json();
    assert_eq!((&again["id"], &again["linkPath"]), (&ann["id"], &Value::Null));
    let taken = admin.post("/api/accounts").json(&person).send().await.expect(422);
    assert_eq!(taken.json::<Value>()["errors"][0]["field"], "email");

    let visitor = browser(&workspace);
    // A mail scanner opens the link, which changes nothing.
    visitor.get(&link).send().await.expect(200);
    join_by(&visitor, &link).await.expect(303);
    let me: Value = visitor.get("/api/me").send().await.expect(200).json();
    assert_eq!((text(&me, "name"), text(&me, "role")), ("Ann Lee", "agent"));
    join_by(&browser(&workspace), &link).await.expect(410);
    let joined = account(&admin, text(&ann, "id")).await;
    assert_eq!((text(&joined, "state"), &joined["link"]), ("active", &Value::Null));
    assert!(joined["lastSignInAt"].is_string() && joined["hasPassword"] == true, "{joined}");
    let changes: Value = admin.get(&format!("{}/history", path(&ann))).send().await.expect(200).json();
    assert_eq!(text(&changes["items"][1], "detail"), "Invited as agent.");
    assert_eq!(text(&changes["items"][0], "by"), "Ann Lee");
}

async fn a_renewed_withdrawn_or_expired_invitation_is_gone(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let link = format!("{}/link", path(&ann));
    let renewed: Value = admin.post(&link).json(&json!({ "version": 1 })).send().await.expect(200).json();
    join_by(&browser(&workspace), text(&ann, "linkPath")).await.expect(410);
    let second = text(&renewed, "linkPath");
    browser(&workspace).get(second).send().await.expect(200);
    // A change of the role does not replace the link.
    change(&admin, text(&ann, "id"), json!({ "version": 2, "role": "viewer" })).await.expect(200);
    browser(&workspace).get(second).send().await.expect(200);
    let almost = later(&workspace, INVITATION_LASTS - SignedDuration::from_mins(5));
    browser(&almost).get(second).send().await.expect(200);
    let after = later(&workspace, INVITATION_LASTS + SignedDuration::from_secs(2));
    join_by(&browser(&after), second).await.expect(410);
    admin.delete(&format!("{link}?version=2")).send().await.expect(409);
    let withdrawn: Value = admin.delete(&format!("{link}?version=3")).send().await.expect(200).json();
    assert_eq!((&withdrawn["link"], text(&withdrawn, "state")), (&Value::Null, "invited"));
    join_by(&browser(&workspace), second).await.expect(410);
    // A disabled account gets no link.
    change(&admin, text(&ann, "id"), json!({ "version": 4, "state": "disabled" })).await.expect(200);
    admin.post(&link).json(&json!({ "version": 5 })).send().await.expect(422);
}

async fn an_invitation_that_two_people_use_at_once_makes_one_of_them_join(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let (one, other) = (browser(&workspace), browser(&workspace));
    let link = text(&ann, "linkPath");
    let (first, second) = join(join_by(&one, link), join_by(&other, link)).await;
    let joined = [&first, &second].into_iter().filter(|answer| answer.status == 303).count();
    assert_eq!(joined, 1, "{} and {}", first.status, second.status);
    for (client, answer) in [(&one, &first), (&other, &second)] {
        let expected = if answer.status == 303 { 200 } else { 401 };
        client.get("/api/me").send().await.expect(expected);
    }
}

async fn a_reset_sets_a_new_password_and_ends_sessions(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let visitor = browser(&workspace);
    join_by(&visitor, text(&ann, "linkPath")).await.expect(303);
    let link = format!("{}/link", path(&ann));
    let reset: Value = admin.post(&link).json(&json!({ "version": 2 })).send().await.expect(200).json();
    assert_eq!(text(&reset["link"], "purpose"), "reset");
    visitor.get("/api/me").send().await.expect(200);
    let other = browser(&workspace);
    other
        .post(text(&reset, "linkPath"))
        .form(&[("password", "another horse battery")])
        .send()
        .await
        .expect(303);
    visitor.get("/api/me").send().await.expect(401);
    other.get("/api/me").send().await.expect(200);
    let old = [("email", "ann@example.com"), ("password", PASSWORD)];
    browser(&workspace).post("/sign-in").form(&old).send().await.expect(422);
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

async fn ending_all_sessions_ends_tokens_only_if_wanted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let visitor = browser(&workspace);
    join_by(&visitor, text(&ann, "linkPath")).await.expect(303);
    let token: Value =
        visitor.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let program = workspace.bearer(text(&token, "secret"));
    let end = format!("{}/sessions/end", path(&ann));
    admin.post(&end).json(&json!({ "version": 2 })).send().await.expect(200);
    visitor.get("/api/me").send().await.expect(401);
    program.get("/api/me").send().await.expect(200);
    admin.post(&end).json(&json!({ "version": 2, "revokeTokens": true })).send().await.expect(409);
    admin.post(&end).json(&json!({ "version": 3, "revokeTokens": true })).send().await.expect(200);
    program.get("/api/me").send().await.expect(401);
}

/// A new administrator with a program in their name.
pub async fn administrator(workspace: &Workspace, name: &str) -> (SignedIn, Client) {
    let account = workspace.account(Role::Administrator, name).await;
    let draft = TokenDraft { name: "test".parse().unwrap(), role: Role::Administrator, days: None };
    let made = workspace.app.accounts().create_token(account.id, draft, Operator::Command, None).await;
    let Made::Now(_, secret) = made.unwrap() else { panic!("no token was made before") };
    let client = workspace.bearer(secret.reveal());
    (account, client)
}

async fn of_two_administrators_who_demote_each_other_one_stays(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, by_ada) = administrator(&workspace, "Ada").await;
    let (bob, by_bob) = administrator(&workspace, "Bob").await;
    let demote = || json!({ "version": 1, "role": "agent" });
    let (first, second) = join(change(&by_ada, bob.id, demote()), change(&by_bob, ada.id, demote())).await;
    let statuses = [first.status.as_u16(), second.status.as_u16()];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 403 | 409 | 422)), "{statuses:?}");
    let accounts = workspace.app.accounts();
    let roles = [accounts.find(ada.id).await.unwrap().role, accounts.find(bob.id).await.unwrap().role];
    assert_eq!(roles.into_iter().filter(|role| *role == Role::Administrator).count(), 1);
    assert_eq!(administrators(&workspace).await, 1);
}

async fn the_last_active_administrator_stays(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, admin) = administrator(&workspace, "Ada").await;
    let (bob, by_bob) = administrator(&workspace, "Bob").await;
    // An invited administrator and a service do not count.
    for kind in [AccountKind::Person, AccountKind::Service] {
        let (name, email) = ("Cy".parse().unwrap(), Some("cy@example.com".parse().unwrap()));
        let email = email.filter(|_| kind == AccountKind::Person);
        let draft = AccountDraft { name, email, role: Role::Administrator, kind };
        workspace.app.accounts().invite(draft, Operator::Command, None).await.unwrap();
    }
    assert_eq!(administrators(&workspace).await, 2);
    change(&admin, bob.id, json!({ "version": 1, "state": "disabled" })).await.expect(200);
    by_bob.get("/api/accounts").send().await.expect(403);
    for refused in [
        change(&admin, ada.id, json!({ "version": 1, "state": "disabled" })).await,
        change(&admin, ada.id, json!({ "version": 1, "role": "agent" })).await,
        admin.delete(&format!("/api/accounts/{}?version=1&leads=clear", ada.id)).send().await,
    ] {
        assert!(refused.expect(422).text().contains("urn:holdfast:problem:last-administrator"));
    }
    let still = account(&admin, ada.id).await;
    assert_eq!((text(&still, "state"), text(&still, "role")), ("active", "administrator"));
    // A disabled administrator is deleted without changing the number.
    admin.delete(&format!("/api/accounts/{}?version=2&leads=clear", bob.id)).send().await.expect(204);
    assert_eq!(administrators(&workspace).await, 1);
}

async fn a_disabled_person_is_refused_at_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = invite(&admin, "Ann", "ann@example.com", "agent").await;
    let visitor = browser(&workspace);
    join_by(&visitor, text(&ann, "linkPath")).await.expect(303);
    let token: Value =
        visitor.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let program = workspace.bearer(text(&token, "secret"));
    for client in [&visitor, &program] {
        client.get("/api/leads").send().await.expect(200);
    }
    let id = text(&ann, "id");
    change(&admin, id, json!({ "version": 2, "state": "disabled" })).await.expect(200);
    for client in [&visitor, &program] {
        let refused = client.get("/api/leads").send().await.expect(403);
        assert!(refused.text().contains("Your account is disabled"), "{}", refused.text());
    }
    let form = [("email", "ann@example.com"), ("password", PASSWORD)];
    browser(&workspace).post("/sign-in").form(&form).send().await.expect(422);
    // Enabling brings back neither sessions nor tokens.
    change(&admin, id, json!({ "version": 3, "state": "active" })).await.expect(200);
    visitor.get("/api/leads").send().await.expect(401);
    program.get("/api/leads").send().await.expect(401);
    browser(&workspace).post("/sign-in").form(&form).send().await.expect(303);
}

async fn a_demoted_administrator_changes_no_account_any_more(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (_, by_ada) = administrator(&workspace, "Ada").await;
    let (bob, _) = administrator(&workspace, "Bob").await;
    let ann = invite(&by_ada, "Ann", "ann@example.com", "agent").await;
    // Another process has checked Bob's token just now, and does not hear that he is demoted here.
    let elsewhere = workspace.another(&environment, &environment.another_wire(), PATIENCE);
    let draft = TokenDraft { name: "test".parse().unwrap(), role: Role::Administrator, days: None };
    let made = workspace.app.accounts().create_token(bob.id, draft, Operator::Command, None).await;
    let Made::Now(_, secret) = made.unwrap() else { panic!("no token was made before") };
    let by_bob = elsewhere.bearer(secret.reveal());
    by_bob.get("/api/accounts").send().await.expect(200);
    change(&by_ada, bob.id, json!({ "version": 1, "role": "viewer" })).await.expect(200);
    let person = json!({ "name": "Eve", "email": "eve@example.com", "role": "agent" });
    let link = format!("{}/link", path(&ann));
    for refused in [
        by_bob.post("/api/accounts").json(&person).send().await,
        change(&by_bob, text(&ann, "id"), json!({ "version": 1, "role": "viewer" })).await,
        by_bob.post(&link).json(&json!({ "version": 1 })).send().await,
        by_bob.delete(&format!("{link}?version=1")).send().await,
        by_bob.post(&format!("{}/sessions/end", path(&ann))).json(&json!({ "version": 1 })).send().await,
        by_bob.delete(&format!("{}?version=1&leads=clear", path(&ann))).send().await,
    ] {
        assert!(refused.expect(403).text().contains("urn:holdfast:problem:forbidden"));
    }
    assert_eq!(account(&by_ada, text(&ann, "id")).await["version"], 1);
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
    let accounts = workspace.another(&environment, &Wire::new(), PATIENCE).app.accounts();
    let (first, second) = join(accounts.upgrade(), accounts.upgrade()).await;
    assert_eq!(first.unwrap() + second.unwrap(), 2, "each is added once");
    assert_eq!(names(&admin, "").await, ["Olive", "Percival", "Quentin", "Test administrator"]);
    assert_eq!(names(&admin, "q=olive").await, ["Olive"]);
    assert_eq!(administrators(&workspace).await, 3);
    assert_eq!(accounts.upgrade().await.unwrap(), 0);
    change(&admin, one, json!({ "version": 1, "state": "disabled" })).await.expect(200);
    assert_eq!(administrators(&workspace).await, 2);
}
