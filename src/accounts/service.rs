//! The feature's struct, which holds its dependencies. Its methods are in the other files, one for each use case.

use std::sync::Arc;

use super::auth_cache::AuthCache;
use super::cookies::CookiePolicy;
use super::data_keys::{DataKey, DataKeys};
use super::domain::SessionLimits;
use super::hashing::Hashing;
use super::keys::KeyRing;
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
    pub(super) data_keys: Option<DataKeys>,
    pub(super) hashing: Hashing,
    pub(super) sign_up: SignUp,
    pub(super) session_limits: SessionLimits,
}

/// How people sign in, from the configuration of the host.
pub struct SignInSettings {
    /// The cache of checked sessions and tokens.
    pub auth_cache: AuthCache,
    /// How cookies are signed and named.
    pub cookies: CookiePolicy,
    /// The keys that encrypt the secrets of two-factor authentication, if the host has any.
    pub data_keys: Option<DataKeys>,
    /// The queue of passwords.
    pub hashing: Hashing,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// How long sessions last.
    pub session_limits: SessionLimits,
}

impl Accounts {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services, settings: SignInSettings) -> Self {
        let Services { dynamo, background, clock, rng, blocking, .. } = services.clone();
        let SignInSettings { auth_cache, cookies, data_keys, hashing, sign_up, session_limits } = settings;
        Self {
            dynamo,
            background,
            clock,
            rng,
            blocking,
            auth_cache,
            cookies,
            data_keys,
            hashing,
            sign_up,
            session_limits,
        }
    }

    /// Returns the keys that encrypt the secrets of two-factor authentication, if this host has any.
    pub async fn data_keys(&self) -> Option<Arc<KeyRing<DataKey>>> {
        match &self.data_keys {
            Some(keys) => Some(keys.at(self.clock.now()).await),
            None => None,
        }
    }
}
