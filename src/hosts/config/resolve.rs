//! Resolves a configuration: reads the secrets that it names.

use jiff::Timestamp;

use super::{
    Config, Configured, ConfiguredKey, INVITATION_CODE, INVITATION_CODE_SECRET, ORIGIN_KEY, ORIGIN_KEY_SECRET,
};
use crate::accounts::cookies::CookiePolicy;
use crate::accounts::data_keys::DataKeys;
use crate::accounts::keys::{CookieKeys, KeyRing, Keys};
use crate::accounts::sign_up::{InvitationCode, SignUp};
use crate::base::secrets::{SecretName, SecretStore, SecretStoreError};
use crate::web::origin::OriginKeys;

/// Why secrets cannot be read, as sentences with the variable and the name of the secret, but never its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("A secret cannot be read. {}", .0.join(" "))]
pub struct SecretsError(Vec<String>);

/// The values that depended on secrets.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What signs cookies, and whether they travel only over HTTPS.
    pub cookies: CookiePolicy,
    /// The keys that encrypt secrets in the table, if there are any.
    pub data_keys: Option<DataKeys>,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// The keys that prove that a request came through the proxy in front, if that is required.
    pub origin_keys: Option<OriginKeys>,
}

impl Config {
    /// Returns whether the configuration names secrets in a secret store.
    pub fn names_secrets(&self) -> bool {
        matches!(self.cookie_keys, Configured::InSecret(_))
            || matches!(self.data_keys, Some(Configured::InSecret(_)))
            || matches!(self.sign_up, Configured::InSecret(_))
            || matches!(self.origin_keys, Some(Configured::InSecret(_)))
    }

    /// Resolves the configuration without a secret store.
    ///
    /// # Errors
    /// [`SecretsError`] with every secret that is given by name.
    pub fn resolve_inline(&self) -> Result<Resolved, SecretsError> {
        let keys = self.cookie_keys.resolve_inline();
        let data_keys = self.data_keys.as_ref().map(Configured::resolve_inline).transpose();
        let sign_up = self.sign_up.inline(INVITATION_CODE_SECRET, INVITATION_CODE).cloned();
        let origin_keys = self.origin_keys.as_ref().map(|keys| keys.inline(ORIGIN_KEY_SECRET, ORIGIN_KEY));
        let origin_keys = origin_keys.map(|pair| pair.map(|pair| OriginKeys::fixed(pair.clone())));
        self.resolved(keys, data_keys, sign_up, origin_keys.transpose())
    }

    /// Resolves the configuration, and reads the secrets that it names.
    ///
    /// # Errors
    /// [`SecretsError`] with every secret that cannot be read.
    pub async fn resolve(&self, secrets: &SecretStore, now: Timestamp) -> Result<Resolved, SecretsError> {
        let keys = self.cookie_keys.resolve(secrets, now).await;
        let data_keys = match &self.data_keys {
            None => Ok(None),
            Some(keys) => keys.resolve(secrets, now).await.map(Some),
        };
        let sign_up = resolve_sign_up(&self.sign_up, secrets).await;
        self.resolved(keys, data_keys, sign_up, self.resolve_origin_keys(secrets, now).await)
    }

    fn resolved(
        &self,
        keys: Result<CookieKeys, SecretsError>,
        data_keys: Result<Option<DataKeys>, SecretsError>,
        sign_up: Result<SignUp, SecretsError>,
        origin_keys: Result<Option<OriginKeys>, SecretsError>,
    ) -> Result<Resolved, SecretsError> {
        match (keys, data_keys, sign_up, origin_keys) {
            (Ok(keys), Ok(data_keys), Ok(sign_up), Ok(origin_keys)) => {
                let cookies = CookiePolicy { keys, secure: self.secure_cookies, port: None };
                Ok(Resolved { cookies, data_keys, sign_up, origin_keys })
            }
            (keys, data_keys, sign_up, origin_keys) => {
                let faults = [keys.err(), data_keys.err(), sign_up.err(), origin_keys.err()];
                Err(SecretsError(faults.into_iter().flatten().flat_map(|fault| fault.0).collect()))
            }
        }
    }

    async fn resolve_origin_keys(
        &self,
        secrets: &SecretStore,
        now: Timestamp,
    ) -> Result<Option<OriginKeys>, SecretsError> {
        match &self.origin_keys {
            None => Ok(None),
            Some(Configured::Inline(pair)) => Ok(Some(OriginKeys::fixed(pair.clone()))),
            Some(Configured::InSecret(name)) => {
                let keys = OriginKeys::in_secret_store(secrets.clone(), name.clone(), now).await;
                keys.map(Some).map_err(|fault| fault_of(ORIGIN_KEY_SECRET, name, &fault.to_string()))
            }
        }
    }
}

impl<T> Configured<T> {
    fn inline(&self, variable: &str, instead: &str) -> Result<&T, SecretsError> {
        match self {
            Self::Inline(value) => Ok(value),
            Self::InSecret(_) => {
                let fault = format!(
                    "{variable} cannot be used here, because this host reads no secrets: set {instead} instead."
                );
                Err(SecretsError(vec![fault]))
            }
        }
    }
}

impl<K: ConfiguredKey> Configured<KeyRing<K>> {
    /// Returns the keys, unless they are stored in a secret store.
    fn resolve_inline(&self) -> Result<Keys<K>, SecretsError> {
        let ring = self.inline(K::VARIABLES.secret, K::VARIABLES.current);
        ring.map(|ring| Keys::fixed(ring.clone()))
    }

    /// Returns the keys, read from the secret store if they are stored there.
    pub async fn resolve(&self, secrets: &SecretStore, now: Timestamp) -> Result<Keys<K>, SecretsError> {
        match self {
            Self::Inline(ring) => Ok(Keys::fixed(ring.clone())),
            Self::InSecret(name) => {
                let keys = Keys::in_secret_store(secrets.clone(), name.clone(), now).await;
                keys.map_err(|fault| fault_of(K::VARIABLES.secret, name, &fault.to_string()))
            }
        }
    }
}

async fn resolve_sign_up(
    sign_up: &Configured<SignUp>,
    secrets: &SecretStore,
) -> Result<SignUp, SecretsError> {
    const NO_CODE: &str = "is not an invitation code: use 8 to 100 visible ASCII characters, without spaces.";
    let name = match sign_up {
        Configured::Inline(sign_up) => return Ok(sign_up.clone()),
        Configured::InSecret(name) => name,
    };
    let fault = |fault: &str| fault_of(INVITATION_CODE_SECRET, name, fault);
    let code = secrets.current(name).await;
    let code = code.map_err(|SecretStoreError(cause)| fault(&format!("cannot be read: {cause}.")))?;
    let code = code.text.parse::<InvitationCode>().map_err(|_| fault(NO_CODE))?;
    Ok(SignUp::Invited(code))
}

fn fault_of(variable: &str, name: &SecretName, fault: &str) -> SecretsError {
    SecretsError(vec![format!("{variable} names the secret {name}, which {fault}")])
}
