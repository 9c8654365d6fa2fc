//! How people get access and lose it: invitations, resets, ended sessions, disabled accounts and demoted administrators.

use futures_util::future::join;
use holdfast::accounts::administer::AccountDraft;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{AccountKind, TokenDraft};
use holdfast::accounts::links::INVITATION_LASTS;
use holdfast::app::build_router;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::people::{
    PASSWORD, account, administrator, administrators, browser, change, invite, join_by, path, text,
};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Entry, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: an_invited_person_joins_once_and_the_link_is_answered_once;
        app: a_renewed_withdrawn_or_expired_invitation_is_gone,
            a_reset_sets_a_new_password_and_ends_sessions,
            ending_all_sessions_ends_tokens_only_if_wanted;
        store: an_invitation_that_two_people_use_at_once_makes_one_of_them_join,
            one_of_two_administrators_who_demote_each_other_stays,
            the_last_active_administrator_stays,
            a_disabled_person_is_refused_at_once,
            a_demoted_administrator_changes_no_account_any_more
    ]
}

/// The same application, some time later.
fn later(workspace: &Workspace, after: SignedDuration) -> Workspace {
    let mut app = workspace.app.clone();
    app.clock = Clock::from_fn(move || jiff::Timestamp::now() + after);
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
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

async fn one_of_two_administrators_who_demote_each_other_stays(environment: TestEnvironment) {
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
    let elsewhere = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let draft = TokenDraft { name: "test".parse().unwrap(), role: Role::Administrator, days: None };
    let made = workspace.app.accounts().create_token(bob.id, draft, Operator::Command, None).await;
    let (_, secret) = made.unwrap().now().unwrap();
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
