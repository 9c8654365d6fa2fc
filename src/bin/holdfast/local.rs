//! The names in the local data, and the cookie policy of commands.

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::keys::{CookieKey, CookieKeys, KeyRing};
use holdfast::base::rng::Rng;

/// The name of the table in the local data.
pub const TABLE: &str = "holdfast";

/// The name of the reader of the stream.
pub const CONSUMER: &str = "holdfast";

/// Returns a cookie policy for commands, which have no browser: the key is random.
pub fn no_cookies() -> CookiePolicy {
    let key = CookieKey::new(Rng::of_system().bytes());
    CookiePolicy { keys: CookieKeys::fixed(KeyRing::of(key, None)), secure: true, port: None }
}
