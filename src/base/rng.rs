//! The source of random bytes.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// A source of random bytes. Clones share it.
#[derive(Clone)]
pub struct Rng(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Rng {
    /// Returns the operating system's generator, which is suitable for secrets.
    #[allow(clippy::expect_used)]
    pub fn of_system() -> Self {
        // Nothing here is secure without randomness, and no input can make the generator fail.
        #[allow(clippy::disallowed_methods, reason = "this is the source of randomness")]
        Self(Arc::new(|buffer| getrandom::fill(buffer).expect("the system provides random bytes")))
    }

    /// Creates a generator from a function that fills a buffer. Secrets need one that cannot be predicted.
    pub fn from_fn(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// Returns `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// Returns a random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}
