//! Rotation of the cookie key, which signs no one out, and secrets that cannot be read.

use std::sync::Arc;

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::keys::{CookieKeys, KeyRing, TAKES_OVER, cookie_key};
use holdfast::app::build_router;
use holdfast::base::identity::Role;
use holdfast::base::secrets::{MAX_AGE, RETRY_AFTER};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::clock::TestClock;
use crate::support::gateway::visitor;
use crate::support::http::{Client, Response};
use crate::support::lambda::LambdaRuntime;
use crate::support::secrets_manager::{Refusal, SecretsManager};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: a_new_key_signs_no_one_out,
            a_session_continues_in_a_new_cookie_that_is_sent_once,
            a_new_cookie_does_not_extend_the_session,
            a_cookie_older_than_two_keys_is_not_accepted,
            keys_stay_in_use_while_they_cannot_be_read,
            many_concurrent_requests_read_the_keys_once;
        dynamodb: the_bootstrap_reads_its_keys_and_code_from_secrets_manager,
            the_bootstrap_names_the_secrets_that_it_cannot_read
    ]
}

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:CookieKey-a1B2c3";

const DATA_SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:DataKey-d4E5f6";

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The text of a key, different for each number.
fn text(number: u32) -> String {
    format!("{number:08}").repeat(12)
}

/// A Secrets Manager with the first key, created a day ago.
async fn secrets_manager(clock: &TestClock) -> SecretsManager {
    let secrets_manager = SecretsManager::start().await;
    secrets_manager.put(SECRET, &text(1), clock.now() - SignedDuration::from_hours(24));
    secrets_manager
}

/// An instance that reads its keys now.
async fn instance(
    environment: &TestEnvironment,
    workspace: &Workspace,
    secrets_manager: &SecretsManager,
    clock: &TestClock,
) -> Workspace {
    let keys =
        CookieKeys::in_secret_store(secrets_manager.secret_store(), SECRET.parse().unwrap(), clock.now())
            .await;
    let instance =
        workspace.another(environment, &environment.another_wire(), TEST_RETRIES).with_clock(clock.clock());
    instance.with_keys(keys.expect("Secrets Manager has a key"))
}

async fn me(client: &Client) -> Response {
    client.get("/api/me").send().await
}

/// The same browser, whose next request goes to this instance.
fn at(workspace: &Workspace, browser: &Client) -> Client {
    let cookie = browser.cookie("holdfast").expect("the browser is signed in");
    workspace.visitor().always("cookie", &format!("holdfast={cookie}"))
}

fn is_renewed(answer: &Response) -> bool {
    answer.header("set-cookie").starts_with("holdfast=")
}

async fn a_new_key_signs_no_one_out(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let secrets_manager = secrets_manager(&clock).await;
    let early = instance(&environment, &workspace, &secrets_manager, &clock).await;
    let ann = early.session(Role::Agent, "Ann").await;
    clock.advance(MINUTE * 4);
    let late = instance(&environment, &workspace, &secrets_manager, &clock).await;
    secrets_manager.put(SECRET, &text(2), clock.now());
    let made = clock.now();
    // The first instance reads the keys again, the second one does not yet.
    clock.advance(MINUTE);
    me(&ann).await.expect(200);
    let bob = early.session(Role::Agent, "Bob").await;
    let carl = late.session(Role::Agent, "Carl").await;
    while clock.now() < made + TAKES_OVER + MINUTE * 6 {
        let dora = early.session(Role::Agent, "Dora").await;
        let emil = late.session(Role::Agent, "Emil").await;
        for instance in [&early, &late] {
            for browser in [&ann, &bob, &carl, &dora, &emil] {
                me(&at(instance, browser)).await.expect(200);
            }
        }
        clock.advance(MINUTE);
    }
    // A new instance signs with the new key only, and verifies with the previous one as well.
    let new = instance(&environment, &workspace, &secrets_manager, &clock).await;
    for browser in [&ann, &bob, &carl] {
        assert!(is_renewed(&me(&at(&new, browser)).await.expect(200)));
    }
    assert!(!is_renewed(&me(&new.session(Role::Agent, "Flo").await).await.expect(200)));
}

/// An instance that uses a new key, and a browser with a cookie of the previous key.
async fn rotated(
    environment: &TestEnvironment,
    workspace: &Workspace,
    clock: &TestClock,
) -> (SecretsManager, Workspace, Client) {
    let secrets_manager = secrets_manager(clock).await;
    let instance = instance(environment, workspace, &secrets_manager, clock).await;
    let ann = instance.person(Role::Agent, "Ann").await;
    secrets_manager.put(SECRET, &text(2), clock.now());
    clock.advance(TAKES_OVER);
    (secrets_manager, instance, ann)
}

async fn a_session_continues_in_a_new_cookie_that_is_sent_once(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let (_vault, instance, ann) = rotated(&environment, &workspace, &clock).await;
    let program = instance.agent().await;
    let with_cookie = || at(&instance, &ann).same_origin();
    // Every kind of answer renews the cookie: a page, a fragment, a problem, a missing page, a forbidden page, an
    // invalid form.
    for (path, status) in [("/leads", 200), ("/api/leads/no", 404), ("/leads/no", 404), ("/raffles/new", 403)]
    {
        assert!(is_renewed(&with_cookie().get(path).send().await.expect(status)), "{path}");
    }
    let fragment = with_cookie().get("/leads").header("hx-request", "true").send().await.expect(200);
    assert!(is_renewed(&fragment));
    let refused = with_cookie().post("/leads").form(&[("name", "")]).send().await.expect(422);
    assert!(is_renewed(&refused));
    // Public pages and requests with a token set no cookie.
    assert!(!is_renewed(&with_cookie().get("/health").send().await.expect(200)));
    let token = program.get("/api/me").header("cookie", &cookie_header(&ann)).send().await.expect(200);
    assert!(!is_renewed(&token));

    let before = ann.cookie("holdfast");
    assert!(is_renewed(&me(&ann).await.expect(200)));
    assert_ne!(ann.cookie("holdfast"), before);
    for _ in 0..3 {
        assert!(!is_renewed(&me(&ann).await.expect(200)));
    }
    // An answer that ends the session sets exactly one cookie. The session ends in the table, so the renewed cookie
    // ends with it.
    let out = with_cookie_of(&instance, before).post("/sign-out").send().await.expect(303);
    let cookies: Vec<_> = out.headers.get_all("set-cookie").iter().collect();
    assert!(cookies.len() == 1 && cookies[0].to_str().unwrap().contains("Max-Age=0"), "{cookies:?}");
    me(&ann).await.expect(401);
}

/// A browser with this session cookie, at this instance.
fn with_cookie_of(workspace: &Workspace, cookie: Option<String>) -> Client {
    let cookie = format!("holdfast={}", cookie.expect("the browser is signed in"));
    workspace.visitor().always("cookie", &cookie).same_origin()
}

fn cookie_header(browser: &Client) -> String {
    format!("holdfast={}", browser.cookie("holdfast").expect("the browser is signed in"))
}

async fn a_new_cookie_does_not_extend_the_session(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let (secrets_manager, _instance, ann) = rotated(&environment, &workspace, &clock).await;
    // The session of the first key continues in cookies of the second and the third one.
    assert!(is_renewed(&me(&ann).await.expect(200)));
    let week = SignedDuration::from_hours(7 * 24);
    let mut age = TAKES_OVER;
    for _ in 0..(week - age).as_hours() / 11 {
        clock.advance(SignedDuration::from_hours(11));
        age += SignedDuration::from_hours(11);
        me(&ann).await.expect(200);
    }
    secrets_manager.put(SECRET, &text(3), clock.now());
    clock.advance(TAKES_OVER);
    age += TAKES_OVER;
    assert!(is_renewed(&me(&ann).await.expect(200)));
    clock.advance(week - age - MINUTE);
    me(&ann).await.expect(200);
    clock.advance(MINUTE);
    me(&ann).await.expect(401);
}

async fn a_cookie_older_than_two_keys_is_not_accepted(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let (secrets_manager, instance, away) = rotated(&environment, &workspace, &clock).await;
    let here = instance.session(Role::Agent, "Bob").await;
    secrets_manager.put(SECRET, &text(3), clock.now());
    clock.advance(TAKES_OVER);
    // A browser that was active in between has a cookie of the second key.
    me(&here).await.expect(200);
    let turned_away = me(&away).await.expect(401);
    assert_eq!(turned_away.header("set-cookie"), "");
}

async fn keys_stay_in_use_while_they_cannot_be_read(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let secrets_manager = secrets_manager(&clock).await;
    let instance = instance(&environment, &workspace, &secrets_manager, &clock).await;
    let ann = instance.session(Role::Agent, "Ann").await;
    secrets_manager.calls();
    for refusal in [Refusal::Forbidden, Refusal::Broken] {
        secrets_manager.refuse(Some(refusal));
        clock.advance(MAX_AGE);
        for _ in 0..3 {
            me(&ann).await.expect(200);
        }
        let tries = secrets_manager.calls();
        assert!((1..=2).contains(&tries), "{refusal:?}: {tries}: the next requests do not retry");
        clock.advance(RETRY_AFTER);
        me(&ann).await.expect(200);
        assert!(secrets_manager.calls() >= 1, "{refusal:?}: a later request retries");
    }
    // A version that is not a key counts as missing.
    secrets_manager.refuse(None);
    secrets_manager.put(SECRET, "short", clock.now());
    clock.advance(RETRY_AFTER);
    me(&ann).await.expect(200);
    secrets_manager.put(SECRET, &text(2), clock.now());
    clock.advance(MAX_AGE + TAKES_OVER);
    me(&ann).await.expect(401);
    me(&instance.session(Role::Agent, "Bob").await).await.expect(200);
}

async fn many_concurrent_requests_read_the_keys_once(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, TestClock::new());
    let (secrets_manager, _instance, ann) = rotated(&environment, &workspace, &clock).await;
    secrets_manager.calls();
    let asking = (0..20).map(|_| me(&ann));
    for answer in futures_util::future::join_all(asking).await {
        answer.expect(200);
    }
    assert_eq!(secrets_manager.calls(), 2, "the current version and the one before it");
    // A visitor without a cookie needs no key, and neither does a program.
    clock.advance(MAX_AGE);
    workspace.visitor().get("/sign-in").send().await.expect(200);
    assert_eq!(secrets_manager.calls(), 0);
}

const CODE: &str = "k7-Wm2!xQ";

const CODE_SECRET: &str = "holdfast/invitation";

/// The built bootstrap with the names of three secrets and none of their values.
async fn bootstrap(environment: &TestEnvironment, secrets_manager: &SecretsManager) -> Arc<LambdaRuntime> {
    let environment = [
        ("HOLDFAST_TABLE", environment.table().to_owned()),
        ("HOLDFAST_COOKIE_KEY_SECRET", SECRET.to_owned()),
        ("HOLDFAST_DATA_KEY_SECRET", DATA_SECRET.to_owned()),
        ("HOLDFAST_SIGN_UP", "invitation".to_owned()),
        ("HOLDFAST_INVITATION_CODE_SECRET", CODE_SECRET.to_owned()),
        ("HOLDFAST_SECRETS_ENDPOINT", secrets_manager.endpoint()),
        ("HOLDFAST_DYNAMODB_ENDPOINT", environment.engine().endpoint().to_owned()),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key().to_owned()),
    ];
    let runtime = LambdaRuntime::start(env!("CARGO_BIN_EXE_lambda_web"), environment).await;
    Arc::new(runtime.expect("the bootstrap starts"))
}

async fn the_bootstrap_reads_its_keys_and_code_from_secrets_manager(environment: TestEnvironment) {
    Workspace::open(&environment).await;
    let secrets_manager = secrets_manager(&TestClock::new()).await;
    secrets_manager.put(DATA_SECRET, &text(9), Timestamp::now());
    secrets_manager.put(CODE_SECRET, CODE, Timestamp::now());
    let lambda = bootstrap(&environment, &secrets_manager).await;
    let ann = visitor(&lambda);
    let form = |code: &'static str| {
        let email = "ann@holdfast.test";
        [("name", "Ann Lee"), ("email", email), ("password", "correct horse battery"), ("code", code)]
    };
    ann.post("/sign-up").form(&form("12345678")).send().await.expect(422);
    ann.post("/sign-up").form(&form(CODE)).send().await.expect(303);
    let form = [("email", "ann@holdfast.test"), ("password", "correct horse battery")];
    ann.post("/sign-in").form(&form).send().await.expect(303);
    let known: Value = me(&ann).await.expect(200).json();
    assert_eq!(known["email"], "ann@holdfast.test");
    // Another instance that has the key as text accepts her session.
    let keys = KeyRing::of(cookie_key(&text(1)).unwrap(), None);
    let mut other = Workspace::open(&environment).await;
    other.app.cookies = CookiePolicy { keys: CookieKeys::fixed(keys), secure: true, port: None };
    let other = Client::over(build_router(other.app).0);
    let cookie = format!("__Host-holdfast={}", ann.cookie("__Host-holdfast").unwrap());
    other.get("/api/me").header("cookie", &cookie).send().await.expect(200);
    assert_eq!(secrets_manager.calls(), 5);
}

async fn the_bootstrap_names_the_secrets_that_it_cannot_read(environment: TestEnvironment) {
    let secrets_manager = secrets_manager(&TestClock::new()).await;
    for (refusal, words) in [
        (Some(Refusal::Forbidden), "cannot be read: AccessDeniedException"),
        (Some(Refusal::Broken), "cannot be read: InternalServiceError"),
        (None, "cannot be read: there is no such secret"),
    ] {
        secrets_manager.refuse(refusal);
        let lambda = bootstrap(&environment, &secrets_manager).await;
        wait::until("the bootstrap says why it ends", async || lambda.output().contains("cannot run")).await;
        let output = lambda.output();
        for (variable, name) in [
            ("HOLDFAST_COOKIE_KEY_SECRET", SECRET),
            ("HOLDFAST_DATA_KEY_SECRET", DATA_SECRET),
            ("HOLDFAST_INVITATION_CODE_SECRET", CODE_SECRET),
        ] {
            let is_missing = refusal.is_some() || name != SECRET;
            let expected = format!("{variable} names the secret {name}, which {words}");
            assert_eq!(output.contains(&expected), is_missing, "{expected}: {output}");
        }
        assert!(!output.contains(&text(1)), "{output}");
    }
}
