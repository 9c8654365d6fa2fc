//! Changes of accounts by administrators who race: one administrator always stays.

use futures_util::future::join_all;
use holdfast::accounts::AccountError;
use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{Account, AccountStatus};
use holdfast::base::identity::{Role, SignedIn};
use holdfast::base::values::Version;

use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: one_of_two_administrators_who_demote_each_other_at_once_stays,
            one_of_two_administrators_who_disable_each_other_at_once_stays,
            one_of_two_administrators_who_delete_each_other_at_once_stays,
            one_of_two_administrators_who_step_down_at_once_stays,
            the_last_administrator_cannot_be_demoted_disabled_or_deleted,
            an_administrator_who_was_demoted_changes_nothing_any_more,
            a_demotion_whose_reply_is_lost_happens_once
    ]
}

const WRITE: &str = "TransactWriteItems";

/// How an administrator is removed.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Demoted,
    Disabled,
    Deleted,
}

async fn remove(
    workspace: &Workspace,
    whom: &SignedIn,
    how: Removal,
    operator: Operator<'_>,
) -> Result<Account, AccountError> {
    let accounts = workspace.app.accounts();
    let expected = accounts.find(whom.id).await?.version;
    let changes = match how {
        Removal::Deleted => {
            accounts.begin_deletion(whom.id, expected, None, operator).await?;
            return accounts.finish_deletion(whom.id, operator, None).await;
        }
        Removal::Demoted => AccountChanges { role: Some(Role::Viewer), ..AccountChanges::default() },
        Removal::Disabled => AccountChanges { disabled: Some(true), ..AccountChanges::default() },
    };
    Ok(accounts.edit(whom.id, expected, changes, operator, None).await?.now().unwrap())
}

/// The number of active administrators among these people.
async fn active(workspace: &Workspace, people: [&SignedIn; 2]) -> usize {
    let stays =
        |account: Account| account.role == Role::Administrator && account.status == AccountStatus::Active;
    let mut active = 0;
    for person in people {
        let account = workspace.app.accounts().find(person.id).await;
        active += usize::from(account.is_ok_and(stays));
    }
    active
}

/// Two administrators remove each other, or themselves, and both writes start at the same moment.
async fn race(environment: &TestEnvironment, how: Removal, removes_other: bool) {
    let workspace = Workspace::open(environment).await;
    let wire = environment.another_wire();
    let other = workspace.another(environment, &wire, TEST_RETRIES);
    let [ann, bob] = [
        workspace.account(Role::Administrator, "Ann").await,
        workspace.account(Role::Administrator, "Bob").await,
    ];
    let gates = [environment.wire().hold(1, WRITE), wire.hold(1, WRITE)];
    let removing = [(&workspace, &ann, &bob), (&other, &bob, &ann)].map(|(workspace, who, other)| {
        let whom = if removes_other { other.clone() } else { who.clone() };
        let (workspace, who) = (workspace.clone(), who.clone());
        tokio::spawn(async move { remove(&workspace, &whom, how, Operator::Administrator(&who)).await })
    });
    // Both have read that there are two administrators.
    for gate in &gates {
        gate.arrived(1).await;
    }
    for gate in &gates {
        gate.open();
    }
    let results: Vec<_> = join_all(removing).await.into_iter().map(Result::unwrap).collect();
    let refusals: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert_eq!(refusals.len(), 1, "{how:?}: {results:?}");
    let expected = match (how, removes_other) {
        // A person who was removed may not remove others.
        (_, true) => matches!(refusals[0], AccountError::NoLongerAllowed | AccountError::LastAdministrator),
        (_, false) => matches!(refusals[0], AccountError::LastAdministrator),
    };
    assert!(expected, "{how:?}: {refusals:?}");
    assert_eq!(active(&workspace, [&ann, &bob]).await, 1, "{how:?}");
    // The number of administrators is right: a third one can replace the one who stayed.
    let carl = workspace.account(Role::Administrator, "Carl").await;
    for person in [&ann, &bob] {
        if active(&workspace, [person, person]).await > 0 {
            remove(&workspace, person, how, Operator::Administrator(&carl)).await.unwrap();
        }
    }
    let last = remove(&workspace, &carl, how, Operator::Administrator(&carl)).await;
    assert!(matches!(last, Err(AccountError::LastAdministrator)), "{last:?}");
}

async fn one_of_two_administrators_who_demote_each_other_at_once_stays(environment: TestEnvironment) {
    race(&environment, Removal::Demoted, true).await;
}

async fn one_of_two_administrators_who_disable_each_other_at_once_stays(environment: TestEnvironment) {
    race(&environment, Removal::Disabled, true).await;
}

async fn one_of_two_administrators_who_delete_each_other_at_once_stays(environment: TestEnvironment) {
    race(&environment, Removal::Deleted, true).await;
}

async fn one_of_two_administrators_who_step_down_at_once_stays(environment: TestEnvironment) {
    race(&environment, Removal::Demoted, false).await;
}

async fn the_last_administrator_cannot_be_demoted_disabled_or_deleted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.account(Role::Administrator, "Ann").await;
    workspace.account(Role::Agent, "Bob").await;
    for how in [Removal::Demoted, Removal::Disabled, Removal::Deleted] {
        for operator in [Operator::Administrator(&ann), Operator::Command] {
            let refused = remove(&workspace, &ann, how, operator).await;
            assert!(matches!(refused, Err(AccountError::LastAdministrator)), "{how:?}: {refused:?}");
        }
    }
    let account = workspace.app.accounts().find(ann.id).await.unwrap();
    assert_eq!((account.version, account.role), (Version::FIRST, Role::Administrator));
}

async fn an_administrator_who_was_demoted_changes_nothing_any_more(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.account(Role::Administrator, "Ann").await;
    for how in [Removal::Demoted, Removal::Disabled, Removal::Deleted] {
        let bob = workspace.account(Role::Administrator, "Bob").await;
        let carl = workspace.account(Role::Agent, "Carl").await;
        remove(&workspace, &bob, how, Operator::Administrator(&ann)).await.unwrap();
        // Another process still knows Bob as an administrator.
        let promoted = AccountChanges { role: Some(Role::Administrator), ..AccountChanges::default() };
        let bob_as_operator = Operator::Administrator(&bob);
        let accounts = workspace.app.accounts();
        let refused = accounts.edit(carl.id, Version::FIRST, promoted.clone(), bob_as_operator, None).await;
        assert!(matches!(refused, Err(AccountError::NoLongerAllowed)), "{how:?}: {refused:?}");
        let refused = accounts.renew_link(carl.id, Version::FIRST, bob_as_operator, None).await;
        assert!(matches!(refused, Err(AccountError::NoLongerAllowed)), "{how:?}: {refused:?}");
        let refused = accounts.sign_in_link(carl.id, bob_as_operator).await;
        assert!(matches!(refused, Err(AccountError::NoLongerAllowed)), "{how:?}: {refused:?}");
        let refused = accounts.end_sessions(carl.id, Version::FIRST, true, bob_as_operator, None).await;
        assert!(matches!(refused, Err(AccountError::NoLongerAllowed)), "{how:?}: {refused:?}");
        assert_eq!(accounts.find(carl.id).await.unwrap().version, Version::FIRST);
    }
}

async fn a_demotion_whose_reply_is_lost_happens_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let [ann, bob] = [
        workspace.account(Role::Administrator, "Ann").await,
        workspace.account(Role::Administrator, "Bob").await,
    ];
    environment.wire().next(WRITE, Fault::ReplyLost);
    remove(&workspace, &bob, Removal::Demoted, Operator::Administrator(&ann)).await.unwrap();
    // It was counted once: Ann is the last one, and is counted.
    let last = remove(&workspace, &ann, Removal::Demoted, Operator::Administrator(&ann)).await;
    assert!(matches!(last, Err(AccountError::LastAdministrator)), "{last:?}");
    workspace.account(Role::Administrator, "Carl").await;
    remove(&workspace, &ann, Removal::Demoted, Operator::Administrator(&ann)).await.unwrap();
}
