//! Links: invitations, password resets, sign-in links and the link of the first start.

use futures_util::future::join_all;
use holdfast::accounts::administer::{AccountDraft, WithLink};
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{Account, AccountKind, AccountStatus};
use holdfast::accounts::{AccountError, link_path, links};
use holdfast::base::identity::{AccountId, Role};
use holdfast::base::values::Version;
use http::Method;
use jiff::SignedDuration;
use serde_json::Value;

use super::accounts::{OTHER, PASSWORD, browser, change, later, me, sign_in, signed_in, with_password};
use crate::support::html::assert_errors;
use crate::support::http::{Client, Response};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: an_invited_person_joins_once,
            an_invalid_join_or_reset_is_refused_and_does_not_use_the_link,
            opening_a_link_changes_nothing,
            a_withdrawn_or_renewed_invitation_is_gone,
            a_reset_sets_a_new_password_and_ends_sessions,
            a_reset_that_is_renewed_withdrawn_or_of_a_disabled_account_is_gone,
            an_unused_reset_ends_when_the_password_changes_or_the_sessions_end,
            the_first_start_asks_for_a_name_an_address_and_a_password,
            the_link_of_a_second_start_only_signs_in,
            a_form_of_another_site_does_not_use_a_link;
        app: invitations_and_resets_expire;
        store: an_invitation_used_twice_at_once_makes_one_account_and_one_session,
            an_invitation_that_is_withdrawn_while_it_is_used_has_one_outcome,
            a_lost_reply_does_not_waste_an_invitation
    ]
}

const PAT: &str = "pat@holdfast.test";
const WRITE: &str = "TransactWriteItems";

/// Invites Pat as an agent. Returns the account and the path of the link.
async fn invite(workspace: &Workspace) -> (Account, String) {
    let (name, email) = ("Pat Doe".parse().unwrap(), Some(PAT.parse().unwrap()));
    let draft = AccountDraft { name, email, role: Role::Agent, kind: AccountKind::Person };
    let invited = workspace.app.accounts().invite(draft, Operator::Command, None).await.unwrap();
    let (account, secret) = invited.now().unwrap();
    (account, link_path(secret.expect("a person is invited by a link").reveal()))
}

/// Renews the invitation or reset of an account. Returns its new state and the path of the link.
async fn renew(workspace: &Workspace, id: AccountId, expected: Version) -> (Account, String) {
    let renewed = workspace.app.accounts().renew_link(id, expected, Operator::Command, None).await;
    let WithLink { account, secret } = renewed.unwrap().now().unwrap();
    (account, link_path(secret.reveal()))
}

/// An active account with a password, and a link to reset it.
async fn with_reset(workspace: &Workspace) -> (Account, String) {
    let id = with_password(workspace, PAT).await;
    renew(workspace, id, Version::FIRST).await
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> Response {
    client.post(path).form(fields).send().await
}

async fn join(client: &Client, path: &str) -> Response {
    send(client, path, &[("name", "Pat Ray"), ("password", PASSWORD)]).await
}

/// Panics unless neither the page nor the button of the link works.
async fn assert_gone(workspace: &Workspace, path: &str) {
    let visitor = browser(workspace);
    let page = visitor.get(path).send().await.expect(410);
    assert!(page.text().contains("This link has expired or was already used."), "{}", page.text());
    let answer = join(&visitor, path).await.expect(410);
    assert_eq!(answer.header("set-cookie"), "");
    me(&visitor).await.expect(401);
}

async fn an_invited_person_joins_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (invited, path) = invite(&workspace).await;
    let pat = browser(&workspace);
    // An invited account cannot sign in before it has joined.
    sign_in(&pat, PAT, PASSWORD).await.expect(422);
    let accounts = workspace.app.accounts();
    let link = accounts.sign_in_link(invited.id, Operator::Command).await;
    assert!(matches!(link, Err(AccountError::NotActive)), "{link:?}");
    let page = pat.get(&path).send().await.expect(200);
    for words in ["Join Holdfast", "invited as agent with the email pat@holdfast.test", "value=\"Pat Doe\""] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    // The form cannot choose the role or the address.
    let fields = [
        ("name", "Pat Ray"),
        ("password", PASSWORD),
        ("role", "administrator"),
        ("email", "eve@holdfast.test"),
    ];
    let answer = send(&pat, &path, &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/");
    let who: Value = me(&pat).await.expect(200).json();
    assert_eq!(
        (&who["name"], &who["email"], &who["role"]),
        (&"Pat Ray".into(), &PAT.into(), &"agent".into())
    );
    let joined = accounts.find(invited.id).await.unwrap();
    assert_eq!((joined.status, joined.link), (AccountStatus::Active, None));
    assert!(joined.last_sign_in_at.is_some());
    assert_gone(&workspace, &path).await;
    sign_in(&browser(&workspace), PAT, PASSWORD).await.expect(303);
    me(&pat).await.expect(200);
}

async fn an_invalid_join_or_reset_is_refused_and_does_not_use_the_link(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (invited, path) = invite(&workspace).await;
    let pat = browser(&workspace);
    let long = "x".repeat(10_000);
    for (name, password, errors) in [
        ("", PASSWORD, &["name"][..]),
        ("Pat\nDoe", PASSWORD, &["name"]),
        (&long, PASSWORD, &["name"]),
        ("Pat", "", &["password"]),
        ("Pat", "eleven char", &["password"]),
        ("Pat", &long, &["password"]),
        ("", "", &["name", "password"]),
    ] {
        environment.wire().reset();
        let refused = send(&pat, &path, &[("name", name), ("password", password)]).await.expect(422);
        assert_errors(refused.text(), &["name", "password"], errors);
        assert_eq!(environment.wire().count(WRITE), 0);
        assert!(password.len() < 5 || !refused.text().contains(password), "the password is repeated");
        assert_eq!(refused.header("set-cookie"), "");
    }
    pat.post(&path).json(&serde_json::json!({ "name": "Pat" })).send().await.expect(415);
    join(&pat, &path).await.expect(303);
    let (_, reset) = renew(&workspace, invited.id, invited.version.next()).await;
    let visitor = browser(&workspace);
    send(&visitor, &reset, &[("password", "short")]).await.expect(422);
    send(&visitor, &reset, &[]).await.expect(422);
    send(&visitor, &reset, &[("password", OTHER)]).await.expect(303);
}

async fn opening_a_link_changes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (_, invitation) = invite(&workspace).await;
    let ann = with_password(&workspace, "ann@holdfast.test").await;
    let (_, reset) = renew(&workspace, ann, Version::FIRST).await;
    let accounts = workspace.app.accounts();
    let sign_in = link_path(&accounts.sign_in_link(ann, Operator::Command).await.unwrap());
    let first = link_path(&accounts.first_administrator_link().await.unwrap().unwrap());
    for path in [&invitation, &reset, &sign_in, &first] {
        let scanner = workspace.visitor();
        environment.wire().reset();
        for method in [Method::HEAD, Method::GET, Method::GET] {
            let page = scanner.request(method, path).send().await.expect(200);
            assert_eq!(page.header("set-cookie"), "");
        }
        assert_eq!(environment.wire().count(WRITE), 0, "{path}");
        me(&scanner).await.expect(401);
    }
    // Each still works by its button.
    join(&browser(&workspace), &invitation).await.expect(303);
    send(&browser(&workspace), &sign_in, &[]).await.expect(303);
    send(&browser(&workspace), &reset, &[("password", OTHER)]).await.expect(303);
    let fields = [("name", "Ada"), ("email", "ada@holdfast.test"), ("password", PASSWORD)];
    send(&browser(&workspace), &first, &fields).await.expect(303);
}

async fn a_form_of_another_site_does_not_use_a_link(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (_, path) = invite(&workspace).await;
    let visitor = workspace.visitor();
    let form = [("name", "Pat Ray"), ("password", PASSWORD)];
    for site in ["cross-site", "same-site"] {
        visitor.post(&path).header("sec-fetch-site", site).form(&form).send().await.expect(403);
    }
    join(&browser(&workspace), &path).await.expect(303);
}

async fn a_withdrawn_or_renewed_invitation_is_gone(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let (invited, first) = invite(&workspace).await;
    let (renewed, second) = renew(&workspace, invited.id, invited.version).await;
    assert_gone(&workspace, &first).await;
    workspace.visitor().get(&second).send().await.expect(200);
    // A stale change is refused.
    let stale = accounts.withdraw_link(invited.id, invited.version, Operator::Command, None).await;
    assert!(matches!(stale, Err(AccountError::Conflict(_))), "{stale:?}");
    let withdrawn = accounts.withdraw_link(invited.id, renewed.version, Operator::Command, None).await;
    let withdrawn = withdrawn.unwrap().now().unwrap();
    assert_gone(&workspace, &second).await;
    let (_, third) = renew(&workspace, invited.id, withdrawn.version).await;
    for path in [&first, &second] {
        assert_gone(&workspace, path).await;
    }
    join(&browser(&workspace), &third).await.expect(303);
}

async fn invitations_and_resets_expire(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (_, invitation) = invite(&workspace).await;
    let ann = with_password(&workspace, "ann@holdfast.test").await;
    let (_, reset) = renew(&workspace, ann, Version::FIRST).await;
    for (path, lasts) in [(&invitation, links::INVITATION_LASTS), (&reset, links::LINK_LASTS)] {
        assert_gone(&later(&workspace, lasts + SignedDuration::from_secs(1)), path).await;
        join(&browser(&later(&workspace, lasts - SignedDuration::from_mins(1))), path).await.expect(303);
        assert_gone(&workspace, path).await;
    }
}

async fn a_reset_sets_a_new_password_and_ends_sessions(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (account, path) = with_reset(&workspace).await;
    let pat = signed_in(&workspace, PAT).await;
    let unused = workspace.app.accounts().sign_in_link(account.id, Operator::Command).await.unwrap();
    let new = browser(&workspace);
    let page = new.get(&path).send().await.expect(200);
    assert!(page.text().contains("Choose a new password"), "{}", page.text());
    assert!(page.text().contains("Ann Lee &#60;pat@holdfast.test&#62;"), "{}", page.text());
    // Asking for it changes nothing: the old password and session still work.
    me(&pat).await.expect(200);
    send(&new, &path, &[("password", OTHER)]).await.expect(303);
    me(&new).await.expect(200);
    me(&pat).await.expect(401);
    sign_in(&browser(&workspace), PAT, PASSWORD).await.expect(422);
    sign_in(&browser(&workspace), PAT, OTHER).await.expect(303);
    assert_gone(&workspace, &path).await;
    assert_gone(&workspace, &link_path(&unused)).await;
}

async fn a_reset_that_is_renewed_withdrawn_or_of_a_disabled_account_is_gone(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let (account, first) = with_reset(&workspace).await;
    let (renewed, second) = renew(&workspace, account.id, account.version).await;
    assert_gone(&workspace, &first).await;
    let withdrawn = accounts.withdraw_link(account.id, renewed.version, Operator::Command, None).await;
    let withdrawn = withdrawn.unwrap().now().unwrap();
    assert_gone(&workspace, &second).await;
    let (renewed, third) = renew(&workspace, account.id, withdrawn.version).await;
    let unused = accounts.sign_in_link(account.id, Operator::Command).await.unwrap();
    let mut version = renewed.version;
    for disabled in [true, false] {
        let changes =
            holdfast::accounts::administer::AccountChanges { disabled: Some(disabled), ..Default::default() };
        let edited = accounts.edit(account.id, version, changes, Operator::Command, None).await;
        version = edited.unwrap().now().unwrap().version;
        assert_gone(&workspace, &third).await;
        assert_gone(&workspace, &link_path(&unused)).await;
    }
    sign_in(&browser(&workspace), PAT, PASSWORD).await.expect(303);
}

async fn an_unused_reset_ends_when_the_password_changes_or_the_sessions_end(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let (account, first) = with_reset(&workspace).await;
    let pat = signed_in(&workspace, PAT).await;
    // The owner changes the password.
    change(&pat, PASSWORD, OTHER, OTHER).await.expect(303);
    assert_gone(&workspace, &first).await;
    // The owner ends all other sessions.
    let (_, second) = renew(&workspace, account.id, accounts.find(account.id).await.unwrap().version).await;
    pat.post("/account/sessions/end").send().await.expect(303);
    assert_gone(&workspace, &second).await;
    // An administrator ends all sessions.
    let (renewed, third) =
        renew(&workspace, account.id, accounts.find(account.id).await.unwrap().version).await;
    let ended = accounts.end_sessions(account.id, renewed.version, false, Operator::Command, None).await;
    assert_eq!(ended.unwrap().now().unwrap().link, None, "no page shows a link that does not work");
    assert_gone(&workspace, &third).await;
    // An invitation is for a person without sessions, so it stays.
    let draft = AccountDraft {
        name: "Ida Ray".parse().unwrap(),
        email: Some("ida@holdfast.test".parse().unwrap()),
        role: Role::Agent,
        kind: AccountKind::Person,
    };
    let (invited, secret) = accounts.invite(draft, Operator::Command, None).await.unwrap().now().unwrap();
    accounts.end_sessions(invited.id, invited.version, false, Operator::Command, None).await.unwrap();
    join(&browser(&workspace), &link_path(secret.unwrap().reveal())).await.expect(303);
}

async fn the_first_start_asks_for_a_name_an_address_and_a_password(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let path = link_path(&workspace.app.accounts().first_administrator_link().await.unwrap().unwrap());
    let ada = browser(&workspace);
    let page = ada.get(&path).send().await.expect(200);
    assert!(page.text().contains("Set up Holdfast"), "{}", page.text());
    for field in ["name", "email", "password"] {
        assert!(
            page.text().contains(&format!("id=\"{field}\" name=\"{field}\"")),
            "{field}: {}",
            page.text()
        );
    }
    assert!(!page.text().contains("admin@holdfast.local"), "{}", page.text());
    for (name, email, password, wrong) in [
        ("Ada", "admin@holdfast.local", PASSWORD, "email"),
        ("Ada", "Admin@Holdfast.LOCAL", PASSWORD, "email"),
        ("Ada", "ann@holdfast.test", PASSWORD, "email"),
        ("Ada", "ada", PASSWORD, "email"),
        ("", "ada@holdfast.test", PASSWORD, "name"),
        ("Ada", "ada@holdfast.test", "short", "password"),
        ("Ada", "ada@holdfast.test", "", "password"),
    ] {
        let fields = [("name", name), ("email", email), ("password", password)];
        let refused = send(&ada, &path, &fields).await.expect(422);
        assert!(refused.text().contains(&format!("id=\"{wrong}-error\"")), "{email}: {}", refused.text());
        assert_eq!(refused.header("set-cookie"), "");
    }
    // A link without the form does not sign in as the placeholder.
    send(&ada, &path, &[]).await.expect(422);
    let fields = [("name", "Ada Byron"), ("email", "ada@holdfast.test"), ("password", PASSWORD)];
    let answer = send(&ada, &path, &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/welcome");
    let page = ada.get("/welcome").send().await.expect(200);
    for words in ["Invite your team", "Import leads", "Load sample leads"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let who: Value = me(&ada).await.expect(200).json();
    assert_eq!((&who["name"], &who["role"]), (&"Ada Byron".into(), &"administrator".into()));
    sign_in(&browser(&workspace), "ada@holdfast.test", PASSWORD).await.expect(303);
    sign_in(&browser(&workspace), "admin@holdfast.local", PASSWORD).await.expect(422);
    assert_gone(&workspace, &path).await;
}

async fn the_link_of_a_second_start_only_signs_in(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let first = link_path(&accounts.first_administrator_link().await.unwrap().unwrap());
    let again = link_path(&accounts.first_administrator_link().await.unwrap().unwrap());
    let ada = browser(&workspace);
    let fields = [("name", "Ada Byron"), ("email", "ada@holdfast.test"), ("password", PASSWORD)];
    send(&ada, &first, &fields).await.expect(303);
    let who: Value = me(&ada).await.expect(200).json();
    // A link that was printed before the setup has ended with it.
    assert_gone(&workspace, &again).await;
    let second = link_path(&accounts.first_administrator_link().await.unwrap().unwrap());
    let page = browser(&workspace).get(&second).send().await.expect(200);
    assert!(page.text().contains("signs you in as Ada Byron &#60;ada@holdfast.test&#62;"), "{}", page.text());
    assert!(!page.text().contains("id=\"password\""), "{}", page.text());
    let there = browser(&workspace);
    // Fields of the setup are ignored.
    let fields = [("name", "Eve"), ("email", "eve@holdfast.test"), ("password", OTHER)];
    let answer = send(&there, &second, &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/");
    assert_eq!(me(&there).await.expect(200).json::<Value>(), who);
    sign_in(&browser(&workspace), "ada@holdfast.test", OTHER).await.expect(422);
    me(&ada).await.expect(200);
    assert_gone(&workspace, &second).await;
}

async fn an_invitation_used_twice_at_once_makes_one_account_and_one_session(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (invited, path) = invite(&workspace).await;
    let gate = environment.wire().hold(2, WRITE);
    let joining = [("Pat One", PASSWORD), ("Pat Two", OTHER)].map(|(name, password)| {
        let (client, path) = (browser(&workspace), path.clone());
        tokio::spawn(async move {
            let status = send(&client, &path, &[("name", name), ("password", password)]).await.status;
            (status.as_u16(), name, password, client)
        })
    });
    gate.arrived(2).await;
    gate.open();
    let answers = join_all(joining).await.into_iter().map(Result::unwrap);
    let (won, lost): (Vec<_>, Vec<_>) = answers.partition(|(status, ..)| *status == 303);
    assert_eq!((won.len(), lost[0].0), (1, 410));
    let (_, name, password, client) = &won[0];
    assert_eq!(me(client).await.expect(200).json::<Value>()["name"], **name);
    me(&lost[0].3).await.expect(401);
    sign_in(&browser(&workspace), PAT, password).await.expect(303);
    sign_in(&browser(&workspace), PAT, lost[0].2).await.expect(422);
    let account = workspace.app.accounts().find(invited.id).await.unwrap();
    assert_eq!(account.version, invited.version.next());
    let sessions = workspace.app.accounts().sessions(&account, 50, None).await.unwrap();
    assert_eq!(sessions.items.len(), 2, "of the link and of the password");
}

async fn an_invitation_that_is_withdrawn_while_it_is_used_has_one_outcome(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (invited, path) = invite(&workspace).await;
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let gate = wire.hold(1, WRITE);
    let pat = browser(&other);
    let joining = tokio::spawn({
        let (pat, path) = (pat.clone(), path.clone());
        async move { join(&pat, &path).await }
    });
    gate.arrived(1).await;
    let accounts = workspace.app.accounts();
    accounts.withdraw_link(invited.id, invited.version, Operator::Command, None).await.unwrap();
    gate.open();
    joining.await.unwrap().expect(410);
    me(&pat).await.expect(401);
    let account = accounts.find(invited.id).await.unwrap();
    assert_eq!((account.status, account.password), (AccountStatus::Invited, None));
}

async fn a_lost_reply_does_not_waste_an_invitation(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (_, path) = invite(&workspace).await;
    environment.wire().next(WRITE, Fault::ReplyLost);
    let pat = browser(&workspace);
    join(&pat, &path).await.expect(303);
    me(&pat).await.expect(200);
}
