//! Work that stops because its account lost access in the middle.

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::TokenDraft;
use holdfast::accounts::link_path;
use holdfast::base::identity::Role;
use holdfast::orders::period::Period;
use serde_json::Value;

use crate::imports::{people, send, start};
use crate::order_api::{acme, fulfilled};
use crate::orders::stock;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_running_import_of_a_disabled_person_stops_with_a_reason,
            a_token_revoked_in_the_middle_of_an_export_ends_it
    ]
}

async fn count(workspace: &Workspace) -> usize {
    let admin = workspace.program(Role::Administrator).await;
    let page: Value = admin.get("/api/leads?limit=100").send().await.expect(200).json();
    page["items"].as_array().unwrap().len() + usize::from(page["next"].is_string())
}

async fn a_running_import_of_a_disabled_person_stops_with_a_reason(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let who = workspace.account(Role::Agent, "Ann").await;
    let link = accounts.sign_in_link(who.id, Operator::Command).await.unwrap();
    let ann = workspace.visitor().same_origin();
    ann.use_link(&link_path(&link)).await.expect(303);
    let import = send(&ann, &people(60)).await;
    start(&ann, &import).await;
    let disabled = AccountChanges { disabled: Some(true), ..AccountChanges::default() };
    let seen = accounts.find(who.id).await.unwrap().version;
    accounts.edit(who.id, seen, disabled, Operator::Command, None).await.unwrap();
    let before = count(&workspace).await;
    let refused = ann.post(&format!("{import}/step")).header("accept", "text/html").send().await.expect(403);
    assert!(refused.text().contains("Your account is disabled"), "{}", refused.text());
    assert!(refused.text().contains("disabled your account"), "{}", refused.text());
    assert_eq!(count(&workspace).await, before, "no row is imported any more");
    // An administrator can finish it.
    let admin = workspace.person(Role::Administrator, "Ada").await;
    crate::imports::finish(&admin, &import).await;
    assert_eq!(count(&workspace).await, 60);
}

async fn a_token_revoked_in_the_middle_of_an_export_ends_it(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    stock(&workspace, "NY", 9).await;
    for _ in 0..3 {
        fulfilled(&agent, &acme(&["NY"], 3)).await;
    }
    let accounts = workspace.app.accounts();
    let who = workspace.account(Role::Agent, "Ann").await;
    let draft = TokenDraft { name: "export".parse().unwrap(), role: Role::Agent, days: None };
    let made = accounts.create_token(who.id, draft, Operator::Command, None).await.unwrap();
    let (token, secret) = made.now().unwrap();
    let program = workspace.bearer(secret.reveal());
    let first = workspace.app.orders().export_part_within(&Period::default(), None, 400).await.unwrap();
    let rest = format!("/api/orders/export/csv?cursor={}", first.next.expect("there is another part"));
    program.get(&rest).send().await.expect(200);
    accounts.revoke_token(who.id, token.id, Operator::Command, None).await.unwrap();
    program.get(&rest).send().await.expect(401);
}
