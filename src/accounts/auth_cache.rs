//! Who was signed in a moment ago: sessions and tokens that this process has checked need no read of the store for ten
//! seconds.
//!
//! What always holds: only what the store confirmed is kept; whatever ends sessions or tokens in this process drops it at
//! once, even while a check is running. Other processes notice within ten seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

use super::AccountError;
use super::session::Session;
use crate::base::identity::{AccountId, SignedIn};

/// How long an answer counts.
const COUNTS: SignedDuration = SignedDuration::from_secs(10);

/// What a request shows of who sends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum AuthKey {
    /// A session in a cookie whose signature was checked.
    Session(Session),
    /// The SHA-256 of a token.
    Token(String),
}

#[derive(Clone)]
struct Checked {
    who: SignedIn,
    at: Timestamp,
}

/// The answers of this process. Clones share them.
#[derive(Clone)]
pub struct AuthCache {
    checked: Arc<Cache<AuthKey, Checked>>,
    /// How often something was dropped: a check that began before must not bring it back.
    generation: Arc<Mutex<u64>>,
}

impl AuthCache {
    /// Room for this many sessions and tokens.
    pub fn new(capacity: usize) -> Self {
        Self { checked: Arc::new(Cache::new(capacity)), generation: Arc::default() }
    }

    fn generation(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose a key is: as it was checked a moment ago, or as `check` finds it now.
    pub(super) async fn get_or_check(
        &self,
        key: AuthKey,
        now: Timestamp,
        check: impl Future<Output = Result<Option<SignedIn>, AccountError>>,
    ) -> Result<Option<SignedIn>, AccountError> {
        if let Some(Checked { who, at }) = self.checked.get(&key)
            && (SignedDuration::ZERO..COUNTS).contains(&now.duration_since(at))
        {
            return Ok(Some(who));
        }
        let before = *self.generation();
        let who = check.await?;
        let generation = self.generation();
        if let Some(who) = &who
            && *generation == before
        {
            self.checked.insert(key, Checked { who: who.clone(), at: now });
        }
        Ok(who)
    }

    /// Drops everything of an account.
    pub(super) fn invalidate_account(&self, id: AccountId) {
        let mut generation = self.generation();
        *generation += 1;
        self.checked.retain(|_, checked| checked.who.id != id);
    }

    /// Drops one session or token.
    pub(super) fn invalidate(&self, key: &AuthKey) {
        let mut generation = self.generation();
        *generation += 1;
        self.checked.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::base::identity::{Role, Via};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn ann() -> SignedIn {
        let id = AccountId::new(NOW, &[1; 10]);
        let (name, email) = ("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        SignedIn { id, name, email, role: Role::Agent, via: Via::Session }
    }

    fn key() -> AuthKey {
        AuthKey::Token("hash".to_owned())
    }

    /// Whether the store was asked, this long after the first check.
    fn asks(cache: &AuthCache, later: i64, answer: Option<SignedIn>) -> bool {
        let asked = Cell::new(false);
        let check = async {
            asked.set(true);
            Ok(answer)
        };
        let now = NOW + SignedDuration::from_millis(later);
        cache.get_or_check(key(), now, check).now_or_never().unwrap().unwrap();
        asked.get()
    }

    #[test]
    fn what_was_checked_is_not_checked_again_for_ten_seconds() {
        let cache = AuthCache::new(10);
        assert!(asks(&cache, 0, Some(ann())));
        assert!(!asks(&cache, 9_999, Some(ann())));
        assert!(asks(&cache, 10_000, Some(ann())));
        // A clock that was set back makes nothing last longer.
        assert!(asks(&cache, 5_000, Some(ann())));
    }

    #[test]
    fn nobody_is_not_remembered() {
        let cache = AuthCache::new(10);
        assert!(asks(&cache, 0, None));
        assert!(asks(&cache, 1, Some(ann())));
    }

    #[test]
    fn what_is_dropped_is_checked_again_also_where_a_check_was_under_way() {
        let cache = AuthCache::new(10);
        let generation: [&dyn Fn(); 2] =
            [&|| cache.invalidate_account(ann().id), &|| cache.invalidate(&key())];
        for drop in generation {
            asks(&cache, 0, Some(ann()));
            drop();
            let under_way = cache.get_or_check(key(), NOW, async {
                drop();
                ready(Ok(Some(ann()))).await
            });
            under_way.now_or_never().unwrap().unwrap();
            assert!(asks(&cache, 1, Some(ann())), "the check that was under way is not kept");
        }
    }
}
