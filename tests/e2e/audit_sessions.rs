//! The entries of sessions that end: by signing out, on the account page, and by an administrator or a command.

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::accounts::sessions::SessionId;
use holdfast::base::identity::Role;
use serde_json::Value;

use super::accounts::{PASSWORD, me, sign_in, with_cookie_of, with_password};
use super::audit::entries;
use crate::support::http::Client;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: each_ended_session_has_one_entry,
            a_disabled_person_signs_out_with_an_entry
    ]
}

const ANN: &str = "ann@holdfast.test";
const ADDRESS: &str = "203.0.113.9";

/// A browser at [`ADDRESS`] that is signed in as Ann.
async fn signed_in(workspace: &Workspace) -> Client {
    let ann = workspace.visitor_from(ADDRESS);
    sign_in(&ann, ANN, PASSWORD).await.expect(303);
    ann
}

/// Who ended sessions of Ann, in the order of the text, because entries of one millisecond have no order.
async fn ended(admin: &Client) -> Vec<String> {
    let found = entries(admin, "kind=sessions-ended").await;
    assert!(found.iter().all(|entry| entry["subject"] == format!("Ann Lee <{ANN}>")), "{found:?}");
    let row = |entry: &Value| format!("{} {} {}", entry["by"], entry["detail"], entry["address"]);
    let mut rows: Vec<_> = found.iter().map(row).collect();
    rows.sort();
    rows
}

const OUT: &str = r#""Ann Lee" "Signed out." "203.0.113.9""#;
const ONE: &str = r#""Ann Lee" "One session ended." "203.0.113.9""#;
const BY_COMMAND: &str = r#""holdfast command" "One session ended." null"#;

async fn each_ended_session_has_one_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = with_password(&workspace, ANN).await;
    let admin = workspace.program(Role::Administrator).await;
    let leaving = signed_in(&workspace).await;
    let copied = with_cookie_of(&leaving, &workspace);
    leaving.post("/sign-out").send().await.expect(303);
    // The session has ended, so nothing more happens.
    copied.post("/sign-out").send().await.expect(303);
    leaving.post("/sign-out").send().await.expect(303);
    assert_eq!(ended(&admin).await, [OUT]);

    let (here, phone, other) =
        (signed_in(&workspace).await, signed_in(&workspace).await, signed_in(&workspace).await);
    let ids: Vec<SessionId> = {
        let accounts = workspace.app.accounts();
        let account = accounts.find(ann).await.unwrap();
        let listed = accounts.sessions(&account, 10, None).await.unwrap();
        listed.items.into_iter().map(|session| session.id).collect()
    };
    let page = here.get("/account").send().await.expect(200);
    let others: Vec<_> =
        ids.iter().filter(|id| page.text().contains(&format!("/sessions/{id}/end"))).collect();
    assert_eq!((ids.len(), others.len()), (3, 2));
    for _ in 0..2 {
        here.post(&format!("/account/sessions/{}/end", others[0])).send().await.expect(303);
    }
    assert_eq!(ended(&admin).await, [ONE, OUT]);

    let accounts = workspace.app.accounts();
    for expected in [true, false] {
        let done = accounts.end_session_of(ann, others[1], Operator::Command).await.unwrap();
        assert_eq!(done, expected);
    }
    assert_eq!(ended(&admin).await, [ONE, OUT, BY_COMMAND]);
    me(&here).await.expect(200);
    for client in [&phone, &other] {
        me(client).await.expect(401);
    }
}

async fn a_disabled_person_signs_out_with_an_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let id = with_password(&workspace, ANN).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = signed_in(&workspace).await;
    let accounts = workspace.app.accounts();
    let expected = accounts.find(id).await.unwrap().version;
    let disabled = AccountChanges { disabled: Some(true), ..AccountChanges::default() };
    accounts.edit(id, expected, disabled, Operator::Command, None).await.unwrap();
    me(&ann).await.expect(403);
    ann.post("/sign-out").send().await.expect(303);
    assert_eq!(ann.cookie("holdfast"), None);
    me(&ann).await.expect(401);
    assert_eq!(ended(&admin).await, [OUT]);

    // A deleted account has no session any more.
    let expected = accounts.find(id).await.unwrap().version;
    let enabled = AccountChanges { disabled: Some(false), ..AccountChanges::default() };
    accounts.edit(id, expected, enabled, Operator::Command, None).await.unwrap();
    let ann = signed_in(&workspace).await;
    let expected = accounts.find(id).await.unwrap().version;
    accounts.begin_deletion(id, expected, None, Operator::Command).await.unwrap();
    accounts.finish_deletion(id, Operator::Command, None).await.unwrap();
    ann.post("/sign-out").send().await.expect(303);
    assert_eq!(ended(&admin).await.len(), 1);
}
