//! What handlers share, and the whole application as one service.
//!
//! What differs between the local server, Lambda, WebAssembly and tests (the clock, randomness, sleep and the way to the
//! store) comes in here and nowhere else.

use std::sync::Arc;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};

use crate::accounts::auth_cache::AuthCache;
use crate::accounts::cookies::CookiePolicy;
use crate::accounts::hashing::{self, Hashing};
use crate::accounts::sign_up::SignUp;
use crate::accounts::{self, Accounts};
use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::{Heartbeats, Telemetry};
use crate::commands::{self, Commands};
use crate::dashboard::{self, Dashboard};
use crate::imports::{self, Imports};
use crate::inventory::{self, Inventory};
use crate::leads::snapshots::Snapshots;
use crate::leads::{self, Leads};
use crate::orders::{self, Orders, Reconciler, StateLocks};
use crate::projections::{self, Projections};
use crate::raffles::{self, Raffles};
use crate::rules::{self, Rules};
use crate::shared::services::Services;
use crate::stats::Statistics;
use crate::store::line::Line;
use crate::store::{Dynamo, RetryPolicy};
use crate::web::client::{self, TrustedProxies};
use crate::web::context::{Authenticator, RequestContext};
use crate::web::error::WebError;
use crate::web::health::{FreeDisk, Health, LastReadiness};
use crate::web::observe::{self, Observer};
use crate::web::origin::{self, OriginKeys};
use crate::web::problem::Problem;
use crate::web::routes::Route;
use crate::web::time_limit;
use crate::web::{assets, headers, health, panic, present};

/// What differs between the places where the application runs: the local server, Lambda, and WebAssembly.
pub struct Platform {
    /// The way to the store.
    pub line: Line,
    /// What waits.
    pub sleep: SharedAsyncSleep,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub rng: Rng,
    /// Where slow work is done.
    pub blocking: BlockingPool,
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
    pub rng: Rng,
    /// Where slow work is done.
    pub blocking: BlockingPool,
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

/// The features, each built of what it needs. Building one costs some clones of shared pointers.
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

    /// Accounts, sessions, tokens and sign-in.
    pub fn accounts(&self) -> Accounts {
        let (cache, cookies) = (self.auth_cache.clone(), self.cookies.clone());
        Accounts::new(&self.services(), cache, cookies, self.hashing.clone(), self.sign_up.clone())
    }

    /// Leads, their history and their search.
    pub fn leads(&self) -> Leads {
        let services = self.services();
        Leads::new(&services, self.snapshots.clone(), Arc::new(Reconciler::new(&services)))
    }

    /// Counts over all leads and orders.
    pub fn statistics(&self) -> Statistics {
        Statistics::new(&self.services())
    }

    /// Orders and caps.
    pub fn orders(&self) -> Orders {
        let (services, locks) = (self.services(), self.state_locks.clone());
        Orders::new(&services, self.leads(), self.statistics(), Reconciler::new(&services), locks)
    }

    /// Imports of leads from files.
    pub fn imports(&self) -> Imports {
        Imports::new(&self.services(), self.leads())
    }

    /// Raffles and their tickets.
    pub fn raffles(&self) -> Raffles {
        Raffles::new(&self.services())
    }

    /// Products, their movements, and messages that could not be applied.
    pub fn inventory(&self) -> Inventory {
        Inventory::new(&self.services())
    }

    /// Commands on orders, leads and products.
    pub fn commands(&self) -> Commands {
        Commands::new(&self.services(), self.leads(), self.orders(), self.inventory())
    }

    /// Rules and their runs.
    pub fn rules(&self) -> Rules {
        Rules::new(&self.services(), self.commands())
    }

    /// What the table's stream brings about.
    pub fn projections(&self) -> Projections {
        let (statistics, orders) = (self.statistics(), self.orders());
        Projections::new(&self.services(), statistics, orders, self.raffles(), self.rules())
    }

    /// The start page.
    pub fn dashboard(&self) -> Dashboard {
        let (statistics, orders) = (self.statistics(), self.orders());
        Dashboard::new(&self.services(), self.leads(), statistics, orders, self.raffles())
    }

    /// What extractors and guards need.
    fn request_context(&self) -> RequestContext {
        let accounts = self.accounts();
        let authenticator = Authenticator::from_fn(move |headers| {
            let accounts = accounts.clone();
            async move { Ok(accounts.authenticate(&headers).await?) }
        });
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

/// The whole application as one service, with the list of its routes.
pub fn build_router(app: App) -> (Router, Vec<Route>) {
    let routes = assets::routes()
        .and(health::routes(app.health()))
        .and(dashboard::routes(app.dashboard()))
        .and(accounts::routes(app.accounts()))
        .and(leads::routes(app.leads()))
        .and(imports::routes(app.imports()))
        .and(orders::routes(app.orders()))
        .and(raffles::routes(app.raffles()))
        .and(inventory::routes(app.inventory()))
        .and(commands::routes(app.commands()))
        .and(rules::routes(app.rules()))
        .and(projections::routes(app.projections()));
    let (router, list) = routes.into_parts();
    let router = router
        .fallback(async || Problem::from(WebError::NotFound))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(Extension(app.request_context()))
        .layer(from_fn_with_state(app.trusted_proxies, client::identify));
    let router = match &app.origin_keys {
        Some(keys) => router.layer(from_fn_with_state((keys.clone(), app.clock.clone()), origin::require)),
        None => router,
    };
    let App { dynamo, clock, rng, telemetry, .. } = app;
    let router = router
        .layer(from_fn(panic::catch_panic))
        .layer(from_fn(present::present))
        .layer(from_fn_with_state(app.cookies.secure, headers::protect))
        .layer(from_fn_with_state(dynamo, time_limit::limit_time))
        .layer(from_fn_with_state(Observer { telemetry, clock, rng }, observe::observe));
    (router, list)
}

/// The largest body of a request, in bytes; routes that take files say so themselves.
const LARGEST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

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
