//! Passwords: wrong ones are counted and answered alike, and new ones end other sessions.

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{
    OTHER, PASSWORD, browser, change, later, me, set_up, sign_in, signed_in, with_cookie_of, with_password,
};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: concurrent_wrong_passwords_are_all_counted;
        web: a_wrong_password_and_an_unknown_address_get_the_same_answer,
            a_new_password_ends_older_sessions_and_keeps_this_one;
        store: one_of_two_concurrent_password_changes_is_kept;
        app: ten_wrong_passwords_block_sign_in_for_15_minutes
    ]
}

async fn a_wrong_password_and_an_unknown_address_get_the_same_answer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let mut heard = Vec::new();
    for (email, password, calls) in [
        // The sign-in name, the attempt, the account and the audit entry.
        ("ann@holdfast.test", "not the right one", 4),
        ("bob@holdfast.test", PASSWORD, 4),
        // An account without a password.
        ("admin@holdfast.local", PASSWORD, 4),
        ("ann@holdfast.test", "short", 1),
        ("bob@holdfast.test", "short", 1),
        ("no address", PASSWORD, 1),
    ] {
        let client = browser(&workspace);
        environment.wire().reset();
        let answer = sign_in(&client, email, password).await.expect(422);
        assert_eq!(
            environment.wire().total(),
            calls,
            "{email}: the same number of calls for known and unknown addresses"
        );
        assert_eq!(answer.header("set-cookie"), "");
        assert!(!answer.text().contains(password), "the answer does not repeat the password");
        heard.push(answer.text().replace(email, "…"));
    }
    assert!(heard.iter().all(|page| page == &heard[0]), "{heard:#?}");
}

async fn ten_wrong_passwords_block_sign_in_for_15_minutes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    with_password(&workspace, "bob@holdfast.test").await;
    let client = browser(&workspace);
    for email in ["ann@holdfast.test", "unknown@holdfast.test"] {
        for _ in 0..10 {
            sign_in(&client, email, "not the right one").await.expect(422);
        }
        let closed = sign_in(&client, email, PASSWORD).await.expect(429);
        let wait: u64 = closed.header("retry-after").parse().unwrap();
        assert!((800..=900).contains(&wait), "{wait}");
        assert!(closed.text().contains("Wait 15 minutes"), "{}", closed.text());
    }
    // Upper case is the same address. Other people can sign in.
    sign_in(&client, "ANN@holdfast.test", PASSWORD).await.expect(429);
    sign_in(&browser(&workspace), "bob@holdfast.test", PASSWORD).await.expect(303);
    let after = later(&workspace, SignedDuration::from_mins(15));
    sign_in(&browser(&after), "ann@holdfast.test", PASSWORD).await.expect(303);
    // The right password resets the count of wrong guesses.
    for _ in 0..2 {
        for _ in 0..9 {
            sign_in(&client, "bob@holdfast.test", "not the right one").await.expect(422);
        }
        sign_in(&browser(&workspace), "bob@holdfast.test", PASSWORD).await.expect(303);
    }
}

async fn concurrent_wrong_passwords_are_all_counted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let guesses = (0..64).map(|_| {
        let client = browser(&workspace);
        tokio::spawn(async move { sign_in(&client, "ann@holdfast.test", "not the right one").await })
    });
    let statuses: Vec<u16> =
        join_all(guesses).await.into_iter().map(|guess| guess.unwrap().status.as_u16()).collect();
    let count = |status: u16| statuses.iter().filter(|answered| **answered == status).count();
    assert_eq!((count(422), count(429)), (10, 54), "{statuses:?}");
    sign_in(&browser(&workspace), "ann@holdfast.test", PASSWORD).await.expect(429);
}

async fn a_new_password_ends_older_sessions_and_keeps_this_one(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let (here, there) =
        (signed_in(&workspace, "ann@holdfast.test").await, signed_in(&workspace, "ann@holdfast.test").await);
    let before =
        workspace.visitor().always("cookie", &format!("holdfast={}", here.cookie("holdfast").unwrap()));
    for (current, new, again, words) in [
        ("not the right one", OTHER, OTHER, "Incorrect current password."),
        ("", OTHER, OTHER, "Incorrect current password."),
        (PASSWORD, OTHER, PASSWORD, "The passwords don&#39;t match."),
        (PASSWORD, "short", "short", "Use at least 12 characters"),
    ] {
        let refused = change(&here, current, new, again).await.expect(422);
        assert!(refused.text().contains(words), "{words}: {}", refused.text());
    }
    me(&there).await.expect(200);
    let changed = change(&here, PASSWORD, OTHER, OTHER).await.expect(303);
    let page = here.get(changed.header("location")).send().await.expect(200);
    assert!(page.text().contains("Your password was changed."), "{}", page.text());
    me(&here).await.expect(200);
    me(&there).await.expect(401);
    me(&before).await.expect(401);
    sign_in(&browser(&workspace), "ann@holdfast.test", PASSWORD).await.expect(422);
    sign_in(&browser(&workspace), "ann@holdfast.test", OTHER).await.expect(303);
}

async fn one_of_two_concurrent_password_changes_is_kept(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let link = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let here = browser(&workspace);
    set_up(&here, &link).await;
    // The same person at a second instance, whose write is held back.
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let there = with_cookie_of(&here, &other);
    let gate = wire.hold(1, "TransactWriteItems");
    let waiting = tokio::spawn({
        let there = there.clone();
        async move { change(&there, PASSWORD, "a third horse battery", "a third horse battery").await }
    });
    gate.arrived(1).await;
    change(&here, PASSWORD, OTHER, OTHER).await.expect(303);
    gate.open();
    // Its session has ended, so the refusal is correct.
    let refused = waiting.await.unwrap().expect(409);
    assert!(refused.text().contains("Nothing was saved"), "{}", refused.text());
    me(&there).await.expect(401);
    sign_in(&browser(&workspace), "ada@example.com", "a third horse battery").await.expect(422);
    sign_in(&browser(&workspace), "ada@example.com", OTHER).await.expect(303);
}
