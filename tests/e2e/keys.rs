//! A new key of cookies, as people meet it: not at all. And secrets that are not to be had, as who deploys meets them.

use std::sync::{Arc, Mutex, PoisonError};

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::keys::{CookieKeys, FRESH, KeyRing, TAKES_OVER, TRIED_AGAIN, cookie_key};
use holdfast::app::build_router;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::gateway::visitor;
use crate::support::http::{Client, Response};
use crate::support::lambda::LambdaRuntime;
use crate::support::secrets_manager::{Refusal, SecretsManager};
use crate::support::workspace::{PATIENCE, Workspace};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: nobody_is_signed_out_by_a_new_key,
            a_session_goes_on_in_a_new_cookie_that_is_sent_once,
            a_new_cookie_makes_no_session_last_longer,
            after_two_new_keys_an_old_cookie_is_nobody,
            keys_that_cannot_be_looked_at_stay_as_they_are,
            many_requests_at_once_look_at_the_keys_once;
        dynamodb: the_bootstrap_signs_in_with_keys_and_code_from_the_vault,
            the_bootstrap_names_the_secrets_that_it_cannot_have
    ]
}

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:CookieKey-a1B2c3";

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A clock that a case turns.
#[derive(Clone)]
struct Turned(Arc<Mutex<Timestamp>>);

impl Turned {
    fn new() -> Self {
        // Whole seconds, which come back from the vault as they went.
        let now = Timestamp::from_second(Timestamp::now().as_second());
        Self(Arc::new(Mutex::new(now.expect("now is a time"))))
    }

    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, by: SignedDuration) {
        let now = self.now() + by;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::from_fn(move || clock.now())
    }
}

/// A text that makes a key, another one for each number.
fn text(number: u32) -> String {
    format!("{number:08}").repeat(12)
}

/// A vault with the first key, made long ago.
async fn vault(clock: &Turned) -> SecretsManager {
    let vault = SecretsManager::start().await;
    vault.put(SECRET, &text(1), clock.now() - SignedDuration::from_hours(24));
    vault
}

/// An instance that reads its keys now.
async fn instance(
    environment: &TestEnvironment,
    workspace: &Workspace,
    vault: &SecretsManager,
    clock: &Turned,
) -> Workspace {
    let keys = CookieKeys::in_vault(vault.vault(), SECRET.parse().unwrap(), clock.now()).await;
    let instance =
        workspace.another(environment, &environment.another_wire(), PATIENCE).with_clock(clock.clock());
    instance.with_keys(keys.expect("the vault has a key"))
}

async fn me(client: &Client) -> Response {
    client.get("/api/me").send().await
}

/// The same browser, whose next request goes to this instance.
fn at(workspace: &Workspace, browser: &Client) -> Client {
    let cookie = browser.cookie("holdfast").expect("somebody is signed in");
    workspace.visitor().always("cookie", &format!("holdfast={cookie}"))
}

fn is_renewed(answer: &Response) -> bool {
    answer.header("set-cookie").starts_with("holdfast=")
}

async fn nobody_is_signed_out_by_a_new_key(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let vault = vault(&clock).await;
    let early = instance(&environment, &workspace, &vault, &clock).await;
    let ann = early.session(Role::Agent, "Ann").await;
    clock.turn(MINUTE * 4);
    let late = instance(&environment, &workspace, &vault, &clock).await;
    vault.put(SECRET, &text(2), clock.now());
    let made = clock.now();
    // The first instance looks again, the second one not yet.
    clock.turn(MINUTE);
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
        clock.turn(MINUTE);
    }
    // An instance that begins now knows the new key alone to sign, and the one before to verify.
    let new = instance(&environment, &workspace, &vault, &clock).await;
    for browser in [&ann, &bob, &carl] {
        assert!(is_renewed(&me(&at(&new, browser)).await.expect(200)));
    }
    assert!(!is_renewed(&me(&new.session(Role::Agent, "Flo").await).await.expect(200)));
}

/// An instance that has taken a new key over, and a browser with a cookie of the key before.
async fn rotated(
    environment: &TestEnvironment,
    workspace: &Workspace,
    clock: &Turned,
) -> (SecretsManager, Workspace, Client) {
    let vault = vault(clock).await;
    let instance = instance(environment, workspace, &vault, clock).await;
    let ann = instance.session(Role::Agent, "Ann").await.always("sec-fetch-site", "same-origin");
    vault.put(SECRET, &text(2), clock.now());
    clock.turn(TAKES_OVER);
    (vault, instance, ann)
}

async fn a_session_goes_on_in_a_new_cookie_that_is_sent_once(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let (_vault, instance, ann) = rotated(&environment, &workspace, &clock).await;
    let program = instance.agent().await;
    let with_cookie = || at(&instance, &ann).always("sec-fetch-site", "same-origin");
    // Whatever is answered: a page, a fragment, a problem, what is not there, what is not for Ann, a form that is wrong.
    for (path, status) in [("/leads", 200), ("/api/leads/no", 404), ("/leads/no", 404), ("/raffles/new", 403)]
    {
        assert!(is_renewed(&with_cookie().get(path).send().await.expect(status)), "{path}");
    }
    let fragment = with_cookie().get("/leads").header("hx-request", "true").send().await.expect(200);
    assert!(is_renewed(&fragment));
    let refused = with_cookie().post("/leads").form(&[("name", "")]).send().await.expect(422);
    assert!(is_renewed(&refused));
    // What needs nobody, and what comes with a token, is answered as ever.
    assert!(!is_renewed(&with_cookie().get("/health").send().await.expect(200)));
    let token = program.get("/api/me").header("cookie", &cookie_header(&ann)).send().await.expect(200);
    assert!(!is_renewed(&token));
    // An answer that ends the session or begins another says so once, and nothing else beside it.
    let out = with_cookie().post("/sign-out").send().await.expect(303);
    let cookies: Vec<_> = out.headers.get_all("set-cookie").iter().collect();
    assert!(cookies.len() == 1 && cookies[0].to_str().unwrap().contains("Max-Age=0"), "{cookies:?}");

    let before = ann.cookie("holdfast");
    assert!(is_renewed(&me(&ann).await.expect(200)));
    assert_ne!(ann.cookie("holdfast"), before);
    for _ in 0..3 {
        assert!(!is_renewed(&me(&ann).await.expect(200)));
    }
}

fn cookie_header(browser: &Client) -> String {
    format!("holdfast={}", browser.cookie("holdfast").expect("somebody is signed in"))
}

async fn a_new_cookie_makes_no_session_last_longer(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let (_vault, _instance, ann) = rotated(&environment, &workspace, &clock).await;
    clock.turn(SignedDuration::from_hours(6 * 24));
    let answer = me(&ann).await.expect(200);
    let left = SignedDuration::from_hours(24) - TAKES_OVER;
    let cookie = answer.header("set-cookie");
    let age = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age=")).expect(cookie);
    let age: i64 = age.parse().unwrap();
    assert!((left.as_secs() - 1..=left.as_secs()).contains(&age), "{age}");
    clock.turn(left - MINUTE);
    me(&ann).await.expect(200);
    clock.turn(MINUTE);
    me(&ann).await.expect(401);
}

async fn after_two_new_keys_an_old_cookie_is_nobody(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let (vault, instance, away) = rotated(&environment, &workspace, &clock).await;
    let here = instance.session(Role::Agent, "Bob").await;
    vault.put(SECRET, &text(3), clock.now());
    clock.turn(TAKES_OVER);
    // Whoever came by in between has the second key's cookie.
    me(&here).await.expect(200);
    let turned_away = me(&away).await.expect(401);
    assert_eq!(turned_away.header("set-cookie"), "");
}

async fn keys_that_cannot_be_looked_at_stay_as_they_are(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let vault = vault(&clock).await;
    let instance = instance(&environment, &workspace, &vault, &clock).await;
    let ann = instance.session(Role::Agent, "Ann").await;
    vault.calls();
    for refusal in [Refusal::Forbidden, Refusal::Broken] {
        vault.refuse(Some(refusal));
        clock.turn(FRESH);
        for _ in 0..3 {
            me(&ann).await.expect(200);
        }
        let tries = vault.calls();
        assert!((1..=2).contains(&tries), "{refusal:?}: {tries}: the next requests do not try again");
        clock.turn(TRIED_AGAIN);
        me(&ann).await.expect(200);
        assert!(vault.calls() >= 1, "{refusal:?}: a while later one does");
    }
    // A version that is no key is as none at all.
    vault.refuse(None);
    vault.put(SECRET, "short", clock.now());
    clock.turn(TRIED_AGAIN);
    me(&ann).await.expect(200);
    vault.put(SECRET, &text(2), clock.now());
    clock.turn(FRESH + TAKES_OVER);
    me(&ann).await.expect(401);
    me(&instance.session(Role::Agent, "Bob").await).await.expect(200);
}

async fn many_requests_at_once_look_at_the_keys_once(environment: TestEnvironment) {
    let (workspace, clock) = (Workspace::open(&environment).await, Turned::new());
    let (vault, _instance, ann) = rotated(&environment, &workspace, &clock).await;
    vault.calls();
    let asking = (0..20).map(|_| me(&ann));
    for answer in futures_util::future::join_all(asking).await {
        answer.expect(200);
    }
    assert_eq!(vault.calls(), 2, "the current version and the one before it");
    // Whoever signs in with nothing needs no key, and a program never does.
    clock.turn(FRESH);
    workspace.visitor().get("/sign-in").send().await.expect(200);
    assert_eq!(vault.calls(), 0);
}

const CODE: &str = "k7-Wm2!xQ";

const CODE_SECRET: &str = "holdfast/invitation";

/// The built bootstrap, told of two secrets in this vault and of none itself.
async fn bootstrap(environment: &TestEnvironment, vault: &SecretsManager) -> Arc<LambdaRuntime> {
    let environment = [
        ("HOLDFAST_TABLE", environment.table().to_owned()),
        ("HOLDFAST_COOKIE_KEY_SECRET", SECRET.to_owned()),
        ("HOLDFAST_SIGN_UP", "invitation".to_owned()),
        ("HOLDFAST_INVITATION_CODE_SECRET", CODE_SECRET.to_owned()),
        ("HOLDFAST_SECRETS_ENDPOINT", vault.endpoint()),
        ("HOLDFAST_DYNAMODB_ENDPOINT", environment.engine().endpoint().to_owned()),
        ("AWS_ACCESS_KEY_ID", environment.engine().access_key().to_owned()),
    ];
    let runtime = LambdaRuntime::start(env!("CARGO_BIN_EXE_lambda_web"), environment).await;
    Arc::new(runtime.expect("the bootstrap starts"))
}

async fn the_bootstrap_signs_in_with_keys_and_code_from_the_vault(environment: TestEnvironment) {
    Workspace::open(&environment).await;
    let vault = vault(&Turned::new()).await;
    vault.put(CODE_SECRET, CODE, Timestamp::now());
    let lambda = bootstrap(&environment, &vault).await;
    let ann = visitor(&lambda);
    let form = |code: &'static str| {
        let email = "ann@holdfast.test";
        [("name", "Ann Lee"), ("email", email), ("password", "correct horse battery"), ("code", code)]
    };
    ann.post("/sign-up").form(&form("12345678")).send().await.expect(422);
    ann.post("/sign-up").form(&form(CODE)).send().await.expect(303);
    let known: Value = me(&ann).await.expect(200).json();
    assert_eq!(known["email"], "ann@holdfast.test");
    // Another instance, which may be told the key as text, knows her.
    let keys = KeyRing::of(cookie_key(&text(1)).unwrap(), None);
    let mut other = Workspace::open(&environment).await;
    other.app.cookies = CookiePolicy { keys: CookieKeys::fixed(keys), secure: true, port: None };
    let other = Client::over(build_router(other.app).0);
    let cookie = format!("__Host-holdfast={}", ann.cookie("__Host-holdfast").unwrap());
    other.get("/api/me").header("cookie", &cookie).send().await.expect(200);
    assert_eq!(vault.calls(), 3);
}

async fn the_bootstrap_names_the_secrets_that_it_cannot_have(environment: TestEnvironment) {
    let vault = vault(&Turned::new()).await;
    for (refusal, words) in [
        (Some(Refusal::Forbidden), "cannot be read: AccessDeniedException"),
        (Some(Refusal::Broken), "cannot be read: InternalServiceError"),
        (None, "cannot be read: there is no such secret"),
    ] {
        vault.refuse(refusal);
        let lambda = bootstrap(&environment, &vault).await;
        wait::until("the bootstrap says why it ends", async || lambda.output().contains("cannot run")).await;
        let said = lambda.output();
        for (variable, name) in
            [("HOLDFAST_COOKIE_KEY_SECRET", SECRET), ("HOLDFAST_INVITATION_CODE_SECRET", CODE_SECRET)]
        {
            let is_missing = refusal.is_some() || name == CODE_SECRET;
            let told = format!("{variable} names the secret {name}, which {words}");
            assert_eq!(said.contains(&told), is_missing, "{told}: {said}");
        }
        assert!(!said.contains(&text(1)), "{said}");
    }
}
