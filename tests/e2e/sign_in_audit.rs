//! The audit entries of sign-ins and of refused attempts.

use holdfast::accounts::administer::{AccountDraft, WithLink};
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::AccountKind;
use holdfast::accounts::link_path;
use holdfast::accounts::sign_up::SignUp;
use holdfast::base::identity::Role;
use holdfast::base::values::Version;
use jiff::SignedDuration;

use super::accounts::{OTHER, PASSWORD, browser, change, later, sign_in, signed_in, with_password};
use super::audit::details;
use crate::support::http::Client;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: the_first_refused_attempt_of_a_window_has_an_entry,
            a_network_that_sends_malformed_passwords_is_limited,
            each_refused_attempt_has_an_entry,
            each_first_session_has_an_entry;
        store: one_of_many_concurrent_refused_attempts_has_an_entry
    ]
}

const ANN: &str = "ann@holdfast.test";
const WRITE: &str = "TransactWriteItems";
const WRONG: &str = "not the right one";

async fn admin(workspace: &Workspace) -> Client {
    workspace.program(Role::Administrator).await
}

/// The details of refused attempts that contain these words.
async fn refused(admin: &Client, words: &str) -> usize {
    let details = details(admin, "sign-in-failed").await;
    details.iter().filter(|detail| detail.contains(words)).count()
}

/// Uses up the attempts for Ann's address, from many networks.
async fn guess(workspace: &Workspace) {
    for number in 0..10 {
        let stranger = workspace.visitor_from(&format!("198.51.100.{number}"));
        sign_in(&stranger, ANN, WRONG).await.expect(422);
    }
}

async fn the_first_refused_attempt_of_a_window_has_an_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = admin(&workspace).await;
    with_password(&workspace, ANN).await;
    let words = "Too many failed attempts for this email. More are refused for 15 minutes.";
    guess(&workspace).await;
    assert_eq!(
        (refused(&admin, "Incorrect email or password.").await, refused(&admin, words).await),
        (10, 0)
    );
    let stranger = workspace.visitor_from("198.51.100.99");
    sign_in(&stranger, ANN, WRONG).await.expect(429);
    assert_eq!(refused(&admin, words).await, 1);
    // A flood writes nothing: the write that would count an attempt is refused.
    for password in [WRONG, PASSWORD] {
        environment.wire().reset();
        sign_in(&stranger, ANN, password).await.expect(429);
        assert_eq!(environment.wire().count(WRITE), 1);
    }
    assert_eq!((refused(&admin, "").await, refused(&admin, words).await), (11, 1));
    // The next window has an entry again.
    let after = later(&workspace, SignedDuration::from_mins(16));
    guess(&after).await;
    for _ in 0..2 {
        sign_in(&after.visitor_from("198.51.100.99"), ANN, WRONG).await.expect(429);
    }
    let admin = self::admin(&after).await;
    assert_eq!(refused(&admin, words).await, 2);
}

async fn one_of_many_concurrent_refused_attempts_has_an_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = admin(&workspace).await;
    guess(&workspace).await;
    // Both have read that no attempt was refused yet.
    let counting = environment.wire().hold(2, WRITE);
    let guessing = [1, 2].map(|number| {
        let stranger = workspace.visitor_from(&format!("203.0.113.{number}"));
        tokio::spawn(async move { sign_in(&stranger, ANN, WRONG).await.status.as_u16() })
    });
    counting.arrived(2).await;
    let recording = environment.wire().hold(2, WRITE);
    counting.open();
    recording.arrived(2).await;
    recording.open();
    for status in guessing {
        assert_eq!(status.await.unwrap(), 429);
    }
    assert_eq!(refused(&admin, "Too many failed attempts for this email.").await, 1);
}

async fn a_network_that_sends_malformed_passwords_is_limited(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = admin(&workspace).await;
    with_password(&workspace, ANN).await;
    let stranger = workspace.visitor_from("198.51.100.7");
    for number in 0..100 {
        let (email, password) = if number % 2 == 0 { (ANN, "short") } else { ("my secret password", WRONG) };
        let answer = sign_in(&stranger, email, password).await.expect(422);
        assert!(answer.text().contains("Incorrect email or password."), "{}", answer.text());
    }
    for email in [ANN, "my secret password"] {
        let answer = sign_in(&stranger, email, "short").await.expect(429);
        assert!(answer.text().contains("from your network"), "{}", answer.text());
    }
    assert_eq!(refused(&admin, "Incorrect email or password.").await, 100);
    assert_eq!(refused(&admin, "Too many failed attempts from this network.").await, 1);
    // What was typed instead of an address may be a password.
    let log = admin.get("/api/audit?kind=sign-in-failed").send().await.expect(200);
    assert!(log.text().contains("an invalid email") && log.text().contains(ANN), "{}", log.text());
    assert!(!log.text().contains("secret password"), "{}", log.text());
    // They use no attempt of the address.
    sign_in(&workspace.visitor_from("198.51.100.8"), ANN, PASSWORD).await.expect(303);
}

async fn each_refused_attempt_has_an_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = admin(&workspace).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    for current in [WRONG, "short", ""] {
        change(&ann, current, OTHER, OTHER).await.expect(422);
    }
    ann.post("/account/two-factor/codes").form(&[("current", WRONG)]).send().await.expect(422);
    assert_eq!(refused(&admin, "Incorrect current password.").await, 4);
    for _ in 0..7 {
        change(&ann, WRONG, OTHER, OTHER).await;
    }
    let words = "Too many failed attempts in this browser. More are refused for";
    assert_eq!((refused(&admin, "").await, refused(&admin, words).await), (11, 1));

    let by_invitation = SignUp::from_settings(Some("invitation"), Some("k7-Wm2!xQ")).unwrap();
    let workspace = workspace.with_sign_up(by_invitation);
    let pat = browser(&workspace);
    let form =
        [("name", "Pat"), ("email", "pat@holdfast.test"), ("password", PASSWORD), ("code", "12345678")];
    pat.post("/sign-up").form(&form).send().await.expect(422);
    assert_eq!(refused(&admin, "Incorrect invitation code.").await, 1);
}

async fn each_first_session_has_an_entry(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = admin(&workspace).await;
    let accounts = workspace.app.accounts();
    let use_link = async |path: &str, form: &[(&str, &str)]| {
        browser(&workspace).post(path).form(form).send().await.expect(303);
    };
    let first = accounts.first_administrator_link().await.unwrap().unwrap();
    let form = [("name", "Ada"), ("email", "ada@holdfast.test"), ("password", PASSWORD)];
    use_link(&link_path(&first), &form[..]).await;
    let draft = AccountDraft {
        name: "Pat Doe".parse().unwrap(),
        email: Some("pat@holdfast.test".parse().unwrap()),
        role: Role::Agent,
        kind: AccountKind::Person,
    };
    let (_, secret) = accounts.invite(draft, Operator::Command, None).await.unwrap().now().unwrap();
    use_link(&link_path(secret.unwrap().reveal()), &[("name", "Pat Doe"), ("password", PASSWORD)][..]).await;
    let ann = with_password(&workspace, ANN).await;
    let reset = accounts.renew_link(ann, Version::FIRST, Operator::Command, None).await;
    let WithLink { secret, .. } = reset.unwrap().now().unwrap();
    use_link(&link_path(secret.reveal()), &[("password", OTHER)][..]).await;
    let found = details(&admin, "signed-in").await;
    let device = "Unknown device.";
    let expected =
        ["by the link of the first start with", "by an invitation with", "by a password reset with"];
    let mut expected: Vec<_> = expected.iter().map(|how| format!("Signed in {how} {device}")).collect();
    let mut found = found;
    // Entries of one millisecond have no order.
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
