//! Secrets in an external store. They are read when they are needed, and again when the known values are old.
//!
//! The reader is a function, because the SDK of AWS Secrets Manager does not run on WebAssembly. Invariants: a
//! secret's text is in no message, log or `Debug` output, and a read takes no longer than its reader allows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::base::values::{Invalid, text_value};

/// The name or the ARN of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// Returns the name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(SecretName);

impl FromStr for SecretName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c);
        if (1..=2048).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "A secret is named by its ARN, or by letters, digits, and the marks / _ + = . @ and - only.",
            ))
        }
    }
}

/// A version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The current version.
    Current,
    /// The version before the current one.
    Previous,
}

/// The content of a version of a secret.
#[derive(Clone)]
pub struct SecretVersion {
    /// The secret text.
    pub text: String,
    /// When this version was created.
    pub created: Timestamp,
}

impl fmt::Debug for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretVersion").field("created", &self.created).finish_non_exhaustive()
    }
}

/// Why a secret cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretStoreError(pub String);

/// The result of a read: a version, or `None` if there is none.
pub type Reading = Result<Option<SecretVersion>, SecretStoreError>;

type Read = dyn Fn(SecretName, Stage) -> BoxFuture<'static, Reading> + Send + Sync;

/// A store of secrets.
#[derive(Clone)]
pub struct SecretStore(Arc<Read>);

impl SecretStore {
    /// Creates a store that a function reads. The function must limit its own time.
    pub fn from_fn<F>(read: impl Fn(SecretName, Stage) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reading> + Send + 'static,
    {
        Self(Arc::new(move |name, stage| Box::pin(read(name, stage))))
    }

    /// Reads a version of a secret, if it exists.
    ///
    /// # Errors
    /// [`SecretStoreError`].
    pub async fn read(&self, name: &SecretName, stage: Stage) -> Reading {
        (self.0)(name.clone(), stage).await
    }

    /// Reads the current version of a secret.
    ///
    /// # Errors
    /// [`SecretStoreError`], also if the secret does not exist.
    pub async fn current(&self, name: &SecretName) -> Result<SecretVersion, SecretStoreError> {
        self.read(name, Stage::Current)
            .await?
            .ok_or_else(|| SecretStoreError("there is no such secret".to_owned()))
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStore")
    }
}

/// How old the known value of a watched secret may be.
pub const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// The wait after a failed read.
pub const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The current and the previous version of a secret.
#[derive(Debug, Clone)]
pub struct Versions {
    /// The current version.
    pub current: SecretVersion,
    /// The previous version, if there is one.
    pub previous: Option<SecretVersion>,
}

/// Why a secret has no usable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The store does not return it.
    #[error("cannot be read: {0}.")]
    SecretStore(#[from] SecretStoreError),
    /// Its text is not valid.
    #[error("{0}")]
    Text(&'static str),
}

/// A value created from the two versions of a secret. Old versions are read again before a request that needs the
/// value, because an instance that was frozen for hours has no other opportunity. A failed read keeps the known
/// value.
pub struct Watched<T> {
    store: SecretStore,
    name: SecretName,
    make: fn(Versions) -> Result<T, &'static str>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    value: Arc<T>,
    /// When the last read was tried.
    tried: Timestamp,
    /// When the next read is due.
    until: Timestamp,
}

impl<T> Watched<T> {
    /// Reads a secret and creates its value.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn open(
        store: SecretStore,
        name: SecretName,
        make: fn(Versions) -> Result<T, &'static str>,
        now: Timestamp,
    ) -> Result<Self, SecretError> {
        let value = Arc::new(read(&store, &name, make).await?);
        let known = Mutex::new(Known { value, tried: now, until: after(now, MAX_AGE) });
        Ok(Self { store, name, make, known })
    }

    /// Returns the value for current use. Concurrent requests wait for the same read.
    pub async fn at(&self, now: Timestamp) -> Arc<T> {
        let mut known = self.known.lock().await;
        if now >= known.until {
            self.read_into(&mut known, now).await;
        }
        known.value.clone()
    }

    /// Returns the value, and reads it again unless a read was tried within a minute. Use it when another process may
    /// know a newer value.
    pub async fn reread(&self, now: Timestamp) -> Arc<T> {
        let mut known = self.known.lock().await;
        if now >= after(known.tried, RETRY_AFTER) {
            self.read_into(&mut known, now).await;
        }
        known.value.clone()
    }

    async fn read_into(&self, known: &mut Known<T>, now: Timestamp) {
        known.tried = now;
        match read(&self.store, &self.name, self.make).await {
            Ok(value) => {
                known.value = Arc::new(value);
                known.until = after(now, MAX_AGE);
            }
            Err(error) => {
                tracing::warn!(secret = %self.name, %error, "cannot read a secret; keeping the known versions");
                known.until = after(now, RETRY_AFTER);
            }
        }
    }
}

async fn read<T>(
    store: &SecretStore,
    name: &SecretName,
    make: fn(Versions) -> Result<T, &'static str>,
) -> Result<T, SecretError> {
    // In this order: if the secret changes between the two reads, the old version is read twice and none is missed.
    let current = store.current(name).await?;
    let previous = store.read(name, Stage::Previous).await?;
    make(Versions { current, previous }).map_err(SecretError::Text)
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_identified_by_its_name_or_its_arn() {
        for text in [
            "holdfast",
            "desk/cookie-key_1+=.@",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:CookieKey-a1B2",
        ] {
            assert_eq!(text.parse::<SecretName>().unwrap().as_str(), text);
        }
        for text in ["", "a secret", "schlüssel", "{{resolve}}", "a\nb", &"x".repeat(2049)] {
            assert!(text.parse::<SecretName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        let version = SecretVersion { text: "open sesame".to_owned(), created: Timestamp::UNIX_EPOCH };
        assert!(!format!("{version:?}").contains("sesame"));
    }
}
