//! Sessions that end with a new one, cookies of version 0.1 that outlive their session, and lists with many ended
//! sessions.

use std::collections::BTreeSet;
use std::ops::Range;

use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::accounts::sessions::SessionLimits;
use holdfast::base::identity::{AccountId, Role};
use holdfast::store::{Condition, Key, Select, to_item};
use serde_json::json;

use super::accounts::{OTHER, PASSWORD, me, sign_in, signed_in, with_cookie_of, with_password};
use super::sessions::{
    ANN, HOUR, SECOND, SOON, WEEK, WRITE, elsewhere, former, opened, renewed, sessions, with_cookie,
};
use crate::support::http::Client;
use crate::support::workspace::{SHORT_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: signing_in_again_ends_the_session_that_the_browser_had,
            a_cookie_of_version_01_is_replaced_by_signing_in,
            a_cookie_of_version_01_ends_after_one_day_if_sessions_last_for_one_day,
            a_list_shows_this_session_and_all_others_among_many_ended_ones;
        store: a_replaced_session_has_ended_if_signing_in_has_no_answer
    ]
}

async fn signing_in_again_ends_the_session_that_the_browser_had(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let (accounts, other) = (workspace.app.accounts(), elsewhere(&environment, &workspace, &clock));
    with_password(&workspace, "bob@holdfast.test").await;
    let phone = signed_in(&workspace, ANN).await;
    let browser = signed_in(&workspace, ANN).await;
    for (number, email) in [ANN, ANN, ANN, "bob@holdfast.test", ANN].into_iter().enumerate() {
        let (copied, there) = (with_cookie_of(&browser, &workspace), with_cookie_of(&browser, &other));
        // A wrong password ends nothing.
        sign_in(&browser, email, OTHER).await.expect(422);
        for client in [&browser, &copied, &there] {
            me(client).await.expect(200);
        }
        match number {
            1 => {
                let link = accounts.sign_in_link(ann, Operator::Command).await.unwrap();
                browser.use_link(&link_path(&link)).await.expect(303);
            }
            _ => _ = sign_in(&browser, email, PASSWORD).await.expect(303),
        }
        me(&browser).await.expect(200);
        me(&copied).await.expect(401);
        clock.advance(SOON);
        me(&there).await.expect(401);
    }
    // Other browsers stay signed in, and the list shows only what works.
    me(&phone).await.expect(200);
    assert_eq!(sessions(&phone).await.1, 2);
    // A browser without a session ends none.
    signed_in(&workspace, ANN).await;
    assert_eq!(sessions(&phone).await.1, 3);
    // A link that sets a new password ends all sessions of the account, and that of another person in this browser.
    let bob = signed_in(&workspace, "bob@holdfast.test").await;
    let copied = with_cookie_of(&bob, &workspace);
    let version = accounts.find(ann).await.unwrap().version;
    let reset = accounts.renew_link(ann, version, Operator::Command, None).await.unwrap().now().unwrap();
    let form = [("password", OTHER)];
    bob.post(&link_path(reset.secret.reveal())).form(&form).send().await.expect(303);
    for client in [&copied, &phone, &browser] {
        me(client).await.expect(401);
    }
    me(&bob).await.expect(200);
}

async fn a_replaced_session_has_ended_if_signing_in_has_no_answer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let wire = environment.another_wire();
    let hasty = workspace.another(&environment, &wire, SHORT_RETRIES);
    let browser = signed_in(&hasty, ANN).await;
    let copied = with_cookie_of(&browser, &hasty);
    me(&copied).await.expect(200);
    // The attempt is counted and refunded, and the write of the session happens without an answer.
    wire.hold(2, WRITE).open();
    wire.always(WRITE, Fault::StatusAfterCommit(500));
    let status = sign_in(&browser, ANN, PASSWORD).await.status.as_u16();
    assert!(matches!(status, 303 | 500 | 503), "{status}");
    wire.reset();
    me(&copied).await.expect(401);
}

async fn a_cookie_of_version_01_is_replaced_by_signing_in(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let began = clock.now() - HOUR;
    let old = || former(&workspace, ann, 1, began);
    let (cookie, _) = renewed(&me(&old()).await.expect(200));
    sign_in(&old(), ANN, PASSWORD).await.expect(303);
    for client in [old(), with_cookie(&workspace, &cookie)] {
        me(&client).await.expect(401);
    }
    // One that no request has exchanged before.
    let old = || former(&workspace, ann, 1, began - HOUR);
    sign_in(&old(), ANN, PASSWORD).await.expect(303);
    me(&old()).await.expect(401);
}

/// The seconds at which the sessions of an account expire in the table.
async fn expiries(workspace: &Workspace, account: AccountId) -> Vec<i64> {
    let range = Select::partition(format!("ACCOUNT#{account}"), 100).begins_with("SESSION#");
    let items = workspace.app.dynamo.select(&range).await.unwrap().items;
    items.iter().map(|item| item["expiresAt"].as_n().unwrap().parse().unwrap()).collect()
}

async fn a_cookie_of_version_01_ends_after_one_day_if_sessions_last_for_one_day(
    environment: TestEnvironment,
) {
    let (workspace, clock, ann) = opened(&environment).await;
    let usual = workspace.clone();
    let limits = SessionLimits { absolute: HOUR * 24, ..SessionLimits::default() };
    let workspace = workspace.with_session_limits(limits);
    let began = clock.now() - HOUR * 20;
    let old = || former(&workspace, ann, 1, began);
    let (cookie, age) = renewed(&me(&old()).await.expect(200));
    assert_eq!(age, (HOUR * 4).as_secs());
    let new = with_cookie(&workspace, &cookie);
    clock.advance(HOUR * 4 - SECOND);
    me(&new).await.expect(200);
    clock.advance(SOON);
    // A session that is older than a day is not exchanged, although its cookie would last for longer.
    let ended = former(&workspace, ann, 1, clock.now() - HOUR * 24);
    environment.wire().reset();
    for client in [&new, &old(), &ended] {
        let refused = me(client).await.expect(401);
        assert_eq!(refused.header("set-cookie"), "");
    }
    assert_eq!(environment.wire().count(WRITE), 0);
    // After signing out, the table remembers it until the cookie itself has ended, regardless of the limits.
    let second = clock.now() - HOUR;
    let old = |workspace: &Workspace| former(workspace, ann, 1, second);
    me(&old(&workspace)).await.expect(200);
    old(&workspace).post("/sign-out").send().await.expect(303);
    let kept = expiries(&workspace, ann).await;
    for (began, until) in [began, second].map(|began| (began, (began + WEEK).as_second())) {
        assert!(kept.iter().any(|expiry| *expiry >= until), "{began}: {kept:?}");
    }
    for _ in 0..6 {
        clock.advance(HOUR * 24);
        for workspace in [&workspace, &usual] {
            me(&old(workspace)).await.expect(401);
        }
    }
}

/// Writes sessions of an account with these numbers, whose ids begin with a digit.
async fn put_sessions(
    workspace: &Workspace,
    account: AccountId,
    numbers: Range<usize>,
    (digit, ended): (char, bool),
) {
    let now = workspace.app.clock.now();
    let session = json!({
        "epoch": 1, "createdAt": now, "lastSeenAt": now, "device": "Firefox on Windows", "ended": ended,
        "expiresAt": (now + WEEK).as_second(),
    });
    let numbers: Vec<usize> = numbers.collect();
    for some in numbers.chunks(100) {
        let write = some.iter().fold(workspace.app.dynamo.guarded_write(), |write, number| {
            let key = Key::new(format!("ACCOUNT#{account}"), format!("SESSION#{digit}{number:063x}"));
            write.put("session", to_item(&key, &session).unwrap(), Condition::Absent)
        });
        assert!(workspace.app.dynamo.try_write(write).await.unwrap());
    }
}

/// The ids of the sessions on a page that it offers to end, and the address of the next page.
fn listed(page: &str) -> (BTreeSet<String>, Option<String>) {
    let parts = page.split("/end\"").filter_map(|part| part.rsplit_once("/sessions/"));
    let ids = parts.map(|(_, id)| id.to_owned()).filter(|id| id.len() == 64);
    let next =
        page.split_once("\">More sessions</a>").map(|(before, _)| before.rsplit_once("href=\"").unwrap().1);
    (ids.collect(), next.map(|next| next.replace("&#38;", "&").replace("&amp;", "&")))
}

/// Reads all pages of the sessions, the first of which has this address.
async fn all_listed(client: &Client, path: &str) -> (usize, BTreeSet<String>) {
    let (mut pages, mut found, mut next) = (0, BTreeSet::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let page = client.get(&path).send().await.expect(200);
        let (ids, after) = listed(page.text());
        found.extend(ids);
        (pages, next) = (pages + 1, after);
    }
    (pages, found)
}

async fn a_list_shows_this_session_and_all_others_among_many_ended_ones(environment: TestEnvironment) {
    let (workspace, _, ann) = opened(&environment).await;
    let admin = workspace.session(Role::Administrator, "Bob").await;
    let person = format!("/people/{ann}");
    let browser = signed_in(&workspace, ANN).await;
    me(&browser).await.expect(200);
    // Sixty ended ones come first in the order of the table.
    put_sessions(&workspace, ann, 0..60, ('0', true)).await;
    environment.wire().reset();
    let (page, count) = sessions(&browser).await;
    assert_eq!((count, page.matches("This device").count()), (1, 1), "{page}");
    assert!(environment.wire().total() <= 4, "{} calls", environment.wire().total());
    assert_eq!(all_listed(&admin, &person).await.1.len(), 1);
    // More current ones than one page shows.
    put_sessions(&workspace, ann, 0..70, ('1', false)).await;
    let current: BTreeSet<_> = (0..70).map(|number| format!("1{number:063x}")).collect();
    let (page, count) = sessions(&browser).await;
    assert!(matches!(count, 50 | 51), "{count}");
    assert_eq!(page.matches("This device").count(), 1, "{page}");
    assert!(page.contains("End all other sessions"), "{page}");
    assert_eq!(all_listed(&browser, "/account").await, (2, current.clone()));
    assert_eq!(all_listed(&admin, &person).await.1.len(), 71);
    // However many have ended, a page takes a bounded number of calls and shows this session.
    put_sessions(&workspace, ann, 60..660, ('0', true)).await;
    environment.wire().reset();
    let (page, _) = sessions(&browser).await;
    assert_eq!(page.matches("This device").count(), 1, "{page}");
    assert!(environment.wire().total() <= 8, "{} calls", environment.wire().total());
    assert_eq!(all_listed(&browser, "/account").await.1, current);
    assert_eq!(all_listed(&admin, &person).await.1.len(), 71);
}
