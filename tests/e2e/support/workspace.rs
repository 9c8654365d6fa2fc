//! The application under test over a case's environment, and people who are signed in to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use holdfast::accounts::auth_cache::AuthCache;
use holdfast::accounts::change::Operator;
use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::data_keys::{DataKey, DataKeys};
use holdfast::accounts::domain::TokenDraft;
use holdfast::accounts::hashing::{Hashing, Limits};
use holdfast::accounts::keys::{CookieKeys, KeyRing, SecretKey as _, cookie_key};
use holdfast::accounts::sessions::SessionLimits;
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::{App, build_router};
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::base::identity::{Role, SignedIn, Via};
use holdfast::base::rng::Rng;
use holdfast::base::telemetry::{Heartbeats, Telemetry};
use holdfast::base::values::{Email, Name};
use holdfast::leads::former_words::FormerWords;
use holdfast::leads::snapshots::Snapshots;
use holdfast::store::{Dynamo, RetryPolicy, schema};
use holdfast::web::client::{PeerAddress, TrustedProxies};
use holdfast::web::health::LastReadiness;
use holdfast::web::origin::OriginKeys;
use holdfast::web::routes::Route;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::browser::{At, Browser};
use super::chance::Dice;
use super::connector::Wire;
use super::entry::{self, Entry};
use super::environment::TestEnvironment;
use super::http::{Client, Response, Server};

/// One instance of the application. Several instances on one environment share only the table.
#[derive(Clone)]
pub struct Workspace {
    /// The state that handlers share.
    pub app: App,
    /// The complete application.
    pub router: axum::Router,
    /// Its routes.
    pub routes: Vec<Route>,
    /// How clients reach the application.
    pub entry: Entry,
}

/// The secret of the cookie key, wherever the application runs.
pub const COOKIE_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The secret of the data key, wherever the application runs.
pub const DATA_SECRET: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// Long enough for a loaded machine.
pub const TEST_RETRIES: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(10),
    request: Duration::from_secs(90),
    reserve: Duration::from_secs(10),
};

/// For many operations at once on a machine with two cores: such cases check what happens, not how fast.
pub const UNDER_LOAD: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(60),
    request: Duration::from_secs(180),
    reserve: Duration::from_secs(10),
};

/// For cases in which the store fails permanently.
pub const SHORT_RETRIES: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(1),
    request: Duration::from_secs(3),
    reserve: Duration::from_millis(750),
};

impl Workspace {
    /// The application over this environment, with a new table.
    pub async fn open(environment: &TestEnvironment) -> Self {
        let mut workspace = Self::instance(environment, environment.wire(), TEST_RETRIES);
        schema::create_table(&workspace.app.dynamo).await.expect("the table is made");
        workspace.router = entry::of(environment, workspace.router).await;
        workspace.entry = environment.entry();
        workspace
    }

    /// Another instance over the same table, with this retry policy.
    pub fn another(&self, environment: &TestEnvironment, wire: &Wire, policy: RetryPolicy) -> Self {
        Self::instance(environment, wire, policy)
    }

    fn instance(environment: &TestEnvironment, wire: &Wire, policy: RetryPolicy) -> Self {
        let (line, sleep) = (environment.engine().line(wire), holdfast::hosts::process::sleep());
        let rng = Rng::of_system();
        let key = cookie_key(COOKIE_SECRET).expect("the secret is long enough");
        let keys = CookieKeys::fixed(KeyRing::of(key, None));
        let data_key = DataKey::from_secret(DATA_SECRET).expect("the secret is long enough");
        let dynamo = Dynamo::new(line, environment.table(), sleep, Clock::of_system(), rng.clone(), policy);
        let app = App {
            background: dynamo.clone(),
            dynamo,
            clock: Clock::of_system(),
            rng,
            blocking: holdfast::hosts::process::blocking(),
            snapshots: Snapshots::new(1_000),
            former_words: FormerWords::default(),
            state_locks: None,
            auth_cache: AuthCache::new(1_000),
            hashing: Hashing::new(Limits { at_once: 4, waiting: 1_000 }),
            trusted_proxies: TrustedProxies::NONE,
            origin_keys: None,
            cookies: CookiePolicy { keys, secure: false, port: None },
            data_keys: Some(DataKeys::fixed(KeyRing::of(data_key, None))),
            sign_up: SignUp::Open,
            session_limits: SessionLimits::default(),
            telemetry: Telemetry::silent(),
            heartbeats: Heartbeats::default(),
            free_disk: None,
            readiness: LastReadiness::default(),
            has_styleguide: true,
        };
        let (router, routes) = build_router(app.clone());
        Self { app, router, routes, entry: Entry::Router }
    }

    /// The same instance with another clock.
    pub fn with_clock(self, clock: Clock) -> Self {
        self.changed(|app| app.clock = clock)
    }

    /// The same instance with another clock and reproducible random bytes, so that it shows the same every time.
    pub fn reproducible(self, clock: Clock) -> Self {
        let dice = Mutex::new(Dice(1));
        let rng = Rng::from_fn(move |buffer| {
            let mut dice = dice.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.fill_with(|| dice.roll(256) as u8);
        });
        self.changed(|app| {
            app.clock = clock;
            app.rng = rng;
        })
    }

    /// The same instance that sends its reports to this listener.
    pub fn with_telemetry(self, telemetry: Telemetry) -> Self {
        self.changed(|app| app.telemetry = telemetry)
    }

    /// The same instance behind this many proxies.
    pub fn behind(self, trusted_proxies: TrustedProxies) -> Self {
        self.changed(|app| app.trusted_proxies = trusted_proxies)
    }

    /// The same instance, which answers only requests with one of these origin keys.
    pub fn with_origin_keys(self, keys: OriginKeys) -> Self {
        self.changed(|app| app.origin_keys = Some(keys))
    }

    /// The same instance with these limits for hashing passwords, which run in `blocking`.
    pub fn with_hashing(self, limits: Limits, blocking: BlockingPool) -> Self {
        self.changed(|app| {
            app.hashing = Hashing::new(limits);
            app.blocking = blocking;
        })
    }

    /// A visitor whose connection comes from this address.
    pub fn visitor_from(&self, address: &str) -> Client {
        let peer = PeerAddress(address.parse().expect("an address"));
        let router = self.router.clone().layer(axum::Extension(peer));
        Client::over(router).always("host", "holdfast.test").same_origin()
    }

    /// The same instance with another sign-up policy.
    pub fn with_sign_up(self, sign_up: SignUp) -> Self {
        self.changed(|app| app.sign_up = sign_up)
    }

    /// The same instance with these changes.
    fn changed(mut self, change: impl FnOnce(&mut App)) -> Self {
        // With another entry, requests would not reach the changed instance.
        assert_eq!(self.entry, Entry::Router, "requests would not reach this instance");
        change(&mut self.app);
        (self.router, self.routes) = build_router(self.app.clone());
        self
    }

    /// The same instance, whose sessions have these limits.
    pub fn with_session_limits(self, session_limits: SessionLimits) -> Self {
        self.changed(|app| app.session_limits = session_limits)
    }

    /// The same instance with these cookie keys.
    pub fn with_keys(self, keys: CookieKeys) -> Self {
        self.changed(|app| app.cookies.keys = keys)
    }

    /// A visitor who is not signed in.
    pub fn visitor(&self) -> Client {
        Client::over(self.router.clone()).always("host", "holdfast.test")
    }

    /// A program with the token of a new account in this role.
    pub async fn program(&self, role: Role) -> Client {
        self.bearer(&self.token(role, &format!("Test {role}")).await)
    }

    /// A program with this token.
    pub fn bearer(&self, token: &str) -> Client {
        self.visitor().always("authorization", &format!("Bearer {token}"))
    }

    /// A program with an agent's token.
    pub async fn agent(&self) -> Client {
        self.program(Role::Agent).await
    }

    /// The secret of a token of a new account with this name.
    pub async fn token(&self, role: Role, name: &str) -> String {
        let owner = self.account(role, name).await;
        let name = "test".parse().expect("this names a token");
        let draft = TokenDraft { name, role, days: None };
        let made = self.app.accounts().create_token(owner.id, draft, Operator::Command, None).await;
        let (_, secret) = made.expect("the token is made").now().expect("no token was made before");
        self.use_token(secret.reveal()).await;
        secret.reveal().to_owned()
    }

    /// Uses a token once, so that its last use is written before the case counts calls and units. This instance does
    /// not remember it.
    async fn use_token(&self, token: &str) {
        let app = App { auth_cache: AuthCache::new(1), ..self.app.clone() };
        let value = format!("Bearer {token}").parse().expect("a token is ASCII");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let sender = app.accounts().authenticate(&headers).await.expect("the token is checked");
        assert!(sender.is_some(), "a new token works");
    }

    /// A browser in which a new person has signed in by a link.
    pub async fn session(&self, role: Role, name: &str) -> Client {
        let account = self.account(role, name).await;
        let secret =
            self.app.accounts().sign_in_link(account.id, Operator::Command).await.expect("the link is made");
        let visitor = self.visitor();
        visitor.use_link(&format!("/sign-in/link/{secret}")).await.expect(303);
        visitor
    }

    /// The same, in a browser that sends forms from Holdfast's own pages.
    pub async fn person(&self, role: Role, name: &str) -> Client {
        self.session(role, name).await.same_origin()
    }

    /// Signs a new person in at a browser, with a link to the workspace that `server` serves.
    pub async fn sign_in(&self, browser: &Browser, server: &Server, role: Role, name: &str) -> SignedIn {
        let account = self.account(role, name).await;
        let secret =
            self.app.accounts().sign_in_link(account.id, Operator::Command).await.expect("the link is made");
        browser.goto(&server.url(&format!("/sign-in/link/{secret}"))).await;
        browser.click(At::Named("Sign in")).await;
        account
    }

    /// A new account with this name, as it signs in.
    pub async fn account(&self, role: Role, name: &str) -> SignedIn {
        let email: Email = format!("user-{}@holdfast.test", self.app.rng.uuid()).parse().expect("an address");
        let name: Name = name.parse().expect("a name");
        let added = self.app.accounts().add(name.clone(), email.clone(), role, None).await;
        SignedIn::new(added.expect("the account is added"), name, email, role, Via::Session)
    }
}

/// Ann Lee, an agent in a browser.
pub async fn ann(workspace: &Workspace) -> Client {
    workspace.person(Role::Agent, "Ann Lee").await
}

/// A JSON body that makes a lead.
pub fn new_lead(name: &str, email: &str) -> Value {
    json!({ "name": name, "email": email, "state": "NY", "leadScore": 50 })
}

/// Creates a lead and returns the answer.
pub async fn create(client: &Client, body: &Value) -> Value {
    client.post("/api/leads").json(body).send().await.expect(201).json()
}

/// The address of a lead in the JSON API.
pub fn address(lead: &Value) -> String {
    format!("/api/leads/{}", lead["id"].as_str().expect("a lead has an id"))
}

/// Changes the given version of a lead.
pub async fn change(client: &Client, lead: &Value, version: u64, body: Value) -> Response {
    let mut body = body;
    body["version"] = version.into();
    client.patch(&address(lead)).json(&body).send().await
}

/// Reads a lead.
pub async fn read(client: &Client, lead: &Value) -> Value {
    client.get(&address(lead)).send().await.expect(200).json()
}

/// The complete history of a lead, oldest first.
pub async fn history(client: &Client, lead: &Value) -> Vec<Value> {
    let mut entries = all_items(client, &format!("{}/history?limit=100", address(lead))).await;
    entries.reverse();
    entries
}

/// All items of a list, page by page. The path has a query.
pub async fn all_items(client: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    for _ in 0..200 {
        let page: Value = client.get(&format!("{path}{cursor}")).send().await.expect(200).json();
        items.extend(page["items"].as_array().expect("a page has items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
    panic!("{path} does not end");
}

/// The same text field of all these items.
pub fn texts(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().expect("it has the text").to_owned()).collect()
}
