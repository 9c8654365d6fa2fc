//! What handlers share, and the whole application as one service.
//!
//! What differs between the local server, Lambda, WebAssembly and tests (the clock, randomness, sleep and the way to the
//! store) comes in here and nowhere else.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::accounts::{
    self,
    auth_cache::AuthCache,
    hashing::{self, Hashing},
    keys::CookieKeys,
    sign_up::SignUp,
};
use crate::automation;
use crate::dynamo::line::Line;
use crate::dynamo::{Dynamo, RetryPolicy};
use crate::error::{self, AppError};
use crate::inventory;
use crate::leads::{self, store::Snapshots};
use crate::orders::{self, StateLocks};
use crate::raffle;
use crate::telemetry::{self, Heartbeats, Telemetry};
use crate::web::access::{Access, Route, Routes};
use crate::web::client::{self, TrustedProxies};
use crate::web::extract::WebError;
use crate::web::health::{FreeDisk, LastReadiness};
use crate::web::origin::{self, OriginKeys};
use crate::web::{assets, headers, health};

/// Where random bytes come from.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// The operating system's generator, fit for secrets.
    #[allow(clippy::expect_used)]
    pub fn of_system() -> Self {
        // Without randomness nothing here is safe, and no input can bring this about.
        #[allow(clippy::disallowed_methods, reason = "randomness comes in here")]
        Self(Arc::new(|buffer| getrandom::fill(buffer).expect("the system gives random bytes")))
    }

    /// Some random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

/// Where the time comes from: the time of day, and ticks that never go back.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ticks: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The system's clock.
    pub fn of_system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "the time comes in here")]
        Self::from_fn(Timestamp::now)
    }

    /// A clock that asks a function for the time of day, and the system for its ticks.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let start = Instant::now();
        Self { now: Arc::new(now), ticks: Arc::new(move || start.elapsed()) }
    }

    /// The same time of day, with the ticks of a function that never goes back.
    #[must_use]
    pub fn with_ticks(self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { ticks: Arc::new(ticks), ..self }
    }

    /// The time since some moment before: deadlines are measured by it, because the time of day can be set back.
    pub fn ticks(&self) -> Duration {
        (self.ticks)()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        // Whole milliseconds: what ids carry, and what people read.
        let now = (self.now)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where slow work is done, so that it holds up no other request.
#[derive(Clone)]
pub struct Aside(Arc<Start>);

type Work = Box<dyn FnOnce() + Send>;
type Start = dyn Fn(Work) + Send + Sync;

/// Work that was done aside came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work came to no end")]
pub struct GivenUp;

impl Aside {
    /// On a thread to which a function hands the work.
    pub fn by(start: impl Fn(Work) + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Here and now: where there is one thread only.
    pub fn here() -> Self {
        Self::by(|work| work())
    }

    /// Does the work, to its end even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`GivenUp`] if it panicked or was never begun.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, GivenUp> {
        let (done, outcome) = oneshot::channel();
        // Nobody may be waiting any more.
        (self.0)(Box::new(move || drop(done.send(work()))));
        outcome.await.map_err(|_| GivenUp)
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aside")
    }
}

/// What differs between the places where the application runs: the local server, Lambda, and WebAssembly.
pub struct Platform {
    /// The way to the store.
    pub line: Line,
    /// What waits.
    pub sleep: SharedAsyncSleep,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Where slow work is done.
    pub aside: Aside,
    /// How many leads are remembered at versions that were seen.
    pub snapshots: usize,
    /// Who is told what came of each request.
    pub telemetry: Telemetry,
}

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The table.
    pub dynamo: Dynamo,
    /// The same table, for work that no request waits for.
    pub background: Dynamo,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Where slow work is done.
    pub aside: Aside,
    /// Leads at versions that this process has seen.
    pub snapshots: Snapshots,
    /// Where orders in this process wait for each other, if it serves many requests at once.
    pub state_locks: Option<StateLocks>,
    /// Sessions and tokens that this process has checked a moment ago.
    pub auth_cache: AuthCache,
    /// What signs cookies, and whether they travel over https alone.
    pub cookies: CookiePolicy,
    /// Where passwords are hashed.
    pub hashing: Hashing,
    /// How many reverse proxies stand before it.
    pub trusted_proxies: TrustedProxies,
    /// What proves that a request came through the proxy in front, if it must.
    pub origin_keys: Option<OriginKeys>,
    /// Whether people may make accounts of their own.
    pub sign_up: SignUp,
    /// Who is told what came of each request.
    pub telemetry: Telemetry,
    /// What the workers of this process say of themselves.
    pub heartbeats: Heartbeats,
    /// The space on the disk of the data, if this process keeps them.
    pub free_disk: Option<FreeDisk>,
    /// The last answer about readiness.
    pub readiness: LastReadiness,
}

/// How many sessions and tokens a process knows for a moment.
const AUTH_CACHE: usize = 10_000;

impl App {
    /// The application over a table, wherever it runs.
    pub fn on(platform: Platform, table: &str, cookies: CookiePolicy, sign_up: SignUp) -> Self {
        let Platform { line, sleep, clock, entropy, aside, snapshots, telemetry } = platform;
        let policy = RetryPolicy::default();
        let dynamo = Dynamo::new(line, table, sleep, clock.clone(), entropy.clone(), policy);
        Self {
            background: dynamo.clone(),
            dynamo,
            clock,
            entropy,
            aside,
            snapshots: Snapshots::new(snapshots),
            state_locks: None,
            auth_cache: AuthCache::new(AUTH_CACHE),
            cookies,
            hashing: Hashing::new(hashing::Limits::default()),
            trusted_proxies: TrustedProxies::NONE,
            origin_keys: None,
            sign_up,
            telemetry,
            heartbeats: Heartbeats::default(),
            free_disk: None,
            readiness: LastReadiness::default(),
        }
    }
}

impl App {
    /// The same application, whose requests and attempts of calls may take this long.
    #[must_use]
    pub fn with_retries(self, policy: RetryPolicy) -> Self {
        let (dynamo, background) = (self.dynamo.with_policy(policy), self.background.with_policy(policy));
        Self { dynamo, background, ..self }
    }
}

/// How session cookies are made.
#[derive(Debug, Clone)]
pub struct CookiePolicy {
    /// The keys that encrypt them.
    pub keys: CookieKeys,
    /// Whether they carry `Secure`: true wherever people come over https.
    pub secure: bool,
    /// The port that their name carries, of a server beside which others may run under the same host name: browsers send
    /// a host's cookies to all of its ports.
    pub port: Option<u16>,
}

/// The whole application as one service, with the list of its routes.
pub fn build_router(app: App) -> (Router, Vec<Route>) {
    let routes = Routes::new(&app)
        .get("/assets/{file}", Access::Public, assets::serve)
        .get("/health", Access::Public, health::health)
        .get("/health/ready", Access::Public, health::ready)
        .and(accounts::router(&app))
        .and(leads::router(&app))
        .and(orders::router(&app))
        .and(raffle::router(&app))
        .and(inventory::router(&app))
        .and(automation::router(&app));
    let (router, list) = routes.into_parts();
    let router = router
        .fallback(async || AppError::from(WebError::NotFound))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), client::identify));
    let router = match &app.origin_keys {
        Some(keys) => router.layer(from_fn_with_state((keys.clone(), app.clock.clone()), origin::require)),
        None => router,
    };
    let router = router
        .layer(from_fn(error::catch_panic))
        .layer(from_fn_with_state(app.clone(), error::present))
        .layer(from_fn_with_state(app.clone(), headers::protect))
        .layer(from_fn_with_state(app.clone(), limit_time))
        .layer(from_fn_with_state(app, telemetry::observe));
    (router, list)
}

/// The most time that a request may take, where its host allows less than the configuration does.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft(pub Duration);

/// Gives each request its one deadline, which everything it does ends by.
async fn limit_time(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let left = request.extensions_mut().remove::<TimeLeft>().map(|TimeLeft(left)| left);
    app.dynamo.within(left, next.run(request)).await
}

/// The largest body of a request, in bytes; routes that take files say so themselves.
const LARGEST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn work_is_done_aside_here_or_by_others() {
        assert_eq!(Aside::here().run(|| 7).now_or_never(), Some(Ok(7)));

        let queue = Arc::new(Mutex::new(Vec::new()));
        let held = queue.clone();
        let aside = Aside::by(move |work| held.lock().unwrap().push(work));
        let mut waiting = Box::pin(aside.run(|| 7));
        assert_eq!(waiting.as_mut().now_or_never(), None, "nobody has done it");
        queue.lock().unwrap().remove(0)();
        assert_eq!(waiting.now_or_never(), Some(Ok(7)));

        let waiting = aside.run(|| 7);
        let mut waiting = Box::pin(waiting);
        assert_eq!(waiting.as_mut().now_or_never(), None);
        queue.lock().unwrap().clear();
        assert_eq!(waiting.now_or_never(), Some(Err(GivenUp)));
    }

    /// What this file and the places of `native` and `bin` may know, and no other code. Calls are forbidden in
    /// `.clippy.toml`; Clippy does not see conditions.
    const OF_PLACES: [&str; 6] =
        ["target_arch", "target_family", "target_os", "target_env", "cfg(unix", "cfg(windows"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn no_other_code_knows_where_it_runs() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&src, &mut files);
        assert!(files.len() > 100, "only {} files were found", files.len());
        let may = ["bin/", "engine/", "native/", "native.rs", "app.rs", "web/assets/build.rs"];
        for path in files {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
            if may.iter().any(|place| name.starts_with(place)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for word in OF_PLACES {
                assert!(!text.contains(word), "{name} knows {word}: let it come in through app.rs");
            }
        }
    }
}
