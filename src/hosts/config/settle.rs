//! What a configuration becomes once the secrets that it names are read from their vault.

use jiff::Timestamp;

use super::{
    COOKIE_KEY, COOKIE_KEY_SECRET, Config, INVITATION_CODE, INVITATION_CODE_SECRET, ORIGIN_KEY,
    ORIGIN_KEY_SECRET, Told,
};
use crate::accounts::cookies::CookiePolicy;
use crate::accounts::keys::{CookieKeys, KeyRing};
use crate::accounts::sign_up::{InvitationCode, SignUp};
use crate::base::secrets::{SecretName, SecretStore, SecretStoreError};
use crate::web::origin::OriginKeys;

/// Why secrets cannot be had: whole sentences, each with the variable and the name of the secret, and never its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("A secret is not to be had. {}", .0.join(" "))]
pub struct SecretsError(Vec<String>);

/// What depended on secrets.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What signs cookies, and whether they travel over https alone.
    pub cookies: CookiePolicy,
    /// Whether people may make accounts of their own.
    pub sign_up: SignUp,
    /// What proves that a request came through the proxy in front, if it must.
    pub origin_keys: Option<OriginKeys>,
}

impl Config {
    /// Whether it names secrets in a vault.
    pub fn names_secrets(&self) -> bool {
        matches!(self.cookie_keys, Told::InVault(_))
            || matches!(self.sign_up, Told::InVault(_))
            || matches!(self.origin_keys, Some(Told::InVault(_)))
    }

    /// What it tells by itself, for a program that reads no vault.
    ///
    /// # Errors
    /// [`SecretsError`] with every secret that is named instead of told.
    pub fn settle_here(&self) -> Result<Settled, SecretsError> {
        let ring = self.cookie_keys.here(COOKIE_KEY_SECRET, COOKIE_KEY);
        let keys = ring.map(|ring| CookieKeys::fixed(ring.clone()));
        let sign_up = self.sign_up.here(INVITATION_CODE_SECRET, INVITATION_CODE).cloned();
        let origin_keys = self.origin_keys.as_ref().map(|keys| keys.here(ORIGIN_KEY_SECRET, ORIGIN_KEY));
        let origin_keys = origin_keys.map(|pair| pair.map(|pair| OriginKeys::fixed(pair.clone())));
        self.settled(keys, sign_up, origin_keys.transpose())
    }

    /// What it tells, and the secrets that it names, read from the vault.
    ///
    /// # Errors
    /// [`SecretsError`] with every secret that is not to be had.
    pub async fn settle(&self, vault: &SecretStore, now: Timestamp) -> Result<Settled, SecretsError> {
        let keys = self.cookie_keys.settle(vault, now).await;
        let sign_up = settle_sign_up(&self.sign_up, vault).await;
        self.settled(keys, sign_up, self.settle_origin_keys(vault, now).await)
    }

    fn settled(
        &self,
        keys: Result<CookieKeys, SecretsError>,
        sign_up: Result<SignUp, SecretsError>,
        origin_keys: Result<Option<OriginKeys>, SecretsError>,
    ) -> Result<Settled, SecretsError> {
        match (keys, sign_up, origin_keys) {
            (Ok(keys), Ok(sign_up), Ok(origin_keys)) => {
                let cookies = CookiePolicy { keys, secure: self.secure_cookies, port: None };
                Ok(Settled { cookies, sign_up, origin_keys })
            }
            (keys, sign_up, origin_keys) => {
                let faults = [keys.err(), sign_up.err(), origin_keys.err()];
                Err(SecretsError(faults.into_iter().flatten().flat_map(|fault| fault.0).collect()))
            }
        }
    }

    async fn settle_origin_keys(
        &self,
        vault: &SecretStore,
        now: Timestamp,
    ) -> Result<Option<OriginKeys>, SecretsError> {
        match &self.origin_keys {
            None => Ok(None),
            Some(Told::Here(pair)) => Ok(Some(OriginKeys::fixed(pair.clone()))),
            Some(Told::InVault(name)) => {
                let keys = OriginKeys::in_vault(vault.clone(), name.clone(), now).await;
                keys.map(Some).map_err(|fault| fault_of(ORIGIN_KEY_SECRET, name, &fault.to_string()))
            }
        }
    }
}

impl<T> Told<T> {
    fn here(&self, variable: &str, instead: &str) -> Result<&T, SecretsError> {
        match self {
            Self::Here(told) => Ok(told),
            Self::InVault(_) => {
                let fault =
                    format!("{variable} is of no use here, where no vault is read: set {instead} instead.");
                Err(SecretsError(vec![fault]))
            }
        }
    }
}

impl Told<KeyRing> {
    /// The keys, read from the vault if they are there.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub async fn settle(&self, vault: &SecretStore, now: Timestamp) -> Result<CookieKeys, SecretsError> {
        match self {
            Self::Here(ring) => Ok(CookieKeys::fixed(ring.clone())),
            Self::InVault(name) => {
                let keys = CookieKeys::in_vault(vault.clone(), name.clone(), now).await;
                keys.map_err(|fault| fault_of(COOKIE_KEY_SECRET, name, &fault.to_string()))
            }
        }
    }
}

async fn settle_sign_up(sign_up: &Told<SignUp>, vault: &SecretStore) -> Result<SignUp, SecretsError> {
    const NO_CODE: &str = "is no invitation code: one has 8 to 100 visible ASCII characters, without spaces.";
    let name = match sign_up {
        Told::Here(sign_up) => return Ok(sign_up.clone()),
        Told::InVault(name) => name,
    };
    let fault = |fault: &str| fault_of(INVITATION_CODE_SECRET, name, fault);
    let code = vault.current(name).await;
    let code = code.map_err(|SecretStoreError(cause)| fault(&format!("cannot be read: {cause}.")))?;
    let code = code.text.parse::<InvitationCode>().map_err(|_| fault(NO_CODE))?;
    Ok(SignUp::Invited(code))
}

fn fault_of(variable: &str, name: &SecretName, fault: &str) -> SecretsError {
    SecretsError(vec![format!("{variable} names the secret {name}, which {fault}")])
}
