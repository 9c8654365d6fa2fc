//! The feature's struct, which holds its dependencies. Its methods are in the other files, one for each use case.

use super::auth_cache::AuthCache;
use super::cookies::CookiePolicy;
use super::hashing::Hashing;
use super::sessions::SessionLimits;
use super::sign_up::SignUp;
use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Manages accounts, sessions and tokens, and signs people in.
#[derive(Clone)]
pub struct Accounts {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) blocking: BlockingPool,
    pub(super) auth_cache: AuthCache,
    pub(super) cookies: CookiePolicy,
    pub(super) hashing: Hashing,
    pub(super) sign_up: SignUp,
    pub(super) session_limits: SessionLimits,
}

impl Accounts {
    /// Creates the feature from its dependencies.
    pub fn new(
        services: &Services,
        auth_cache: AuthCache,
        cookies: CookiePolicy,
        hashing: Hashing,
        sign_up: SignUp,
        session_limits: SessionLimits,
    ) -> Self {
        let Services { dynamo, background, clock, rng, blocking, .. } = services.clone();
        Self { dynamo, background, clock, rng, blocking, auth_cache, cookies, hashing, sign_up, session_limits }
    }
}
