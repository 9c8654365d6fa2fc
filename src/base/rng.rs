//! The source of random bytes.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Where random bytes come from.
#[derive(Clone)]
pub struct Rng(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Rng {
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

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
