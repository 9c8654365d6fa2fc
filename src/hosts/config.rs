//! The configuration of a deployed Holdfast, read once from the environment at start.
//!
//! Reading is a pure function of a lookup. An error lists all faults at once, each with its variable. No secret is
//! ever part of a message or of `Debug` output. A secret is given as text, or by its name in a secret store, which
//! is read afterwards ([`Config::resolve`]). The region and the credentials of AWS come from the AWS SDK's own
//! variables. `docs/configuration.md` lists all variables with their values.

pub mod aws;
mod checks;
mod resolve;

pub use resolve::{Resolved, SecretsError};

use std::time::Duration;

use jiff::SignedDuration;

use self::checks::{check_base_path, check_bool, check_endpoint, check_proxies, check_table, secret_name};
use crate::accounts::data_keys::DataKey;
use crate::accounts::keys::{CookieKey, KeyRing, SecretKey};
use crate::accounts::sessions::SessionLimits;
use crate::accounts::sign_up::{SignUp, SignUpFaults};
use crate::base::rng::Rng;
use crate::base::secrets::SecretName;
use crate::store::RetryPolicy;
use crate::web::client::TrustedProxies;
use crate::web::origin::{OriginKey, OriginKeyPair};

const TABLE: &str = "HOLDFAST_TABLE";
const DATA_KEY: &str = "HOLDFAST_DATA_KEY";
const DATA_KEY_PREVIOUS: &str = "HOLDFAST_DATA_KEY_PREVIOUS";
const DATA_KEY_SECRET: &str = "HOLDFAST_DATA_KEY_SECRET";
const COOKIE_KEY: &str = "HOLDFAST_COOKIE_KEY";
const COOKIE_KEY_PREVIOUS: &str = "HOLDFAST_COOKIE_KEY_PREVIOUS";
const COOKIE_KEY_SECRET: &str = "HOLDFAST_COOKIE_KEY_SECRET";
const SECURE_COOKIES: &str = "HOLDFAST_SECURE_COOKIES";
const BASE_PATH: &str = "HOLDFAST_BASE_PATH";
const SIGN_UP: &str = "HOLDFAST_SIGN_UP";
const INVITATION_CODE: &str = "HOLDFAST_INVITATION_CODE";
const INVITATION_CODE_SECRET: &str = "HOLDFAST_INVITATION_CODE_SECRET";
const REQUEST_SECONDS: &str = "HOLDFAST_REQUEST_SECONDS";
const ATTEMPT_SECONDS: &str = "HOLDFAST_ATTEMPT_SECONDS";
const SESSION_IDLE_HOURS: &str = "HOLDFAST_SESSION_IDLE_HOURS";
const SESSION_DAYS: &str = "HOLDFAST_SESSION_DAYS";
const TRUSTED_PROXIES: &str = "HOLDFAST_TRUSTED_PROXIES";
const ORIGIN_KEY: &str = "HOLDFAST_ORIGIN_KEY";
const ORIGIN_KEY_PREVIOUS: &str = "HOLDFAST_ORIGIN_KEY_PREVIOUS";
const ORIGIN_KEY_SECRET: &str = "HOLDFAST_ORIGIN_KEY_SECRET";
const DYNAMODB_ENDPOINT: &str = "HOLDFAST_DYNAMODB_ENDPOINT";
const SECRETS_ENDPOINT: &str = "HOLDFAST_SECRETS_ENDPOINT";

/// The configuration of a deployed Holdfast.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table's name.
    pub table: String,
    /// The keys that sign cookies.
    pub cookie_keys: Configured<KeyRing>,
    /// The keys that encrypt secrets in the table. Without them there is no two-factor authentication.
    pub data_keys: Option<Configured<KeyRing<DataKey>>>,
    /// Whether cookies travel only over HTTPS.
    pub secure_cookies: bool,
    /// The key under which a custom domain maps the API: empty, or a path like `/holdfast`.
    pub base_path: String,
    /// Who may sign up. A code in a secret store means sign-up by invitation.
    pub sign_up: Configured<SignUp>,
    /// How long a request and an attempt of a call may take.
    pub retries: RetryPolicy,
    /// How long sessions last.
    pub session_limits: SessionLimits,
    /// The number of reverse proxies that append to `X-Forwarded-For`.
    pub trusted_proxies: TrustedProxies,
    /// The keys of a proxy in front, which adds one of them to each request.
    pub origin_keys: Option<Configured<OriginKeyPair>>,
    /// The DynamoDB endpoint, if it is not AWS's default.
    pub dynamodb_endpoint: Option<String>,
    /// The Secrets Manager endpoint, if it is not AWS's default.
    pub secrets_endpoint: Option<String>,
}

/// A value that depends on a secret.
#[derive(Debug, Clone)]
pub enum Configured<T> {
    /// The value itself.
    Inline(T),
    /// The name of the secret in a secret store.
    InSecret(SecretName),
}

/// The variables of a key: its text, the previous text, and the name of a secret that replaces both.
pub struct KeyVariables {
    current: &'static str,
    previous: &'static str,
    secret: &'static str,
}

/// A key that the environment configures.
pub trait ConfiguredKey: SecretKey {
    /// Its variables.
    const VARIABLES: KeyVariables;
}

impl ConfiguredKey for CookieKey {
    const VARIABLES: KeyVariables =
        KeyVariables { current: COOKIE_KEY, previous: COOKIE_KEY_PREVIOUS, secret: COOKIE_KEY_SECRET };
}

impl ConfiguredKey for DataKey {
    const VARIABLES: KeyVariables =
        KeyVariables { current: DATA_KEY, previous: DATA_KEY_PREVIOUS, secret: DATA_KEY_SECRET };
}

/// All faults of a configuration, as sentences that begin with the variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The configuration is wrong. {}", .0.join(" "))]
pub struct ConfigError(Vec<String>);

/// Reads variables, and collects what is wrong with them. An empty variable counts as not set.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, faults: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Returns the value, or records the fault.
    fn take<T>(&mut self, name: &str, result: Result<T, &str>) -> Option<T> {
        result.map_err(|fault| self.faults.push(format!("{name} {fault}"))).ok()
    }

    fn required(&mut self, name: &str, missing: &str) -> Option<String> {
        let value = self.get(name).ok_or(missing);
        self.take(name, value)
    }

    fn optional<T>(
        &mut self,
        name: &str,
        check: impl FnOnce(String) -> Result<T, &'static str>,
    ) -> Option<T> {
        let value = self.get(name)?;
        self.take(name, check(value))
    }

    fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(value) } else { Err(ConfigError(self.faults)) }
    }
}

impl Config {
    /// Reads the configuration through a lookup from variable to value. An empty variable counts as not set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let table = reader.required(TABLE, "is missing: name the DynamoDB table.");
        let table = table.and_then(|name| reader.take(TABLE, check_table(name)));
        let cookie_keys = keys(&mut reader);
        let data_keys = optional_keys(&mut reader);
        let secure = reader.optional(SECURE_COOKIES, check_bool);
        let base_path = reader.optional(BASE_PATH, check_base_path);
        let dynamodb_endpoint = reader.optional(DYNAMODB_ENDPOINT, check_endpoint);
        let secrets_endpoint = reader.optional(SECRETS_ENDPOINT, check_endpoint);
        let sign_up = sign_up(&mut reader);
        let retries = retries(&mut reader);
        let session_limits = session_limits(&mut reader);
        let trusted_proxies = reader.optional(TRUSTED_PROXIES, check_proxies).unwrap_or_default();
        let origin_keys = origin_keys(&mut reader);
        match (table, cookie_keys, sign_up) {
            (Some(table), Some(cookie_keys), Some(sign_up)) if reader.faults.is_empty() => Ok(Self {
                table,
                cookie_keys,
                data_keys,
                secure_cookies: secure.unwrap_or(true),
                base_path: base_path.unwrap_or_default(),
                sign_up,
                retries,
                session_limits,
                trusted_proxies,
                origin_keys,
                dynamodb_endpoint,
                secrets_endpoint,
            }),
            _ => Err(ConfigError(reader.faults)),
        }
    }

    /// Checks the configuration of the function behind API Gateway. Unless the trusted proxies add a key, anyone can
    /// call the function past them.
    ///
    /// # Errors
    /// [`ConfigError`] if proxies are trusted without a key.
    pub fn behind_gateway(self) -> Result<Self, ConfigError> {
        if self.origin_keys.is_some() || self.trusted_proxies.is_none() {
            return Ok(self);
        }
        let fault = "needs HOLDFAST_ORIGIN_KEY or HOLDFAST_ORIGIN_KEY_SECRET: without it requests reach the function past \
                     the proxies.";
        Err(ConfigError(vec![format!("{TRUSTED_PROXIES} {fault}")]))
    }

    /// Reads the configuration of a function that serves no pages. Ignores cookies and sign-up; the cookie key is
    /// random.
    pub fn without_pages(lookup: impl Fn(&str) -> Option<String>, rng: &Rng) -> Result<Self, ConfigError> {
        let key = || rng.bytes::<64>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self::from_lookup(|name| match name {
            COOKIE_KEY => Some(key()),
            TABLE | REQUEST_SECONDS | ATTEMPT_SECONDS | DYNAMODB_ENDPOINT => lookup(name),
            _ => None,
        })
    }

    /// Reads how long a request and an attempt of a call may take, for a server that needs no other configuration.
    pub fn retries(lookup: impl Fn(&str) -> Option<String>) -> Result<RetryPolicy, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let policy = retries(&mut reader);
        reader.finish(policy)
    }

    /// Reads how long sessions last, for a server that needs no other configuration.
    pub fn session_limits(lookup: impl Fn(&str) -> Option<String>) -> Result<SessionLimits, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let limits = session_limits(&mut reader);
        reader.finish(limits)
    }

    /// Reads only the keys of one kind. Returns `None` if none are configured: a local server then uses its own key.
    pub fn keys<K: ConfiguredKey>(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Configured<KeyRing<K>>>, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let keys = optional_keys(&mut reader);
        reader.finish(keys)
    }
}

/// Reads the keys of one kind, if one of their variables is set.
fn optional_keys<K: ConfiguredKey>(reader: &mut Reader<'_>) -> Option<Configured<KeyRing<K>>> {
    let KeyVariables { current, previous, secret } = K::VARIABLES;
    let is_set = [current, previous, secret].iter().any(|name| reader.get(name).is_some());
    if is_set { keys(reader) } else { None }
}

/// Reads the text of the key and possibly of the previous one, or the name of the secret, but not both.
fn keys<K: ConfiguredKey>(reader: &mut Reader<'_>) -> Option<Configured<KeyRing<K>>> {
    let KeyVariables { current: variable, previous, secret: in_secret } = K::VARIABLES;
    let mut read = |name: &str| reader.get(name).map(|text| reader.take(name, K::from_secret(&text)));
    let (current, before) = (read(variable), read(previous));
    let Some(secret) = reader.get(in_secret) else {
        let missing =
            format!("is missing: give at least 64 bytes of text, or name their secret in {in_secret}.");
        return match current {
            None => reader.take(variable, Err(&missing)),
            Some(current) => Some(Configured::Inline(KeyRing::of(current?, before.flatten()))),
        };
    };
    let two = format!("is set together with {variable}: leave one of the two out.");
    let kept = format!("has no effect with {in_secret}: a secret keeps its previous version. Leave it out.");
    let name = reader.take(in_secret, secret_name(&secret));
    current.and_then(|_| reader.take(in_secret, Err::<(), _>(&two)));
    before.and_then(|_| reader.take(previous, Err::<(), _>(&kept)));
    name.map(Configured::InSecret)
}

/// Reads who may sign up. Accepts the code or the name of its secret, but not both.
fn sign_up(reader: &mut Reader<'_>) -> Option<Configured<SignUp>> {
    const TWO: &str = "is set together with HOLDFAST_INVITATION_CODE: leave one of the two out.";
    const USELESS: &str =
        "has no effect unless sign-up is by invitation: leave it out, or choose invitation.";
    let (mode, code) = (reader.get(SIGN_UP), reader.get(INVITATION_CODE));
    let Some(secret) = reader.get(INVITATION_CODE_SECRET) else {
        return match SignUp::from_settings(mode.as_deref(), code.as_deref()) {
            Ok(sign_up) => Some(Configured::Inline(sign_up)),
            Err(SignUpFaults { mode, code }) => {
                mode.and_then(|fault| reader.take(SIGN_UP, Err::<(), _>(fault)));
                code.and_then(|fault| reader.take(INVITATION_CODE, Err::<(), _>(fault)));
                None
            }
        };
    };
    let name = reader.take(INVITATION_CODE_SECRET, secret_name(&secret));
    if code.is_some() {
        return reader.take(INVITATION_CODE_SECRET, Err(TWO));
    }
    match SignUp::from_settings(mode.as_deref(), None) {
        // A missing code is correct here.
        Err(SignUpFaults { mode: None, .. }) => name.map(Configured::InSecret),
        Err(SignUpFaults { mode: Some(fault), .. }) => reader.take(SIGN_UP, Err(fault)),
        Ok(_) => reader.take(INVITATION_CODE_SECRET, Err(USELESS)),
    }
}

/// Reads the keys of the proxy in front as text, or the name of their secret, but not both.
fn origin_keys(reader: &mut Reader<'_>) -> Option<Configured<OriginKeyPair>> {
    const NO_KEY: &str = "is not an origin key: use 32 to 200 visible ASCII characters, without spaces.";
    const ALONE: &str = "has no effect without HOLDFAST_ORIGIN_KEY: set that, or leave it out.";
    const TWO: &str =
        "is set together with HOLDFAST_ORIGIN_KEY or HOLDFAST_ORIGIN_KEY_PREVIOUS: leave one of the two out.";
    let read = |text: String| text.parse::<OriginKey>().map_err(|_| NO_KEY);
    let (key, previous) = (reader.get(ORIGIN_KEY).map(read), reader.get(ORIGIN_KEY_PREVIOUS).map(read));
    if let Some(secret) = reader.get(ORIGIN_KEY_SECRET) {
        if key.is_some() || previous.is_some() {
            return reader.take(ORIGIN_KEY_SECRET, Err(TWO));
        }
        return reader.take(ORIGIN_KEY_SECRET, secret_name(&secret)).map(Configured::InSecret);
    }
    if key.is_none() && previous.is_some() {
        return reader.take(ORIGIN_KEY_PREVIOUS, Err(ALONE));
    }
    let current = reader.take(ORIGIN_KEY, key?);
    let previous = previous.and_then(|previous| reader.take(ORIGIN_KEY_PREVIOUS, previous));
    Some(Configured::Inline(OriginKeyPair::new(current?, previous)))
}

/// Reads how long a request and an attempt of a call may take.
fn retries(reader: &mut Reader<'_>) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    let mut seconds = |name: &str, within: std::ops::RangeInclusive<u64>, wrong: &'static str| {
        let check =
            |text: String| text.parse::<u64>().ok().filter(|seconds| within.contains(seconds)).ok_or(wrong);
        reader.optional(name, check).map(Duration::from_secs)
    };
    let wrong = "must be a whole number of seconds from 2 to 28: API Gateway waits for 29.";
    if let Some(request) = seconds(REQUEST_SECONDS, 2..=28, wrong) {
        policy.request = request;
    }
    let most = policy.request.as_secs() / 2;
    policy.attempt = policy.attempt.min(Duration::from_secs(most));
    let wrong = "must be a whole number of seconds from 1 to half of HOLDFAST_REQUEST_SECONDS.";
    if let Some(attempt) = seconds(ATTEMPT_SECONDS, 1..=most, wrong) {
        policy.attempt = attempt;
    }
    RetryPolicy::new(policy.attempt, policy.request)
}

/// Reads how long sessions last.
fn session_limits(reader: &mut Reader<'_>) -> SessionLimits {
    let mut hours = |name: &str, within: std::ops::RangeInclusive<i64>, unit: i64, wrong: &'static str| {
        let check =
            |text: String| text.parse::<i64>().ok().filter(|number| within.contains(number)).ok_or(wrong);
        reader.optional(name, check).map(|number| SignedDuration::from_hours(number * unit))
    };
    let default = SessionLimits::default();
    let wrong = "must be a whole number of hours from 1 to 720.";
    let idle = hours(SESSION_IDLE_HOURS, 1..=720, 1, wrong).unwrap_or(default.idle);
    let wrong = "must be a whole number of days from 1 to 30.";
    let absolute = hours(SESSION_DAYS, 1..=30, 24, wrong).unwrap_or(default.absolute);
    SessionLimits { idle, absolute }
}

#[cfg(test)]
mod tests;
