//! Builds each feature, mounts its routes, and adds the layers.
//!
//! Everything that differs between the local server, Lambda, WebAssembly and tests (the clock, randomness, sleep
//! and the connection to the store) enters here and nowhere else.

use std::sync::Arc;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};

use crate::accounts::auth_cache::AuthCache;
use crate::accounts::cookies::CookiePolicy;
use crate::accounts::data_keys::DataKeys;
use crate::accounts::hashing::{self, Hashing};
use crate::accounts::sessions::SessionLimits;
use crate::accounts::sign_up::SignUp;
use crate::accounts::{self, Accounts, SignInSettings};
use crate::audit::{self, Audit};
use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::{Heartbeats, Telemetry};
use crate::commands::{self, Commands};
use crate::dashboard::{self, Dashboard};
use crate::imports::{self, Imports};
use crate::inventory::{self, Inventory};
use crate::leads::former_words::FormerWords;
use crate::leads::snapshots::Snapshots;
use crate::leads::{self, Leads};
use crate::orders::{self, Orders, Reconciler, StateLocks};
use crate::people::{self, People};
use crate::projections::{self, Projections};
use crate::raffles::{self, Raffles};
use crate::rules::{self, Rules};
use crate::shared::services::Services;
use crate::stats::{self, Statistics};
use crate::store::line::Line;
use crate::store::{Dynamo, RetryPolicy};
use crate::web::client::{self, TrustedProxies};
use crate::web::context::RequestContext;
use crate::web::error::WebError;
use crate::web::health::{FreeDisk, Health, LastReadiness};
use crate::web::message::{self, MessageCookies};
use crate::web::observe::{self, Observer};
use crate::web::origin::{self, OriginKeys};
use crate::web::problem::Problem;
use crate::web::routes::{Route, Routes};
use crate::web::time_limit;
use crate::web::{assets, compress, headers, health, panic, present, theme_form};

/// The platform of the application: what differs between the local server, Lambda and WebAssembly.
pub struct Platform {
    /// The connection to the store.
    pub line: Line,
    /// The sleep implementation.
    pub sleep: SharedAsyncSleep,
    /// The clock.
    pub clock: Clock,
    /// The random number generator.
    pub rng: Rng,
    /// The thread pool for slow work.
    pub blocking: BlockingPool,
    /// How many lead versions are cached.
    pub snapshots: usize,
    /// The receiver of a report for each request.
    pub telemetry: Telemetry,
}

/// The parts of which the application builds its features. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The table.
    pub dynamo: Dynamo,
    /// The same table, for work that no request waits for.
    pub background: Dynamo,
    /// The clock.
    pub clock: Clock,
    /// The random number generator.
    pub rng: Rng,
    /// The thread pool for slow work.
    pub blocking: BlockingPool,
    /// A cache of lead versions.
    pub snapshots: Snapshots,
    /// What this process knows about the search index of version 0.1.
    pub former_words: FormerWords,
    /// Locks that order the creation of orders, for a process that serves many requests at once.
    pub state_locks: Option<StateLocks>,
    /// A cache of sessions and tokens that were checked recently.
    pub auth_cache: AuthCache,
    /// The cookie keys, and whether cookies travel only over HTTPS.
    pub cookies: CookiePolicy,
    /// The keys that encrypt secrets in the table. Without them there is no two-factor authentication.
    pub data_keys: Option<DataKeys>,
    /// The password hashing queue.
    pub hashing: Hashing,
    /// The number of trusted reverse proxies in front of the application.
    pub trusted_proxies: TrustedProxies,
    /// The keys that prove that a request came through the proxy in front, if that is required.
    pub origin_keys: Option<OriginKeys>,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// How long sessions last.
    pub session_limits: SessionLimits,
    /// The receiver of a report for each request.
    pub telemetry: Telemetry,
    /// The last activity of this process's workers.
    pub heartbeats: Heartbeats,
    /// The free space on the data's disk, if this process stores the data.
    pub free_disk: Option<FreeDisk>,
    /// The last readiness result.
    pub readiness: LastReadiness,
    /// Whether `/styleguide` exists: on a local server.
    pub has_styleguide: bool,
}

/// How many sessions and tokens a process caches.
const AUTH_CACHE: usize = 10_000;

impl App {
    /// Creates the application over a table.
    pub fn on(platform: Platform, table: &str, cookies: CookiePolicy, sign_up: SignUp) -> Self {
        let Platform { line, sleep, clock, rng, blocking, snapshots, telemetry } = platform;
        let policy = RetryPolicy::default();
        let dynamo = Dynamo::new(line, table, sleep, clock.clone(), rng.clone(), policy);
        Self {
            background: dynamo.clone(),
            dynamo,
            clock,
            rng,
            blocking,
            snapshots: Snapshots::new(snapshots),
            former_words: FormerWords::default(),
            state_locks: None,
            auth_cache: AuthCache::new(AUTH_CACHE),
            cookies,
            data_keys: None,
            hashing: Hashing::new(hashing::Limits::default()),
            trusted_proxies: TrustedProxies::NONE,
            origin_keys: None,
            sign_up,
            session_limits: SessionLimits::default(),
            telemetry,
            heartbeats: Heartbeats::default(),
            free_disk: None,
            readiness: LastReadiness::default(),
            has_styleguide: false,
        }
    }
}

impl App {
    /// Sets how long requests and attempts of calls may take.
    #[must_use]
    pub fn with_retries(self, policy: RetryPolicy) -> Self {
        let (dynamo, background) = (self.dynamo.with_policy(policy), self.background.with_policy(policy));
        Self { dynamo, background, ..self }
    }
}

/// The services of the features. Creating one costs a few clones of shared pointers.
impl App {
    fn services(&self) -> Services {
        Services {
            dynamo: self.dynamo.clone(),
            background: self.background.clone(),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            blocking: self.blocking.clone(),
            heartbeats: self.heartbeats.clone(),
        }
    }

    /// Returns the service of accounts, sessions, tokens and sign-in.
    pub fn accounts(&self) -> Accounts {
        let settings = SignInSettings {
            auth_cache: self.auth_cache.clone(),
            cookies: self.cookies.clone(),
            data_keys: self.data_keys.clone(),
            hashing: self.hashing.clone(),
            sign_up: self.sign_up.clone(),
            session_limits: self.session_limits,
        };
        Accounts::new(&self.services(), settings)
    }

    /// Returns the service of the audit log.
    pub fn audit(&self) -> Audit {
        Audit::new(&self.services(), self.accounts())
    }

    /// Returns the service of leads, their history and their search.
    pub fn leads(&self) -> Leads {
        let services = self.services();
        let caches = (self.snapshots.clone(), self.former_words.clone());
        Leads::new(&services, self.accounts(), caches, Arc::new(Reconciler::new(&services)))
    }

    /// Returns the service of counts over all leads and orders.
    pub fn statistics(&self) -> Statistics {
        Statistics::new(&self.services())
    }

    /// Returns the service of orders and caps.
    pub fn orders(&self) -> Orders {
        let (services, locks) = (self.services(), self.state_locks.clone());
        let stock_counts = Arc::new(self.statistics());
        Orders::new(&services, self.leads(), stock_counts, Reconciler::new(&services), locks)
    }

    /// Returns the service of imports of leads.
    pub fn imports(&self) -> Imports {
        Imports::new(&self.services(), self.leads())
    }

    /// Returns the service of the administration of people.
    pub fn people(&self) -> People {
        People::new(&self.services(), self.accounts(), self.leads())
    }

    /// Returns the service of raffles and their tickets.
    pub fn raffles(&self) -> Raffles {
        Raffles::new(&self.services())
    }

    /// Returns the service of products, their movements, and messages that could not be applied.
    pub fn inventory(&self) -> Inventory {
        Inventory::new(&self.services())
    }

    /// Returns the service of commands on orders, leads and products.
    pub fn commands(&self) -> Commands {
        Commands::new(&self.services(), self.leads(), self.orders(), self.inventory())
    }

    /// Returns the service of rules and their runs.
    pub fn rules(&self) -> Rules {
        Rules::new(&self.services(), self.commands())
    }

    /// Returns the service of the stream's effects.
    pub fn projections(&self) -> Projections {
        let (statistics, orders) = (self.statistics(), self.orders());
        Projections::new(&self.services(), statistics, self.leads(), orders, self.raffles(), self.rules())
    }

    /// Returns the service of the start page.
    pub fn dashboard(&self) -> Dashboard {
        let (statistics, orders) = (self.statistics(), self.orders());
        Dashboard::new(&self.services(), self.leads(), statistics, orders, self.raffles())
    }

    /// Returns what extractors and guards need.
    fn request_context(&self) -> RequestContext {
        let authenticator = Arc::new(self.accounts());
        RequestContext { dynamo: self.dynamo.clone(), clock: self.clock.clone(), authenticator }
    }

    fn health(&self) -> Health {
        Health {
            dynamo: self.dynamo.clone(),
            clock: self.clock.clone(),
            heartbeats: self.heartbeats.clone(),
            free_disk: self.free_disk.clone(),
            last: self.readiness.clone(),
        }
    }
}

/// Builds the whole application as one service, with the list of its routes.
pub fn build_router(app: App) -> (Router, Vec<Route>) {
    let routes = assets::routes()
        .and(health::routes(app.health()))
        .and(theme_form::routes(app.cookies.secure))
        .and(dashboard::routes(app.dashboard()))
        .and(accounts::routes(app.accounts()))
        .and(audit::routes(app.audit()))
        .and(leads::routes(app.leads()))
        .and(imports::routes(app.imports()))
        .and(people::routes(app.people()))
        .and(orders::routes(app.orders()))
        .and(stats::routes(app.statistics(), app.orders()))
        .and(raffles::routes(app.raffles()))
        .and(inventory::routes(app.inventory()))
        .and(commands::routes(app.commands()))
        .and(rules::routes(app.rules()))
        .and(projections::routes(app.projections()))
        .and(local_routes(&app));
    let (router, list) = routes.into_parts();
    let router = router
        .fallback(async || Problem::from(WebError::NotFound))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(Extension(app.request_context()))
        .layer(from_fn_with_state(app.trusted_proxies, client::identify));
    let router = match &app.origin_keys {
        Some(keys) => router.layer(from_fn_with_state((keys.clone(), app.clock.clone()), origin::require)),
        None => router,
    };
    let context = app.request_context();
    let messages: Arc<dyn MessageCookies> = Arc::new(app.accounts());
    let App { dynamo, clock, rng, telemetry, blocking, .. } = app;
    let router = router
        .layer(from_fn(panic::catch_panic))
        .layer(from_fn_with_state(context, present::present))
        .layer(from_fn_with_state(messages, message::carry))
        .layer(from_fn_with_state(blocking, compress::compress))
        .layer(from_fn_with_state(app.cookies.secure, headers::protect))
        .layer(from_fn_with_state(dynamo, time_limit::limit_time))
        .layer(from_fn_with_state(Observer { telemetry, clock, rng }, observe::observe));
    (router, list)
}

/// Returns the routes that only a local server has.
fn local_routes(app: &App) -> Routes {
    #[cfg(feature = "local")]
    if app.has_styleguide {
        return crate::styleguide::routes();
    }
    let _ = app;
    Routes::default()
}

/// The maximum size of a request body in bytes. Routes that accept files set their own limit.
const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Conditional compilation that only this file, `hosts` and `bin` may use. `.clippy.toml` forbids the calls;
    /// Clippy does not check conditions.
    const PLATFORM_CONDITIONS: [&str; 6] =
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
    fn no_other_code_depends_on_the_platform() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&src, &mut files);
        assert!(files.len() > 100, "only {} files were found", files.len());
        let allowed = ["bin/", "engine/", "hosts/", "app.rs", "web/assets/build.rs"];
        for path in files {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
            if allowed.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for word in PLATFORM_CONDITIONS {
                assert!(!text.contains(word), "{name} uses {word}: pass it in through app.rs");
            }
        }
    }
}
