//! A cache of authenticated sessions and tokens. For ten seconds after a check, this process does not read the store
//! again.
//!
//! Invariants: the cache contains only what the store confirmed. Ending a session or token in this process removes it
//! at once, even while a check is running. Other processes notice within ten seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

use super::AccountError;
use super::domain::SessionId;
use crate::base::identity::{AccountId, SignedIn};

/// How long an entry is valid.
const TTL: SignedDuration = SignedDuration::from_secs(10);

/// The credential of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum AuthKey {
    /// A session in a cookie whose signature was checked.
    Session(AccountId, SessionId),
    /// The SHA-256 of a token.
    Token(String),
}

#[derive(Clone)]
struct Checked {
    who: SignedIn,
    at: Timestamp,
}

/// The cache of this process. Clones share it.
#[derive(Clone)]
pub struct AuthCache {
    checked: Arc<Cache<AuthKey, Checked>>,
    /// The number of invalidations. A check that started before an invalidation must not store its result.
    generation: Arc<Mutex<u64>>,
}

impl AuthCache {
    /// Creates a cache for this many sessions and tokens.
    pub fn new(capacity: usize) -> Self {
        Self { checked: Arc::new(Cache::new(capacity)), generation: Arc::default() }
    }

    fn generation(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the person behind a credential, from the cache or from `check`.
    pub(super) async fn get_or_check(
        &self,
        key: AuthKey,
        now: Timestamp,
        check: impl Future<Output = Result<Option<SignedIn>, AccountError>>,
    ) -> Result<Option<SignedIn>, AccountError> {
        if let Some(Checked { who, at }) = self.checked.get(&key)
            && (SignedDuration::ZERO..TTL).contains(&now.duration_since(at))
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

    /// Removes all entries of an account.
    pub(super) fn invalidate_account(&self, id: AccountId) {
        let mut generation = self.generation();
        *generation += 1;
        self.checked.retain(|_, checked| checked.who.id != id);
    }

    /// Removes one session or token.
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
        SignedIn::new(id, name, email, Role::Agent, Via::Session)
    }

    fn key() -> AuthKey {
        AuthKey::Token("hash".to_owned())
    }

    /// Returns whether the store is read this many milliseconds after the first check.
    fn reads_store(cache: &AuthCache, later: i64, answer: Option<SignedIn>) -> bool {
        let was_read = Cell::new(false);
        let check = async {
            was_read.set(true);
            Ok(answer)
        };
        let now = NOW + SignedDuration::from_millis(later);
        cache.get_or_check(key(), now, check).now_or_never().unwrap().unwrap();
        was_read.get()
    }

    #[test]
    fn a_result_is_cached_for_ten_seconds() {
        let cache = AuthCache::new(10);
        assert!(reads_store(&cache, 0, Some(ann())));
        assert!(!reads_store(&cache, 9_999, Some(ann())));
        assert!(reads_store(&cache, 10_000, Some(ann())));
        // Setting the clock back does not extend an entry.
        assert!(reads_store(&cache, 5_000, Some(ann())));
    }

    #[test]
    fn a_failed_check_is_not_cached() {
        let cache = AuthCache::new(10);
        assert!(reads_store(&cache, 0, None));
        assert!(reads_store(&cache, 1, Some(ann())));
    }

    #[test]
    fn an_invalidation_also_discards_a_running_check() {
        let cache = AuthCache::new(10);
        let generation: [&dyn Fn(); 2] =
            [&|| cache.invalidate_account(ann().id), &|| cache.invalidate(&key())];
        for drop in generation {
            reads_store(&cache, 0, Some(ann()));
            drop();
            let running = cache.get_or_check(key(), NOW, async {
                drop();
                ready(Ok(Some(ann()))).await
            });
            running.now_or_never().unwrap().unwrap();
            assert!(reads_store(&cache, 1, Some(ann())), "the result of the running check is not cached");
        }
    }
}
