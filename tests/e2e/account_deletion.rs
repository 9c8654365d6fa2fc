//! The deletion of accounts: their leads get another owner first, in steps that any administrator or command continues.

use futures_util::future::join_all;
use holdfast::accounts::AccountError;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::AccountStatus;
use holdfast::base::identity::{AccountId, Role};
use holdfast::people::PeopleError;
use holdfast::people::delete::{DeletionProgress, LeadsChoice};
use serde_json::{Value, json};

use super::people::{account, administrator, change, invite, names, text};
use crate::support::http::Client;
use crate::support::workspace::{Workspace, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: the_leads_of_a_deleted_person_go_to_another_agent_or_lose_their_owner,
            an_interrupted_deletion_is_continued_by_another_administrator,
            an_administrator_who_was_demoted_finishes_no_deletion,
            administrators_delete_themselves,
            enabling_an_account_cancels_its_deletion;
        web: a_deletion_that_a_command_began_is_continued_on_its_page
    ]
}

async fn owned(agent: &Client, owner: AccountId, number: usize) -> Value {
    let mut lead = new_lead(&format!("Lead {number}"), &format!("lead{number}@example.com"));
    lead["owner"] = json!(owner);
    create(agent, &lead).await
}

async fn the_leads_of_a_deleted_person_go_to_another_agent_or_lose_their_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (ann, bob) =
        (workspace.account(Role::Agent, "Ann Lee").await, workspace.account(Role::Agent, "Bob Roe").await);
    let leads = join_all((0..3).map(|number| owned(&admin, ann.id, number))).await;
    let deletion = format!("/api/accounts/{}?version=1&leadsTo={}", ann.id, bob.email);
    let delete = || admin.delete(&deletion).header("idempotency-key", "k1").send();
    delete().await.expect(204);
    delete().await.expect(204);
    admin.delete(&deletion).send().await.expect(404);
    admin.get(&format!("/api/accounts/{}", ann.id)).send().await.expect(404);
    for lead in &leads {
        assert_eq!(text(&read(&admin, lead).await["owner"], "name"), "Bob Roe");
        // The former name stays in the history.
        let entries = history(&admin, lead).await;
        assert!(json!(entries).to_string().contains("Ann Lee"), "{entries:?}");
    }
    let changes: Value =
        admin.get(&format!("/api/accounts/{}/history", ann.id)).send().await.expect(200).json();
    assert_eq!(text(&changes["items"][0], "detail"), "Account deleted.");
    assert_eq!(names(&admin, "q=lee").await, [""; 0]);
    // The address is free, and the leads of the next one are cleared.
    invite(&admin, "Another", ann.email.as_str(), "agent").await;
    let path = format!("/api/accounts/{}?version=1&leads=clear", bob.id);
    admin.delete(&path).send().await.expect(204);
    for lead in &leads {
        assert_eq!(read(&admin, lead).await["owner"], Value::Null);
    }
}

async fn an_interrupted_deletion_is_continued_by_another_administrator(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, _) = administrator(&workspace, "Ada").await;
    let (_, by_bea) = administrator(&workspace, "Bea").await;
    let (ann, bob) =
        (workspace.account(Role::Agent, "Ann Lee").await, workspace.account(Role::Agent, "Bob Roe").await);
    let leads = join_all((0..55).map(|number| owned(&by_bea, ann.id, number))).await;
    let people = workspace.app.people();
    let version = workspace.app.accounts().find(ann.id).await.unwrap().version;
    let choice = LeadsChoice::GiveTo(bob.id.to_string().parse().unwrap());
    people.begin_deletion(ann.id, version, &choice, Operator::Administrator(&ada)).await.unwrap();
    // It is disabled at once, and beginning again changes nothing.
    people.begin_deletion(ann.id, version, &choice, Operator::Administrator(&ada)).await.unwrap();
    let begun = workspace.app.accounts().find(ann.id).await.unwrap();
    assert_eq!((begun.status, begun.version), (AccountStatus::Disabled, version.next()));
    let mut new = new_lead("Late", "late@example.com");
    new["owner"] = json!(ann.id);
    by_bea.post("/api/leads").json(&new).send().await.expect(422);
    let step = people.deletion_step(ann.id, false, Operator::Administrator(&ada), None).await.unwrap();
    let DeletionProgress::Remaining(step) = step else { panic!("leads are left") };
    assert_eq!((step.changed, step.kept.len()), (50, 0));
    // Ada's request ends here. Bea repeats it, with the version that Ada saw.
    let path = format!("/api/accounts/{}?version={version}&leadsTo={}", ann.id, bob.id);
    by_bea.delete(&path).send().await.expect(204);
    for lead in leads.iter().step_by(9) {
        assert_eq!(text(&read(&by_bea, lead).await["owner"], "name"), "Bob Roe");
    }
    assert!(workspace.app.leads().owned_by(ann.id, 10, None).await.unwrap().leads.is_empty());
    assert!(workspace.app.accounts().pending_deletion(ann.id).await.unwrap().is_none());
}

async fn enabling_an_account_cancels_its_deletion(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, by_ada) = administrator(&workspace, "Ada").await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let lead = owned(&by_ada, ann.id, 1).await;
    let people = workspace.app.people();
    let version = workspace.app.accounts().find(ann.id).await.unwrap().version;
    people.begin_deletion(ann.id, version, &LeadsChoice::Clear, Operator::Administrator(&ada)).await.unwrap();
    change(&by_ada, ann.id, json!({ "version": 2, "state": "active" })).await.expect(200);
    assert!(people.deletion_step(ann.id, false, Operator::Administrator(&ada), None).await.is_err());
    assert_eq!(text(&read(&by_ada, &lead).await["owner"], "name"), "Ann Lee");
    // A stale request does not delete it either.
    by_ada.delete(&format!("/api/accounts/{}?version=2&leads=clear", ann.id)).send().await.expect(409);
    // She never signed in, so she needs an invitation.
    assert_eq!(text(&account(&by_ada, ann.id).await, "state"), "invited");
}

async fn an_administrator_who_was_demoted_finishes_no_deletion(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, by_ada) = administrator(&workspace, "Ada").await;
    let (bob, _) = administrator(&workspace, "Bob").await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let (people, accounts) = (workspace.app.people(), workspace.app.accounts());
    let version = accounts.find(ann.id).await.unwrap().version;
    people.begin_deletion(ann.id, version, &LeadsChoice::Clear, Operator::Administrator(&bob)).await.unwrap();
    change(&by_ada, bob.id, json!({ "version": 1, "role": "agent" })).await.expect(200);
    // Another process may take Bob for an administrator for ten more seconds.
    let refused = people.deletion_step(ann.id, false, Operator::Administrator(&bob), None).await.unwrap_err();
    assert!(matches!(refused, PeopleError::Account(AccountError::NoLongerAllowed)), "{refused:?}");
    assert_eq!(accounts.find(ann.id).await.unwrap().status, AccountStatus::Disabled);
    let done = people.deletion_step(ann.id, false, Operator::Administrator(&ada), None).await.unwrap();
    assert!(matches!(done, DeletionProgress::Done(_)), "{done:?}");
}

async fn administrators_delete_themselves(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ada, by_ada) = administrator(&workspace, "Ada").await;
    let (bob, by_bob) = administrator(&workspace, "Bob").await;
    by_ada.delete(&format!("/api/accounts/{}?version=1&leads=clear", ada.id)).send().await.expect(204);
    by_bob.get(&format!("/api/accounts/{}", ada.id)).send().await.expect(404);
    let last = by_bob.delete(&format!("/api/accounts/{}?version=1&leads=clear", bob.id)).send().await;
    assert!(last.expect(422).text().contains("last-administrator"));
}

async fn a_deletion_that_a_command_began_is_continued_on_its_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.person(Role::Administrator, "Ada").await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let lead = owned(&admin, ann.id, 1).await;
    let people = workspace.app.people();
    let version = workspace.app.accounts().find(ann.id).await.unwrap().version;
    people.begin_deletion(ann.id, version, &LeadsChoice::Clear, Operator::Command).await.unwrap();
    let page = format!("/people/{}", ann.id);
    let shown = admin.get(&page).send().await.expect(200);
    assert!(shown.text().contains("holdfast command started this"), "{}", shown.text());
    let step = format!("{page}/deletion/step");
    admin.post(&step).form(&[("changed", "0")]).send().await.expect(200);
    admin.post(&step).form(&[("changed", "1")]).send().await.expect(303);
    assert_eq!(read(&admin, &lead).await["owner"], Value::Null);
    admin.get(&page).send().await.expect(410);
}
