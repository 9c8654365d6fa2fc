//! API tokens: their role, expiry, prefix and last use, and what remains of them when their account changes.

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::base::identity::{AccountId, Role};
use holdfast::base::values::Version;
use holdfast::store::{Condition, Key, Update, to_attribute};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::accounts::{me, signed_in, with_password};
use crate::support::clock::TestClock;
use crate::support::http::Client;
use crate::support::workspace::{TEST_RETRIES, Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_token_has_at_most_its_owners_role,
            an_invalid_expiry_or_role_is_refused_by_field;
        app: a_token_expires_on_its_day,
            a_token_shows_its_prefix_and_last_use,
            the_last_use_of_a_token_is_written_at_most_every_ten_minutes,
            a_demoted_account_keeps_its_tokens_in_its_new_role,
            tokens_of_a_disabled_person_are_revoked_for_good,
            tokens_of_a_person_whom_an_earlier_version_disabled_do_not_come_back,
            tokens_of_a_disabled_service_do_not_work_until_it_is_enabled;
        store: a_token_created_while_its_owner_is_demoted_has_at_most_the_new_role
    ]
}

const ANN: &str = "ann@holdfast.test";
const WRITE: &str = "TransactWriteItems";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const SOON: SignedDuration = SignedDuration::from_secs(10);

async fn make(client: &Client, body: Value) -> Value {
    client.post("/api/tokens").json(&body).send().await.expect(201).json()
}

fn bearer(workspace: &Workspace, made: &Value) -> Client {
    workspace.bearer(made["secret"].as_str().expect("a new token has a secret"))
}

async fn opened(environment: &TestEnvironment) -> (Workspace, TestClock, AccountId, Client) {
    let clock = TestClock::new();
    let workspace = Workspace::open(environment).await.with_clock(clock.clock());
    let id = with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    (workspace, clock, id, ann)
}

async fn edit(workspace: &Workspace, id: AccountId, changes: AccountChanges) {
    let accounts = workspace.app.accounts();
    let seen = accounts.find(id).await.unwrap().version;
    accounts.edit(id, seen, changes, Operator::Command, None).await.unwrap();
}

/// The roles that the form of a new token offers and explains.
pub fn explained(page: &str) -> Vec<&'static str> {
    let roles = Role::ALL.into_iter().rev().filter(|role| {
        let is_offered = page.contains(&format!("id=\"token-role-{role}\" name=\"role\""));
        let hint = format!("id=\"token-role-{role}-hint\">{}</p>", role.explanation());
        assert_eq!(page.contains(&hint), is_offered, "{role}");
        is_offered
    });
    roles.map(|role| role.as_str()).collect()
}

async fn a_token_has_at_most_its_owners_role(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    for (role, reads_leads, writes_leads) in
        [("agent", 200, 201), ("viewer", 200, 403), ("participant", 403, 403)]
    {
        let made = make(&ann, json!({ "name": role, "role": role })).await;
        assert_eq!(made["role"], role);
        let program = bearer(&workspace, &made);
        assert_eq!(me(&program).await.expect(200).json::<Value>()["role"], role);
        program.get("/api/leads").send().await.expect(reads_leads);
        let lead = new_lead("Lead", "lead@example.com");
        program.post("/api/leads").json(&lead).send().await.expect(writes_leads);
    }
    let refused = ann.post("/api/tokens").json(&json!({ "name": "more", "role": "administrator" }));
    let problem: Value = refused.send().await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "role", "{problem}");
    let form = [("name", "more"), ("role", "administrator"), ("days", "90")];
    let page = ann.post("/account/tokens").form(&form).send().await.expect(422);
    assert!(page.text().contains("Your role is agent. Choose that role or a lower one."), "{}", page.text());
    assert!(page.text().contains("value=\"more\""), "{}", page.text());
    // The page offers only these roles, explains them, and suggests the highest one and 90 days.
    let page = ann.get("/account").send().await.expect(200);
    assert_eq!(explained(page.text()), ["agent", "viewer", "participant"]);
    assert!(page.text().contains(
        "name=\"role\" value=\"agent\" required aria-describedby=\"token-role-agent-hint\" checked"
    ));
    assert!(
        page.text().contains(
            "id=\"token-days\" name=\"days\" inputmode=\"numeric\" autocomplete=\"off\" value=\"90\""
        )
    );
}

async fn an_invalid_expiry_or_role_is_refused_by_field(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    for (field, value) in [
        ("role", json!("owner")),
        ("role", json!(1)),
        ("expiresInDays", json!(0)),
        ("expiresInDays", json!(-1)),
        ("expiresInDays", json!(3651)),
        ("expiresInDays", json!(1.5)),
        ("expiresInDays", json!("90")),
        ("expiresInDays", json!(u64::MAX)),
    ] {
        let body = json!({ "name": "test", field: value });
        let problem: Value = ann.post("/api/tokens").json(&body).send().await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    for (role, days, field) in [
        ("owner", "90", "role"),
        ("agent", "0", "days"),
        ("agent", "x", "days"),
        ("agent", "3651", "days"),
        ("agent", "1e3", "days"),
    ] {
        let form = [("name", "test"), ("role", role), ("days", days)];
        let page = ann.post("/account/tokens").form(&form).send().await.expect(422);
        let error = format!("id=\"token-{field}-error\"");
        assert!(page.text().contains(&error), "{role} {days}: {}", page.text());
    }
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}

async fn a_token_expires_on_its_day(environment: TestEnvironment) {
    let (workspace, clock, _, ann) = opened(&environment).await;
    let made = make(&ann, json!({ "name": "short", "expiresInDays": 2 })).await;
    let expires: jiff::Timestamp = made["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires, clock.now() + DAY * 2);
    let forever = make(&ann, json!({ "name": "long" })).await;
    assert!(forever["expiresAt"].is_null(), "{forever}");
    let (short, long) = (bearer(&workspace, &made), bearer(&workspace, &forever));
    clock.advance(DAY * 2 - SignedDuration::from_secs(1));
    me(&short).await.expect(200);
    clock.advance(SOON);
    me(&short).await.expect(401);
    clock.advance(DAY * 4_000);
    me(&long).await.expect(200);
}

async fn a_token_shows_its_prefix_and_last_use(environment: TestEnvironment) {
    let (workspace, clock, _, ann) = opened(&environment).await;
    let made = make(&ann, json!({ "name": "night import" })).await;
    let (secret, prefix) = (made["secret"].as_str().unwrap(), made["prefix"].as_str().unwrap());
    assert!(secret.starts_with(prefix) && prefix.len() < 12, "{prefix}");
    assert!(made["lastUsedAt"].is_null());
    let page = ann.get("/account").send().await.expect(200);
    assert!(page.text().contains("not used yet") && !page.text().contains(secret), "{}", page.text());
    assert!(page.text().contains(&format!("<code>{prefix}…</code>")), "{}", page.text());
    clock.advance(MINUTE);
    me(&bearer(&workspace, &made)).await.expect(200);
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    let used: jiff::Timestamp = listed["items"][0]["lastUsedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(used, clock.now());
    assert!(!ann.get("/account").send().await.text().contains("not used yet"));
}

async fn the_last_use_of_a_token_is_written_at_most_every_ten_minutes(environment: TestEnvironment) {
    let (workspace, clock, _, ann) = opened(&environment).await;
    let program = bearer(&workspace, &make(&ann, json!({ "name": "test" })).await);
    environment.wire().reset();
    me(&program).await.expect(200);
    assert_eq!(
        (environment.wire().count("GetItem"), environment.wire().count(WRITE)),
        (2, 1),
        "the first use"
    );
    for _ in 0..2 {
        environment.wire().reset();
        for _ in 0..9 {
            clock.advance(MINUTE);
            me(&program).await.expect(200);
        }
        assert_eq!((environment.wire().count("GetItem"), environment.wire().total()), (18, 18));
        clock.advance(MINUTE);
        me(&program).await.expect(200);
        assert_eq!((environment.wire().count(WRITE), environment.wire().total()), (1, 21));
    }
}

async fn a_demoted_account_keeps_its_tokens_in_its_new_role(environment: TestEnvironment) {
    let (workspace, clock, id, ann) = opened(&environment).await;
    let other =
        workspace.another(&environment, &environment.another_wire(), TEST_RETRIES).with_clock(clock.clock());
    let made = make(&ann, json!({ "name": "test" })).await;
    let (here, there) = (bearer(&workspace, &made), bearer(&other, &made));
    create(&here, &new_lead("One", "one@example.com")).await;
    create(&there, &new_lead("Two", "two@example.com")).await;
    edit(&workspace, id, AccountChanges { role: Some(Role::Viewer), ..AccountChanges::default() }).await;
    clock.advance(SOON);
    for program in [&here, &there] {
        assert_eq!(me(program).await.expect(200).json::<Value>()["role"], "viewer");
        let lead = new_lead("Three", "three@example.com");
        program.post("/api/leads").json(&lead).send().await.expect(403);
        program.get("/api/leads").send().await.expect(200);
    }
    // A higher role does not raise it above the one that was chosen.
    let role = Some(Role::Administrator);
    edit(&workspace, id, AccountChanges { role, ..AccountChanges::default() }).await;
    clock.advance(SOON);
    assert_eq!(me(&there).await.expect(200).json::<Value>()["role"], "agent");
}

async fn tokens_of_a_disabled_person_are_revoked_for_good(environment: TestEnvironment) {
    let (workspace, clock, id, ann) = opened(&environment).await;
    let other =
        workspace.another(&environment, &environment.another_wire(), TEST_RETRIES).with_clock(clock.clock());
    let made = make(&ann, json!({ "name": "test" })).await;
    let (here, there) = (bearer(&workspace, &made), bearer(&other, &made));
    me(&there).await.expect(200);
    edit(&workspace, id, AccountChanges { disabled: Some(true), ..AccountChanges::default() }).await;
    for client in [&here, &ann] {
        assert!(me(client).await.expect(403).text().contains("urn:holdfast:problem:account-disabled"));
    }
    clock.advance(SOON);
    me(&there).await.expect(403);
    let admin = workspace.session(Role::Administrator, "Ada").await;
    let page = admin.get(&format!("/people/{id}")).send().await.expect(200);
    assert!(page.text().contains("its tokens are revoked"), "{}", page.text());
    edit(&workspace, id, AccountChanges { disabled: Some(false), ..AccountChanges::default() }).await;
    clock.advance(SOON);
    for client in [&here, &there, &ann] {
        me(client).await.expect(401);
    }
    let accounts = workspace.app.accounts();
    assert!(accounts.tokens(id, 10, None).await.unwrap().items.is_empty());
    let entry = &accounts.history(id, 10, None).await.unwrap().items[1];
    assert_eq!(entry.detail, "Status changed from active to disabled. All tokens revoked.");
    let page = admin.get(&format!("/people/{id}")).send().await.expect(200);
    assert!(page.text().contains("enabling the account doesn't bring them back"), "{}", page.text());
    // A new token works.
    let again = signed_in(&workspace, ANN).await;
    me(&bearer(&workspace, &make(&again, json!({ "name": "test" })).await)).await.expect(200);
}

async fn tokens_of_a_person_whom_an_earlier_version_disabled_do_not_come_back(environment: TestEnvironment) {
    let (workspace, clock, id, ann) = opened(&environment).await;
    let program = bearer(&workspace, &make(&ann, json!({ "name": "test" })).await);
    let disabled = Update::default().set("status", to_attribute("disabled").unwrap());
    let key = Key::new(format!("ACCOUNT#{id}"), "ACCOUNT");
    let dynamo = &workspace.app.dynamo;
    let write = dynamo.guarded_write().update("account", &key, &disabled, Condition::Exists);
    assert!(dynamo.try_write(write).await.unwrap());
    clock.advance(SOON);
    me(&program).await.expect(403);
    edit(&workspace, id, AccountChanges { disabled: Some(false), ..AccountChanges::default() }).await;
    me(&program).await.expect(401);
}

async fn tokens_of_a_disabled_service_do_not_work_until_it_is_enabled(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.person(Role::Administrator, "Ada").await;
    let service = json!({ "name": "Night import", "role": "agent", "kind": "service" });
    let service: Value = admin.post("/api/accounts").json(&service).send().await.expect(201).json();
    let path = format!("/api/accounts/{}", service["id"].as_str().unwrap());
    let token = admin.post(&format!("{path}/tokens")).json(&json!({ "name": "test" }));
    let program = bearer(&workspace, &token.send().await.expect(201).json());
    me(&program).await.expect(200);
    let page = admin.get(&path.replace("/api/accounts", "/people")).send().await.expect(200);
    assert!(page.text().contains("until you enable it"), "{}", page.text());
    for (version, state, expected) in [(1, "disabled", 403), (2, "active", 200)] {
        let change = json!({ "version": version, "state": state });
        admin.patch(&path).json(&change).send().await.expect(200);
        me(&program).await.expect(expected);
    }
}

async fn a_token_created_while_its_owner_is_demoted_has_at_most_the_new_role(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = with_password(&workspace, ANN).await;
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let ann = signed_in(&other, ANN).await;
    let gate = wire.hold(1, WRITE);
    let making = tokio::spawn({
        let ann = ann.clone();
        async move { ann.post("/api/tokens").json(&json!({ "name": "test" })).send().await }
    });
    gate.arrived(1).await;
    let accounts = workspace.app.accounts();
    let changes = AccountChanges { role: Some(Role::Viewer), ..AccountChanges::default() };
    accounts.edit(id, Version::FIRST, changes, Operator::Command, None).await.unwrap();
    gate.open();
    let refused: Value = making.await.unwrap().expect(403).json();
    assert_eq!(refused["title"], "Your account can no longer do this");
    assert!(accounts.tokens(id, 10, None).await.unwrap().items.is_empty());
}
