//! Secrets that are kept elsewhere and read when they are needed.
//!
//! Who reads them is handed in as a function, for the SDK of AWS Secrets Manager is nothing for WebAssembly. What always
//! holds: a secret's text is in no message, log or `Debug`; a reading takes no longer than its reader allows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::values::{Invalid, text_value};

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
pub struct VaultError(pub String);

/// What was read: a version, or that there is none.
pub type Reading = Result<Option<SecretVersion>, VaultError>;

type Read = dyn Fn(SecretName, Stage) -> BoxFuture<'static, Reading> + Send + Sync;

/// Where secrets are kept.
#[derive(Clone)]
pub struct Vault(Arc<Read>);

impl Vault {
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
    /// [`VaultError`].
    pub async fn read(&self, name: &SecretName, stage: Stage) -> Reading {
        (self.0)(name.clone(), stage).await
    }

    /// Reads the version of a secret that holds.
    ///
    /// # Errors
    /// [`VaultError`], also where there is no such secret.
    pub async fn current(&self, name: &SecretName) -> Result<SecretVersion, VaultError> {
        self.read(name, Stage::Current).await?.ok_or_else(|| VaultError("there is no such secret".to_owned()))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
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
