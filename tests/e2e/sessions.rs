//! Sessions in the table: when they end, how their last use is written, and the cookies of version 0.1.

use futures_util::future::join_all;
use holdfast::accounts::keys::cookie_key;
use holdfast::base::identity::{AccountId, Role};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::accounts::{
    OTHER, PASSWORD, browser, change, me, sign_in, signed_in, with_cookie_of, with_password,
};
use crate::support::clock::TestClock;
use crate::support::http::{Client, Response};
use crate::support::workspace::{COOKIE_SECRET, SHORT_RETRIES, TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: a_session_ends_after_twelve_hours_without_use,
            a_session_ends_after_seven_days_however_much_it_is_used,
            the_last_use_is_written_at_most_every_ten_minutes,
            a_request_succeeds_if_the_last_use_cannot_be_written,
            signing_out_ends_the_session_here_at_once_and_elsewhere_soon,
            a_session_continues_if_signing_out_fails,
            a_cookie_of_version_01_becomes_one_session,
            a_cookie_of_version_01_ends_at_its_old_time,
            a_cookie_of_version_01_cannot_come_back_after_signing_out,
            a_cookie_of_version_01_of_an_ended_session_is_not_exchanged,
            sessions_are_listed_with_their_device_and_address_and_ended_one_by_one,
            all_other_sessions_end_and_this_one_continues,
            a_new_password_ends_the_other_sessions_and_if_wanted_revokes_the_tokens;
        store: a_session_whose_end_has_no_answer_is_ended
    ]
}

pub(super) const ANN: &str = "ann@holdfast.test";
pub(super) const WRITE: &str = "TransactWriteItems";
pub(super) const SECOND: SignedDuration = SignedDuration::from_secs(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(super) const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long another process may still accept an ended session.
pub(super) const SOON: SignedDuration = SignedDuration::from_secs(10);

/// A workspace with Ann's account, and the clock that it shows.
pub(super) async fn opened(environment: &TestEnvironment) -> (Workspace, TestClock, AccountId) {
    let clock = TestClock::new();
    let workspace = Workspace::open(environment).await.with_clock(clock.clock());
    let ann = with_password(&workspace, ANN).await;
    (workspace, clock, ann)
}

/// Another process over the same table.
pub(super) fn elsewhere(
    environment: &TestEnvironment,
    workspace: &Workspace,
    clock: &TestClock,
) -> Workspace {
    workspace.another(environment, &environment.another_wire(), TEST_RETRIES).with_clock(clock.clock())
}

async fn a_session_ends_after_twelve_hours_without_use(environment: TestEnvironment) {
    let (workspace, clock, _) = opened(&environment).await;
    let ann = signed_in(&workspace, ANN).await;
    for _ in 0..2 {
        clock.advance(HOUR * 12 - SECOND);
        me(&ann).await.expect(200);
    }
    clock.advance(HOUR * 12);
    me(&ann).await.expect(401);
    // A page leads to signing in, and the ended session cannot be used up again.
    let page = ann.get("/leads").send().await.expect(303);
    assert!(page.header("location").starts_with("/sign-in"), "{}", page.header("location"));
    sign_in(&ann, ANN, PASSWORD).await.expect(303);
    me(&ann).await.expect(200);
}

async fn a_session_ends_after_seven_days_however_much_it_is_used(environment: TestEnvironment) {
    let (workspace, clock, _) = opened(&environment).await;
    let ann = signed_in(&workspace, ANN).await;
    for _ in 0..15 {
        clock.advance(HOUR * 11);
        me(&ann).await.expect(200);
    }
    clock.advance(WEEK - HOUR * 11 * 15 - SECOND);
    me(&ann).await.expect(200);
    clock.advance(SOON);
    me(&ann).await.expect(401);
}

async fn the_last_use_is_written_at_most_every_ten_minutes(environment: TestEnvironment) {
    let (workspace, clock, _) = opened(&environment).await;
    let ann = signed_in(&workspace, ANN).await;
    for _ in 0..2 {
        environment.wire().reset();
        for _ in 0..9 {
            clock.advance(MINUTE);
            me(&ann).await.expect(200);
        }
        let calls = (environment.wire().count("BatchGetItem"), environment.wire().total());
        assert_eq!(calls, (9, 9), "one read each and no write");
        clock.advance(MINUTE);
        me(&ann).await.expect(200);
        let calls = (environment.wire().count("BatchGetItem"), environment.wire().count(WRITE));
        assert_eq!((calls, environment.wire().total()), ((10, 1), 11));
    }
    // Of several requests at once one writes it, and none fails.
    clock.advance(MINUTE * 10);
    let gate = environment.wire().hold(3, WRITE);
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let ann = ann.clone();
            tokio::spawn(async move { me(&ann).await.status.as_u16() })
        })
        .collect();
    gate.arrived(3).await;
    gate.open();
    let statuses: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(statuses, [200; 3]);
}

async fn a_request_succeeds_if_the_last_use_cannot_be_written(environment: TestEnvironment) {
    let (workspace, clock, _) = opened(&environment).await;
    let ann = signed_in(&workspace, ANN).await;
    let token = workspace.bearer(&workspace.token(Role::Agent, "Bob").await);
    for fault in [Fault::Refused("ValidationException"), Fault::Throttled, Fault::Hang] {
        clock.advance(MINUTE * 10);
        for client in [&ann, &token] {
            environment.wire().reset();
            environment.wire().always(WRITE, fault.clone());
            me(client).await.expect(200);
            assert!(environment.wire().count(WRITE) >= 1, "{fault:?}");
            environment.wire().reset();
            // The next process or check writes it.
            clock.advance(SOON);
            me(client).await.expect(200);
            assert_eq!(environment.wire().count(WRITE), 1, "{fault:?}");
        }
    }
}

async fn signing_out_ends_the_session_here_at_once_and_elsewhere_soon(environment: TestEnvironment) {
    let (workspace, clock, _) = opened(&environment).await;
    let other = elsewhere(&environment, &workspace, &clock);
    let ann = signed_in(&workspace, ANN).await;
    // Another browser of hers stays signed in.
    let phone = signed_in(&workspace, ANN).await;
    let (copied, there) = (with_cookie_of(&ann, &workspace), with_cookie_of(&ann, &other));
    for client in [&ann, &copied, &there, &phone] {
        me(client).await.expect(200);
    }
    let answer = ann.post("/sign-out").send().await.expect(303);
    assert_eq!(answer.header("location"), "/sign-in");
    assert_eq!(ann.cookie("holdfast"), None);
    me(&copied).await.expect(401);
    copied.post("/api/tokens").json(&json!({ "name": "for ever" })).send().await.expect(401);
    clock.advance(SOON);
    me(&there).await.expect(401);
    there.post("/api/tokens").json(&json!({ "name": "for ever" })).send().await.expect(401);
    me(&phone).await.expect(200);
    // Signing out again, also with the copied cookie, says the same.
    copied.post("/sign-out").send().await.expect(303);
    ann.post("/sign-out").send().await.expect(303);
}

async fn a_session_continues_if_signing_out_fails(environment: TestEnvironment) {
    let (workspace, _, _) = opened(&environment).await;
    let ann = signed_in(&workspace, ANN).await;
    environment.wire().always(WRITE, Fault::Refused("ValidationException"));
    let failed = ann.post("/sign-out").send().await.expect(500);
    assert_eq!(failed.header("set-cookie"), "", "the browser keeps the session that it can still end");
    environment.wire().reset();
    me(&ann).await.expect(200);
    let copied = with_cookie_of(&ann, &workspace);
    ann.post("/sign-out").send().await.expect(303);
    me(&copied).await.expect(401);
}

async fn a_session_whose_end_has_no_answer_is_ended(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    let copied = with_cookie_of(&ann, &workspace);
    environment.wire().next(WRITE, Fault::ReplyLost);
    ann.post("/sign-out").send().await.expect(303);
    me(&copied).await.expect(401);
    // An instance that gives up has ended it in its own memory as well.
    let wire = environment.another_wire();
    let hasty = workspace.another(&environment, &wire, SHORT_RETRIES);
    let bob = signed_in(&hasty, ANN).await;
    let copied = with_cookie_of(&bob, &hasty);
    me(&copied).await.expect(200);
    wire.always(WRITE, Fault::StatusAfterCommit(500));
    let status = bob.post("/sign-out").send().await.status.as_u16();
    assert!(matches!(status, 303 | 500 | 503), "{status}");
    wire.reset();
    me(&copied).await.expect(401);
}

/// A browser with the cookie of a session of version 0.1. It keeps the cookie that replaces it, so a second request with
/// the old one needs another browser.
pub(super) fn former(workspace: &Workspace, account: AccountId, epoch: u64, began: Timestamp) -> Client {
    let key = cookie_key(COOKIE_SECRET).expect("the secret is long enough");
    let cookie = key.sign("holdfast", &format!("{account}.{epoch}.{}", began.as_second()));
    browser(workspace).always("cookie", &format!("holdfast={cookie}"))
}

/// The value of the session cookie that an answer sets, and for how many seconds.
pub(super) fn renewed(answer: &Response) -> (String, i64) {
    let mut cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.find_map(|cookie| cookie.strip_prefix("holdfast=")).expect("the session is renewed");
    let age = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age=")).expect(cookie);
    (cookie.split(';').next().unwrap().to_owned(), age.parse().unwrap())
}

pub(super) fn with_cookie(workspace: &Workspace, cookie: &str) -> Client {
    browser(workspace).always("cookie", &format!("holdfast={cookie}"))
}

/// The page of the account, and the number of sessions on it.
pub(super) async fn sessions(client: &Client) -> (String, usize) {
    let page = client.get("/account").send().await.expect(200).text().to_owned();
    let sessions = page.matches("since <time").count();
    (page, sessions)
}

async fn a_cookie_of_version_01_becomes_one_session(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let old = || former(&workspace, ann, 1, clock.now() - HOUR);
    // Three requests of one page arrive at once, and all have read that there is no session yet.
    let gate = environment.wire().hold(3, WRITE);
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let old = old();
            tokio::spawn(async move { me(&old).await })
        })
        .collect();
    gate.arrived(3).await;
    gate.open();
    let answers: Vec<_> = join_all(asking).await.into_iter().map(|one| one.unwrap().expect(200)).collect();
    let cookies: Vec<_> = answers.iter().map(renewed).collect();
    assert!(cookies.iter().all(|cookie| cookie == &cookies[0]), "{cookies:?}");
    let new = with_cookie(&workspace, &cookies[0].0);
    let (page, count) = sessions(&new).await;
    assert_eq!((count, page.matches("This device").count()), (1, 1), "{page}");
    // The old cookie, for example of another tab, is the same session.
    assert_eq!(sessions(&old()).await.1, 1);
    assert_eq!(renewed(&me(&old()).await.expect(200)), cookies[0]);
    assert_eq!(me(&new).await.expect(200).header("set-cookie"), "");
}

async fn a_cookie_of_version_01_ends_at_its_old_time(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let began = clock.now() - HOUR * 6 * 24;
    let old = || former(&workspace, ann, 1, began);
    let (cookie, age) = renewed(&me(&old()).await.expect(200));
    assert_eq!(age, (HOUR * 24).as_secs());
    let new = with_cookie(&workspace, &cookie);
    for _ in 0..2 {
        clock.advance(HOUR * 11);
        me(&new).await.expect(200);
    }
    clock.advance(HOUR * 2 - SECOND);
    me(&new).await.expect(200);
    assert_eq!(renewed(&me(&old()).await.expect(200)), (cookie, 1));
    clock.advance(SOON);
    me(&new).await.expect(401);
    me(&old()).await.expect(401);
    // A session of before is too old from the start.
    me(&former(&workspace, ann, 1, clock.now() - WEEK)).await.expect(401);
}

async fn a_cookie_of_version_01_cannot_come_back_after_signing_out(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let other = elsewhere(&environment, &workspace, &clock);
    // One browser was renewed before it signs out, the other one signs out with its old cookie.
    for (hours, is_renewed) in [(1, true), (2, false)] {
        let began = clock.now() - HOUR * hours;
        let old = |workspace: &Workspace| former(workspace, ann, 1, began);
        let (cookie, _) = renewed(&me(&old(&other)).await.expect(200));
        let new = || with_cookie(&workspace, &cookie);
        let leaving = if is_renewed { new() } else { old(&workspace) };
        let out = leaving.post("/sign-out").send().await.expect(303);
        assert_eq!(renewed(&out), (String::new(), 0));
        for client in [old(&workspace), new()] {
            me(&client).await.expect(401);
        }
        clock.advance(SOON);
        for _ in 0..2 {
            for client in [old(&workspace), new(), old(&other), with_cookie(&other, &cookie)] {
                let refused = me(&client).await.expect(401);
                assert_eq!(refused.header("set-cookie"), "");
            }
            clock.advance(HOUR * 24);
        }
    }
    // Signing out ends a session that was never exchanged before.
    let began = clock.now() - HOUR;
    former(&workspace, ann, 1, began).post("/sign-out").send().await.expect(303);
    for workspace in [&workspace, &other] {
        me(&former(workspace, ann, 1, began)).await.expect(401);
    }
}

async fn a_cookie_of_version_01_of_an_ended_session_is_not_exchanged(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let now = clock.now();
    me(&former(&workspace, ann, 2, now)).await.expect(401);
    me(&former(&workspace, AccountId::new(now, &[7; 10]), 1, now)).await.expect(401);
    let forged = former(&workspace, ann, 1, now);
    let unsigned = browser(&workspace).always("cookie", &format!("holdfast={ann}.1.{}", now.as_second()));
    me(&unsigned).await.expect(401);
    // A new password ends the sessions of before, also those that were not exchanged yet.
    let here = signed_in(&workspace, ANN).await;
    change(&here, PASSWORD, OTHER, OTHER).await.expect(303);
    environment.wire().reset();
    me(&forged).await.expect(401);
    assert_eq!(environment.wire().count(WRITE), 0);
}

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/26.0 Mobile/15E148 Safari/604.1";

/// Ann at this browser and address.
async fn signed_in_at(workspace: &Workspace, user_agent: &str, address: &str) -> Client {
    let client = workspace.visitor_from(address).always("user-agent", user_agent);
    sign_in(&client, ANN, PASSWORD).await.expect(303);
    client
}

/// The ids of the sessions that a page offers to end.
fn ids(page: &str) -> Vec<&str> {
    let rest = page.split("action=\"/account/sessions/").skip(1);
    rest.filter_map(|rest| rest.split_once("/end\"")).map(|(id, _)| id).filter(|id| id.len() == 64).collect()
}

async fn sessions_are_listed_with_their_device_and_address_and_ended_one_by_one(
    environment: TestEnvironment,
) {
    let (workspace, clock, _) = opened(&environment).await;
    let here = signed_in_at(&workspace, FIREFOX, "203.0.113.9").await;
    let phone = signed_in_at(&workspace, IPHONE, "2001:db8::7").await;
    let unknown = signed_in(&workspace, ANN).await;
    let (page, count) = sessions(&here).await;
    assert_eq!((count, page.matches("This device").count()), (3, 1), "{page}");
    for words in [
        "Firefox on Windows",
        "203.0.113.9, since",
        "Safari on iPhone",
        "2001:db8::7, since",
        "Unknown device",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (_, after_phone) = page.split_once("Safari on iPhone").unwrap();
    let phone_id = ids(after_phone)[0].to_owned();
    assert_eq!(ids(&page).len(), 2, "this session ends by signing out");
    crate::support::html::assert_asks(&page, "/end");
    // Another person cannot end it, and an unreadable id is refused.
    let bob = workspace.session(Role::Administrator, "Bob").await;
    let bob = bob.same_origin();
    bob.post(&format!("/account/sessions/{phone_id}/end")).send().await.expect(303);
    clock.advance(SOON);
    me(&phone).await.expect(200);
    for id in ["x", &"g".repeat(64), &phone_id[1..], "..%2f.."] {
        let status = here.post(&format!("/account/sessions/{id}/end")).send().await.status.as_u16();
        assert!(matches!(status, 400 | 404 | 422), "{id}: {status}");
    }
    // A token cannot end sessions.
    let program = workspace.agent().await;
    program.post(&format!("/account/sessions/{phone_id}/end")).send().await.expect(403);
    program.post("/account/sessions/end").send().await.expect(403);

    let ended = here.post(&format!("/account/sessions/{phone_id}/end")).send().await.expect(303);
    let page = here.get(ended.header("location")).send().await.expect(200);
    assert!(page.text().contains("Session ended."), "{}", page.text());
    assert!(!page.text().contains("Safari on iPhone"), "{}", page.text());
    me(&phone).await.expect(401);
    for client in [&here, &unknown] {
        me(client).await.expect(200);
    }
    // Ending it again succeeds.
    here.post(&format!("/account/sessions/{phone_id}/end")).send().await.expect(303);
    // A session that was not used for twelve hours is not listed.
    clock.advance(HOUR * 11);
    me(&here).await.expect(200);
    clock.advance(HOUR);
    assert_eq!(sessions(&here).await.1, 1);
}

async fn all_other_sessions_end_and_this_one_continues(environment: TestEnvironment) {
    let (workspace, clock, ann) = opened(&environment).await;
    let other = elsewhere(&environment, &workspace, &clock);
    let here = signed_in_at(&workspace, FIREFOX, "203.0.113.9").await;
    let phone = signed_in_at(&workspace, IPHONE, "203.0.113.10").await;
    let old = former(&workspace, ann, 1, clock.now() - HOUR);
    let there = with_cookie_of(&phone, &other);
    let token = here.post("/api/tokens").json(&json!({ "name": "test" })).send().await.expect(201);
    let token = workspace.bearer(token.json::<Value>()["secret"].as_str().unwrap());
    for client in [&here, &phone, &there, &token] {
        me(client).await.expect(200);
    }
    let ended = here.post("/account/sessions/end").send().await.expect(303);
    let page = here.get(ended.header("location")).send().await.expect(200);
    assert!(page.text().contains("All other sessions ended."), "{}", page.text());
    assert_eq!(sessions(&here).await.1, 1);
    me(&phone).await.expect(401);
    me(&old).await.expect(401);
    me(&token).await.expect(200);
    clock.advance(SOON);
    me(&there).await.expect(401);
    me(&with_cookie_of(&here, &other)).await.expect(200);
    // This session still ends as before.
    clock.advance(WEEK);
    me(&here).await.expect(401);
}

async fn a_new_password_ends_the_other_sessions_and_if_wanted_revokes_the_tokens(
    environment: TestEnvironment,
) {
    let (workspace, clock, _) = opened(&environment).await;
    let other = elsewhere(&environment, &workspace, &clock);
    let here = signed_in(&workspace, ANN).await;
    let made = here.post("/api/tokens").json(&json!({ "name": "test" })).send().await.expect(201);
    let made: Value = made.json();
    let [token, there] =
        [&workspace, &other].map(|workspace| workspace.bearer(made["secret"].as_str().unwrap()));
    for (current, new, revoke) in [(PASSWORD, OTHER, false), (OTHER, PASSWORD, true)] {
        let phone = browser(&workspace);
        sign_in(&phone, ANN, current).await.expect(303);
        for client in [&here, &phone, &token, &there] {
            me(client).await.expect(200);
        }
        let mut form = vec![("current", current), ("new", new), ("again", new)];
        if revoke {
            form.push(("revoke_tokens", "1"));
        }
        here.post("/account/password").form(&form).send().await.expect(303);
        me(&here).await.expect(200);
        me(&phone).await.expect(401);
        me(&token).await.expect(if revoke { 401 } else { 200 });
        clock.advance(SOON);
        me(&there).await.expect(if revoke { 401 } else { 200 });
    }
    let listed: Value = here.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}
