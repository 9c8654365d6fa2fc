//! Secrets that are kept elsewhere, read when they are needed, and read again when that was long ago.
//!
//! Who reads them is handed in as a function, for the SDK of AWS Secrets Manager is nothing for WebAssembly. What always
//! holds: a secret's text is in no message, log or `Debug`; a reading takes no longer than its reader allows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::base::values::{Invalid, text_value};

/// What a secret is called: its name or its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// As it was written.
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

/// Which version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The one that holds.
    Current,
    /// The one that held before it.
    Previous,
}

/// A version of a secret.
#[derive(Clone)]
pub struct SecretVersion {
    /// The secret itself.
    pub text: String,
    /// When this version was made.
    pub created: Timestamp,
}

impl fmt::Debug for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretVersion").field("created", &self.created).finish_non_exhaustive()
    }
}

/// Why a secret cannot be read, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretStoreError(pub String);

/// What was read: a version, or that there is none.
pub type Reading = Result<Option<SecretVersion>, SecretStoreError>;

type Read = dyn Fn(SecretName, Stage) -> BoxFuture<'static, Reading> + Send + Sync;

/// Where secrets are kept.
#[derive(Clone)]
pub struct SecretStore(Arc<Read>);

impl SecretStore {
    /// A vault that a function reads. It bounds the time that it takes.
    pub fn from_fn<F>(read: impl Fn(SecretName, Stage) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reading> + Send + 'static,
    {
        Self(Arc::new(move |name, stage| Box::pin(read(name, stage))))
    }

    /// Reads a version of a secret, if there is one.
    ///
    /// # Errors
    /// [`SecretStoreError`].
    pub async fn read(&self, name: &SecretName, stage: Stage) -> Reading {
        (self.0)(name.clone(), stage).await
    }

    /// Reads the version of a secret that holds.
    ///
    /// # Errors
    /// [`SecretStoreError`], also where there is no such secret.
    pub async fn current(&self, name: &SecretName) -> Result<SecretVersion, SecretStoreError> {
        self.read(name, Stage::Current)
            .await?
            .ok_or_else(|| SecretStoreError("there is no such secret".to_owned()))
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// How old what is known of a watched secret may be.
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// How long after a reading that failed the next one is.
pub const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The version of a secret that holds, and the one before it.
#[derive(Debug, Clone)]
pub struct Versions {
    /// The one that holds.
    pub current: SecretVersion,
    /// The one that held before it, if there is one.
    pub previous: Option<SecretVersion>,
}

/// Why there is no value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The vault does not give it.
    #[error("cannot be read: {0}.")]
    SecretStore(#[from] SecretStoreError),
    /// Its text is not what it should be.
    #[error("{0}")]
    Text(&'static str),
}

/// A value made of the two versions of a secret, which are read again when they are old, before a request that needs
/// them: an instance that was frozen for hours has no other moment. A reading that fails leaves what is known.
pub struct Watched<T> {
    vault: SecretStore,
    name: SecretName,
    make: fn(Versions) -> Result<T, &'static str>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    value: Arc<T>,
    /// When the last reading was tried.
    tried: Timestamp,
    /// When the next one is due.
    until: Timestamp,
}

impl<T> Watched<T> {
    /// The value of a secret, which is read now.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn open(
        vault: SecretStore,
        name: SecretName,
        make: fn(Versions) -> Result<T, &'static str>,
        now: Timestamp,
    ) -> Result<Self, SecretError> {
        let value = Arc::new(read(&vault, &name, make).await?);
        let known = Mutex::new(Known { value, tried: now, until: after(now, FRESH) });
        Ok(Self { vault, name, make, known })
    }

    /// The value, for what is done now. Requests that come while it is read wait for that one reading.
    pub async fn at(&self, now: Timestamp) -> Arc<T> {
        let mut known = self.known.lock().await;
        if now >= known.until {
            self.read_into(&mut known, now).await;
        }
        known.value.clone()
    }

    /// The value, read again unless that was tried within a minute: for what another process may know already.
    pub async fn reread(&self, now: Timestamp) -> Arc<T> {
        let mut known = self.known.lock().await;
        if now >= after(known.tried, TRIED_AGAIN) {
            self.read_into(&mut known, now).await;
        }
        known.value.clone()
    }

    async fn read_into(&self, known: &mut Known<T>, now: Timestamp) {
        known.tried = now;
        match read(&self.vault, &self.name, self.make).await {
            Ok(value) => {
                known.value = Arc::new(value);
                known.until = after(now, FRESH);
            }
            Err(error) => {
                tracing::warn!(secret = %self.name, %error, "the versions of a secret that are known so far are kept");
                known.until = after(now, TRIED_AGAIN);
            }
        }
    }
}

async fn read<T>(
    vault: &SecretStore,
    name: &SecretName,
    make: fn(Versions) -> Result<T, &'static str>,
) -> Result<T, SecretError> {
    // In this order: if the secret changes between the two, the old version is known twice and none is missed.
    let current = vault.current(name).await?;
    let previous = vault.read(name, Stage::Previous).await?;
    make(Versions { current, previous }).map_err(SecretError::Text)
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_its_name_or_its_arn() {
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
    fn a_version_is_not_printed() {
        let version = SecretVersion { text: "open sesame".to_owned(), created: Timestamp::UNIX_EPOCH };
        assert!(!format!("{version:?}").contains("sesame"));
    }
}
