//! What a deployed Holdfast is told by its environment, read once at start.
//!
//! Reading is a pure function of a lookup. What is wrong is told all at once, each fault with the variable that it is
//! about; no secret is ever part of a message or of `Debug`. A secret is given as text or by its name in a vault, which is
//! read afterwards ([`Config::settle`]). Where AWS is (region, credentials) is left to the ordinary variables of the AWS SDK.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOLDFAST_TABLE` | the DynamoDB table |
//! | `HOLDFAST_COOKIE_KEY` | secret text, at least 64 bytes of it, from which the key of session cookies is made |
//! | `HOLDFAST_COOKIE_KEY_PREVIOUS` | beside it, the text that it was before: its cookies are opened too |
//! | `HOLDFAST_COOKIE_KEY_SECRET` | instead of both, the secret in AWS Secrets Manager that is this text |
//! | `HOLDFAST_SECURE_COOKIES` | `true` (unless set) or `false`: whether cookies travel over https alone |
//! | `HOLDFAST_BASE_PATH` | the key under which a custom domain maps the API, for example `/desk`; nothing unless set |
//! | `HOLDFAST_SIGN_UP` | `open` (unless set), `off` or `invitation`: who may make an account of their own |
//! | `HOLDFAST_INVITATION_CODE` | with `invitation`, the code: 8 to 100 visible ASCII characters |
//! | `HOLDFAST_INVITATION_CODE_SECRET` | instead of it, the secret in AWS Secrets Manager that is the code |
//! | `HOLDFAST_REQUEST_SECONDS` | how long a request may take: 2 to 28, 20 unless set; what is not done by then is answered 503 |
//! | `HOLDFAST_ATTEMPT_SECONDS` | how long one attempt of one call to the table may take: 1 to the half of it, 3 unless set |
//! | `HOLDFAST_TRUSTED_PROXIES` | how many reverse proxies append to `X-Forwarded-For`, 0 (unless set) to 10 |
//! | `HOLDFAST_ORIGIN_KEY` | the key that a proxy in front adds to each request: 32 to 200 visible ASCII characters |
//! | `HOLDFAST_ORIGIN_KEY_PREVIOUS` | beside it, the key that it was before, which is accepted too |
//! | `HOLDFAST_ORIGIN_KEY_SECRET` | instead of both, the secret in AWS Secrets Manager whose last two versions are these |
//! | `HOLDFAST_DYNAMODB_ENDPOINT` | where DynamoDB answers, for tests; AWS unless set |
//! | `HOLDFAST_SECRETS_ENDPOINT` | where Secrets Manager answers, for tests; AWS unless set |

pub mod aws;
mod settle;

pub use settle::{SecretsError, Settled};

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
    /// What signs cookies.
    pub cookie_keys: Told<KeyRing>,
    /// Whether cookies travel over https alone.
    pub secure_cookies: bool,
    /// The key under which a custom domain maps the API: empty, or a path like `/desk`.
    pub base_path: String,
    /// Whether people may make accounts of their own; by invitation, where the code is in a vault.
    pub sign_up: Told<SignUp>,
    /// How long a request and an attempt of a call may take.
    pub retries: RetryPolicy,
    /// How many reverse proxies append to `X-Forwarded-For`.
    pub trusted_proxies: TrustedProxies,
    /// The keys one of which a proxy in front adds to each request, if it does.
    pub origin_keys: Option<Told<OriginKeyPair>>,
    /// Where DynamoDB answers, if not where AWS says.
    pub dynamodb_endpoint: Option<String>,
    /// Where Secrets Manager answers, if not where AWS says.
    pub secrets_endpoint: Option<String>,
}

/// What depends on a secret.
#[derive(Debug, Clone)]
pub enum Told<T> {
    /// It was told.
    Here(T),
    /// The secret is in a vault, under this name.
    InVault(SecretName),
}

/// Everything that is wrong with a configuration: whole sentences, each beginning with the variable that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The configuration is wrong. {}", .0.join(" "))]
pub struct ConfigError(Vec<String>);

/// What is wrong, as it is found.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// What was read, or nothing and its fault noted.
    fn take<T>(&mut self, name: &str, result: Result<T, &str>) -> Option<T> {
        result.map_err(|fault| self.0.push(format!("{name} {fault}"))).ok()
    }
}

impl Config {
    /// The configuration that a lookup from variable to value gives. A variable that is set to nothing counts as not
    /// set.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
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

    /// The same for the function behind API Gateway, which anyone can call past the proxies that are trusted unless these
    /// add a key.
    ///
    /// # Errors
    /// [`ConfigError`] if proxies are trusted without one.
    pub fn behind_gateway(self) -> Result<Self, ConfigError> {
        if self.origin_keys.is_some() || self.trusted_proxies.is_none() {
            return Ok(self);
        }
        let fault = "needs HOLDFAST_ORIGIN_KEY or HOLDFAST_ORIGIN_KEY_SECRET: without it requests reach the function past \
                     the proxies.";
        Err(ConfigError(vec![format!("{TRUSTED_PROXIES} {fault}")]))
    }

    /// The configuration of a function that serves no pages: nothing of cookies and sign-up is read, and cookies would be
    /// signed with a key that nobody learns.
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

    /// How long a request and an attempt of a call may take, for a server that is told nothing else.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn retries(lookup: impl Fn(&str) -> Option<String>) -> Result<RetryPolicy, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut faults = Faults::default();
        let policy = retries(&lookup, &mut faults);
        if faults.0.is_empty() { Ok(policy) } else { Err(ConfigError(faults.0)) }
    }

    /// The keys of cookies alone, for a server that has its own where none are told.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn cookie_keys(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Told<KeyRing>>, ConfigError> {
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

/// The text of the key and perhaps of the one before it, or the name of the secret; never both.
fn keys(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Told<KeyRing>> {
    const MISSING: &str =
        "is missing: give at least 64 bytes of text, or name their secret in HOLDFAST_COOKIE_KEY_SECRET.";
    const TWO: &str = "is set beside HOLDFAST_COOKIE_KEY: leave one of the two out.";
    const KEPT: &str =
        "is of no use beside HOLDFAST_COOKIE_KEY_SECRET: a secret keeps its previous version. Leave it out.";
    let named = lookup(COOKIE_KEY_SECRET);
    let (key, previous) = (lookup(COOKIE_KEY), lookup(COOKIE_KEY_PREVIOUS));
    let mut read = |name: &str, text: Option<String>| text.map(|text| faults.take(name, cookie_key(&text)));
    let (current, before) = (read(COOKIE_KEY, key), read(COOKIE_KEY_PREVIOUS, previous));
    let Some(named) = named else {
        return match current {
            None => faults.take(COOKIE_KEY, Err(MISSING)),
            Some(current) => Some(Told::Here(KeyRing::of(current?, before.flatten()))),
        };
    };
    let name = faults.take(COOKIE_KEY_SECRET, secret_name(&named));
    current.and_then(|_| faults.take(COOKIE_KEY_SECRET, Err::<(), _>(TWO)));
    before.and_then(|_| faults.take(COOKIE_KEY_PREVIOUS, Err::<(), _>(KEPT)));
    name.map(Told::InVault)
}

/// Who may sign up. The code is told, or the name of its secret; never both.
fn sign_up(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Told<SignUp>> {
    const TWO: &str = "is set beside HOLDFAST_INVITATION_CODE: leave one of the two out.";
    const USELESS: &str = "is of no use unless sign-up is by invitation: leave it out, or choose invitation.";
    let (mode, code) = (lookup(SIGN_UP), lookup(INVITATION_CODE));
    let Some(named) = lookup(INVITATION_CODE_SECRET) else {
        return match SignUp::from_settings(mode.as_deref(), code.as_deref()) {
            Ok(sign_up) => Some(Told::Here(sign_up)),
            Err(SignUpFaults { mode, code }) => {
                mode.and_then(|fault| faults.take(SIGN_UP, Err::<(), _>(fault)));
                code.and_then(|fault| faults.take(INVITATION_CODE, Err::<(), _>(fault)));
                None
            }
        };
    };
    let name = faults.take(INVITATION_CODE_SECRET, secret_name(&named));
    if code.is_some() {
        return faults.take(INVITATION_CODE_SECRET, Err(TWO));
    }
    match SignUp::from_settings(mode.as_deref(), None) {
        // That no code was told is as it should be.
        Err(SignUpFaults { mode: None, .. }) => name.map(Told::InVault),
        Err(SignUpFaults { mode: Some(fault), .. }) => faults.take(SIGN_UP, Err(fault)),
        Ok(_) => faults.take(INVITATION_CODE_SECRET, Err(USELESS)),
    }
}

/// The number of proxies, none where it is wrong: the fault is noted.
fn trusted_proxies(lookup: Lookup<'_>, faults: &mut Faults) -> TrustedProxies {
    let read =
        |text: String| text.parse().map_err(|_| "is no number of proxies: give a whole number from 0 to 10.");
    let read = lookup(TRUSTED_PROXIES).map(read);
    read.and_then(|read| faults.take(TRUSTED_PROXIES, read)).unwrap_or_default()
}

/// The keys of the proxy in front as text, or the name of their secret; never both. Faults are noted.
fn origin_keys(lookup: Lookup<'_>, faults: &mut Faults) -> Option<Told<OriginKeyPair>> {
    const NO_KEY: &str = "is no origin key: one has 32 to 200 visible ASCII characters, without spaces.";
    const ALONE: &str = "is of no use without HOLDFAST_ORIGIN_KEY: set that, or leave it out.";
    const TWO: &str =
        "is set beside HOLDFAST_ORIGIN_KEY or HOLDFAST_ORIGIN_KEY_PREVIOUS: leave one of the two out.";
    let read = |text: String| text.parse::<OriginKey>().map_err(|_| NO_KEY);
    let (key, previous) = (lookup(ORIGIN_KEY).map(read), lookup(ORIGIN_KEY_PREVIOUS).map(read));
    if let Some(named) = lookup(ORIGIN_KEY_SECRET) {
        if key.is_some() || previous.is_some() {
            return faults.take(ORIGIN_KEY_SECRET, Err(TWO));
        }
        return faults.take(ORIGIN_KEY_SECRET, secret_name(&named)).map(Told::InVault);
    }
    if key.is_none() && previous.is_some() {
        return faults.take(ORIGIN_KEY_PREVIOUS, Err(ALONE));
    }
    let current = faults.take(ORIGIN_KEY, key?);
    let previous = previous.and_then(|previous| faults.take(ORIGIN_KEY_PREVIOUS, previous));
    Some(Told::Here(OriginKeyPair::new(current?, previous)))
}

fn secret_name(text: &str) -> Result<SecretName, &'static str> {
    text.parse().map_err(|_| {
        "names no secret: give its ARN, or its name of letters, digits, and the marks / _ + = . @ and - only."
    })
}

/// A table name as DynamoDB allows it.
fn check_table(name: String) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        Ok(name)
    } else {
        Err("is no table name: it has 3 to 255 letters, digits, and the marks _ - and . only.")
    }
}

/// How long a request and an attempt of a call may take.
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
    let wrong = "must be a whole number of seconds from 1 to the half of HOLDFAST_REQUEST_SECONDS.";
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
        Err("is no path: it looks like /desk, without a slash at its end.")
    }
}

fn check_endpoint(address: String) -> Result<String, &'static str> {
    let uri = address.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) && uri.as_ref().is_some_and(|uri| uri.host().is_some()) {
        Ok(address)
    } else {
        Err("is no address: it looks like http://127.0.0.1:8000.")
    }
}

#[cfg(test)]
mod tests;
