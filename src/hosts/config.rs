//! The configuration of a deployed Holdfast, read once from the environment at start.
//!
//! Reading is a pure function of a lookup. An error lists all faults at once, each with its variable. No secret is
//! ever part of a message or of `Debug` output. A secret is given as text, or by its name in a secret store, which
//! is read afterwards ([`Config::resolve`]). The region and the credentials of AWS come from the AWS SDK's own
//! variables.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOLDFAST_TABLE` | the DynamoDB table |
//! | `HOLDFAST_COOKIE_KEY` | secret text of at least 64 bytes, from which the session cookie key is derived |
//! | `HOLDFAST_COOKIE_KEY_PREVIOUS` | with it, its previous text, whose cookies stay valid |
//! | `HOLDFAST_COOKIE_KEY_SECRET` | instead of both, the secret in AWS Secrets Manager that contains this text |
//! | `HOLDFAST_SECURE_COOKIES` | `true` (default) or `false`: whether cookies travel only over HTTPS |
//! | `HOLDFAST_BASE_PATH` | the key under which a custom domain maps the API, for example `/desk`; empty by default |
//! | `HOLDFAST_SIGN_UP` | `open` (default), `off` or `invitation`: who may sign up |
//! | `HOLDFAST_INVITATION_CODE` | with `invitation`, the code: 8 to 100 visible ASCII characters |
//! | `HOLDFAST_INVITATION_CODE_SECRET` | instead of it, the secret in AWS Secrets Manager that contains the code |
//! | `HOLDFAST_REQUEST_SECONDS` | how long a request may take: 2 to 28, 20 by default; then it gets 503 |
//! | `HOLDFAST_ATTEMPT_SECONDS` | how long one attempt of a call to the table may take: 1 to half of it, 3 by default |
//! | `HOLDFAST_TRUSTED_PROXIES` | the number of reverse proxies that append to `X-Forwarded-For`: 0 (default) to 10 |
//! | `HOLDFAST_ORIGIN_KEY` | the key that a proxy in front adds to each request: 32 to 200 visible ASCII characters |
//! | `HOLDFAST_ORIGIN_KEY_PREVIOUS` | with it, its previous key, which is still accepted |
//! | `HOLDFAST_ORIGIN_KEY_SECRET` | instead of both, an AWS Secrets Manager secret: its last two versions are used |
//! | `HOLDFAST_DYNAMODB_ENDPOINT` | the DynamoDB endpoint, for tests; AWS by default |
//! | `HOLDFAST_SECRETS_ENDPOINT` | the Secrets Manager endpoint, for tests; AWS by default |

pub mod aws;
mod resolve;

pub use resolve::{Resolved, SecretsError};

use std::time::Duration;

use http::Uri;

use crate::accounts::keys::{KeyRing, cookie_key};
use crate::accounts::sign_up::{SignUp, SignUpFaults};
use crate::base::rng::Rng;
use crate::base::secrets::SecretName;
use crate::store::RetryPolicy;
use crate::web::client::TrustedProxies;
use crate::web::origin::{OriginKey, OriginKeyPair};

const TABLE: &str = "HOLDFAST_TABLE";
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
    /// Whether cookies travel only over HTTPS.
    pub secure_cookies: bool,
    /// The key under which a custom domain maps the API: empty, or a path like `/desk`.
    pub base_path: String,
    /// Who may sign up. A code in a secret store means sign-up by invitation.
    pub sign_up: Configured<SignUp>,
    /// How long a request and an attempt of a call may take.
    pub retries: RetryPolicy,
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

/// All faults of a configuration, as sentences that begin with the variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The configuration is wrong. {}", .0.join(" "))]
pub struct ConfigError(Vec<String>);

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Returns the value, or records the fault.
    fn take<T>(&mut self, name: &str, result: Result<T, &str>) -> Option<T> {
        result.map_err(|fault| self.0.push(format!("{name} {fault}"))).ok()
    }
}

impl Config {
    /// Reads the configuration through a lookup from variable to value. An empty variable counts as not set.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut faults = Faults::default();
        let table = lookup(TABLE).ok_or("is missing: name the DynamoDB table.");
        let table = faults.take(TABLE, table.and_then(check_table));
        let cookie_keys = keys(&lookup, &mut faults);
        let mut optional = |name: &str, check: fn(String) -> Result<String, &'static str>| {
            lookup(name).and_then(|value| faults.take(name, check(value)))
        };
        let secure = optional(SECURE_COOKIES, check_bool);
        let base_path = optional(BASE_PATH, check_base_path);
        let dynamodb_endpoint = optional(DYNAMODB_ENDPOINT, check_endpoint);
        let secrets_endpoint = optional(SECRETS_ENDPOINT, check_endpoint);
        let sign_up = sign_up(&lookup, &mut faults);
        let retries = retries(&lookup, &mut faults);
        let trusted_proxies = trusted_proxies(&lookup, &mut faults);
        let origin_keys = origin_keys(&lookup, &mut faults);
        match (table, cookie_keys, sign_up) {
            (Some(table), Some(cookie_keys), Some(sign_up)) if faults.0.is_empty() => Ok(Self {
                table,
                cookie_keys,
                secure_cookies: secure.as_deref() != Some("false"),
                base_path: base_path.unwrap_or_default(),
                sign_up,
                retries,
                trusted_proxies,
                origin_keys,
                dynamodb_endpoint,
                secrets_endpoint,
            }),
            _ => Err(ConfigError(faults.0)),
        }
    }

    /// Checks the configuration of the function behind API Gateway. Anyone can call the function without the
    /// trusted proxies, unless these add a key.
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
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn without_pages(lookup: impl Fn(&str) -> Option<String>, rng: &Rng) -> Result<Self, ConfigError> {
        let key = || rng.bytes::<64>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self::from_lookup(|name| match name {
            COOKIE_KEY => Some(key()),
            TABLE | REQUEST_SECONDS | ATTEMPT_SECONDS | DYNAMODB_ENDPOINT => lookup(name),
            _ => None,
        })
    }

    /// Reads how long a request and an attempt of a call may take, for a server that needs no other configuration.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults.
    pub fn retries(lookup: impl Fn(&str) -> Option<String>) -> Result<RetryPolicy, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut faults = Faults::default();
        let policy = retries(&lookup, &mut faults);
        if faults.0.is_empty() { Ok(policy) } else { Err(ConfigError(faults.0)) }
    }

    /// Reads only the cookie keys, for a server that has its own unless keys are configured.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults.
    pub fn cookie_keys(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Configured<KeyRing>>, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        if ![COOKIE_KEY, COOKIE_KEY_PREVIOUS, COOKIE_KEY_SECRET].iter().any(|name| lookup(name).is_some()) {
            return Ok(None);
        }
        let mut faults = Faults::default();
        let keys = keys(&lookup, &mut faults);
        if faults.0.is_empty() { Ok(keys) } else { Err(ConfigError(faults.0)) }
    }
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the text of the key and possibly of the previous one, or the name of the secret, but not both.
fn keys(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Configured<KeyRing>> {
    const MISSING: &str =
        "is missing: give at least 64 bytes of text, or name their secret in HOLDFAST_COOKIE_KEY_SECRET.";
    const TWO: &str = "is set together with HOLDFAST_COOKIE_KEY: leave one of the two out.";
    const KEPT: &str =
        "is of no use with HOLDFAST_COOKIE_KEY_SECRET: a secret keeps its previous version. Leave it out.";
    let secret = lookup(COOKIE_KEY_SECRET);
    let (key, previous) = (lookup(COOKIE_KEY), lookup(COOKIE_KEY_PREVIOUS));
    let mut read = |name: &str, text: Option<String>| text.map(|text| faults.take(name, cookie_key(&text)));
    let (current, before) = (read(COOKIE_KEY, key), read(COOKIE_KEY_PREVIOUS, previous));
    let Some(secret) = secret else {
        return match current {
            None => faults.take(COOKIE_KEY, Err(MISSING)),
            Some(current) => Some(Configured::Inline(KeyRing::of(current?, before.flatten()))),
        };
    };
    let name = faults.take(COOKIE_KEY_SECRET, secret_name(&secret));
    current.and_then(|_| faults.take(COOKIE_KEY_SECRET, Err::<(), _>(TWO)));
    before.and_then(|_| faults.take(COOKIE_KEY_PREVIOUS, Err::<(), _>(KEPT)));
    name.map(Configured::InSecret)
}

/// Reads who may sign up. Accepts the code or the name of its secret, but not both.
fn sign_up(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Configured<SignUp>> {
    const TWO: &str = "is set together with HOLDFAST_INVITATION_CODE: leave one of the two out.";
    const USELESS: &str = "is of no use unless sign-up is by invitation: leave it out, or choose invitation.";
    let (mode, code) = (lookup(SIGN_UP), lookup(INVITATION_CODE));
    let Some(secret) = lookup(INVITATION_CODE_SECRET) else {
        return match SignUp::from_settings(mode.as_deref(), code.as_deref()) {
            Ok(sign_up) => Some(Configured::Inline(sign_up)),
            Err(SignUpFaults { mode, code }) => {
                mode.and_then(|fault| faults.take(SIGN_UP, Err::<(), _>(fault)));
                code.and_then(|fault| faults.take(INVITATION_CODE, Err::<(), _>(fault)));
                None
            }
        };
    };
    let name = faults.take(INVITATION_CODE_SECRET, secret_name(&secret));
    if code.is_some() {
        return faults.take(INVITATION_CODE_SECRET, Err(TWO));
    }
    match SignUp::from_settings(mode.as_deref(), None) {
        // A missing code is correct here.
        Err(SignUpFaults { mode: None, .. }) => name.map(Configured::InSecret),
        Err(SignUpFaults { mode: Some(fault), .. }) => faults.take(SIGN_UP, Err(fault)),
        Ok(_) => faults.take(INVITATION_CODE_SECRET, Err(USELESS)),
    }
}

/// Reads the number of proxies. Records a fault and returns 0 if it is invalid.
fn trusted_proxies(lookup: Lookup<'_>, faults: &mut Faults) -> TrustedProxies {
    let read = |text: String| {
        text.parse().map_err(|_| "is not a number of proxies: give a whole number from 0 to 10.")
    };
    let read = lookup(TRUSTED_PROXIES).map(read);
    read.and_then(|read| faults.take(TRUSTED_PROXIES, read)).unwrap_or_default()
}

/// Reads the keys of the proxy in front as text, or the name of their secret, but not both. Records faults.
fn origin_keys(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Configured<OriginKeyPair>> {
    const NO_KEY: &str = "is not an origin key: use 32 to 200 visible ASCII characters, without spaces.";
    const ALONE: &str = "is of no use without HOLDFAST_ORIGIN_KEY: set that, or leave it out.";
    const TWO: &str =
        "is set together with HOLDFAST_ORIGIN_KEY or HOLDFAST_ORIGIN_KEY_PREVIOUS: leave one of the two out.";
    let read = |text: String| text.parse::<OriginKey>().map_err(|_| NO_KEY);
    let (key, previous) = (lookup(ORIGIN_KEY).map(read), lookup(ORIGIN_KEY_PREVIOUS).map(read));
    if let Some(secret) = lookup(ORIGIN_KEY_SECRET) {
        if key.is_some() || previous.is_some() {
            return faults.take(ORIGIN_KEY_SECRET, Err(TWO));
        }
        return faults.take(ORIGIN_KEY_SECRET, secret_name(&secret)).map(Configured::InSecret);
    }
    if key.is_none() && previous.is_some() {
        return faults.take(ORIGIN_KEY_PREVIOUS, Err(ALONE));
    }
    let current = faults.take(ORIGIN_KEY, key?);
    let previous = previous.and_then(|previous| faults.take(ORIGIN_KEY_PREVIOUS, previous));
    Some(Configured::Inline(OriginKeyPair::new(current?, previous)))
}

fn secret_name(text: &str) -> Result<SecretName, &'static str> {
    text.parse().map_err(|_| {
        "does not name a secret: give an ARN, or a name of letters, digits and the characters / _ + = . @ and -."
    })
}

/// Checks a table name by DynamoDB's rules.
fn check_table(name: String) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        Ok(name)
    } else {
        Err("is not a table name: use 3 to 255 letters, digits, underscores, hyphens and dots.")
    }
}

/// Reads how long a request and an attempt of a call may take.
fn retries(lookup: &impl Fn(&str) -> Option<String>, faults: &mut Faults) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    let mut seconds = |name: &str, within: std::ops::RangeInclusive<u64>, wrong: &str| {
        let value = lookup(name)?.parse().ok().filter(|seconds| within.contains(seconds));
        faults.take(name, value.ok_or(wrong)).map(Duration::from_secs)
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

fn check_bool(value: String) -> Result<String, &'static str> {
    if value.parse::<bool>().is_ok() { Ok(value) } else { Err("is neither true nor false.") }
}

fn check_base_path(path: String) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$'()*+,".contains(c);
    let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
    if segments.all(|segment| !segment.is_empty() && segment.chars().all(allowed)) {
        Ok(path)
    } else {
        Err("is not a path: use the form /desk, without a slash at the end.")
    }
}

fn check_endpoint(address: String) -> Result<String, &'static str> {
    let uri = address.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) && uri.as_ref().is_some_and(|uri| uri.host().is_some()) {
        Ok(address)
    } else {
        Err("is not an address: use the form http://127.0.0.1:8000.")
    }
}

#[cfg(test)]
mod tests;
