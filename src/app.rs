//! What handlers share, and the whole application as one service.
//!
//! What differs between the local server, Lambda, WebAssembly and tests (the clock, randomness, sleep and the HTTP
//! client under the SDK) comes in here and nowhere else.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::accounts::{self, keys::CookieKeys, sign_up::SignUp};
use crate::automation;
use crate::dynamo::Dynamo;
use crate::error::{self, AppError};
use crate::inventory;
use crate::leads::{self, store::Snapshots};
use crate::orders;
use crate::raffle;
use crate::telemetry::{self, Telemetry};
use crate::web::access::{Access, Route, Routes};
use crate::web::extract::WebError;
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

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn of_system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that asks a function.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        // Whole milliseconds: what ids carry, and what people read.
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The table.
    pub dynamo: Dynamo,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Leads at versions that this process has seen.
    pub snapshots: Snapshots,
    /// What seals cookies, and whether they travel over https alone.
    pub cookies: CookiePolicy,
    /// Whether people may make accounts of their own.
    pub sign_up: SignUp,
    /// Who is told what came of each request.
    pub telemetry: Telemetry,
}

/// Others made something impossible until it was too late to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate;

impl App {
    /// For how many deadlines of a call something is tried that others make impossible: three of 8 s, for a request to
    /// Lambda has 29 s.
    const DEADLINES: i32 = 3;

    /// Until when something is tried that is begun now and that others make impossible.
    pub fn until(&self) -> Timestamp {
        let deadline = SignedDuration::try_from(self.dynamo.deadline()).unwrap_or(SignedDuration::MAX);
        let budget = deadline.checked_mul(Self::DEADLINES).unwrap_or(SignedDuration::MAX);
        self.clock.now().saturating_add(budget).unwrap_or(Timestamp::MAX)
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// [`TooLate`] for one.
    pub async fn pause(&self, attempt: u32, until: Timestamp) -> Result<(), TooLate> {
        if self.clock.now() >= until {
            return Err(TooLate);
        }
        self.dynamo.pause(attempt.min(4)).await;
        Ok(())
    }
}

/// How session cookies are made.
#[derive(Debug, Clone)]
pub struct CookiePolicy {
    /// The keys that encrypt them.
    pub keys: CookieKeys,
    /// Whether they carry `Secure`: true wherever people come over https.
    pub secure: bool,
}

/// The whole application as one service, with the list of its routes.
pub fn build_router(app: App) -> (Router, Vec<Route>) {
    let routes = Routes::new(&app)
        .get("/assets/{file}", Access::Public, assets::serve)
        .get("/health", Access::Public, health::health)
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
        .layer(from_fn_with_state(app.clone(), error::present))
        .layer(from_fn(headers::protect))
        .layer(from_fn_with_state(app, telemetry::observe));
    (router, list)
}

/// The largest body of a request, in bytes; routes that take files say so themselves.
const LARGEST_BODY: usize = 64 * 1024;
