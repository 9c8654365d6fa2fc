//! What a deployed Holdfast is told by its environment, read once at start.
//!
//! Reading is a pure function of a lookup. What is wrong is told all at once, each fault with the variable that it is
//! about; no secret is ever part of a message or of `Debug`. Where AWS is (region, credentials) is left to the ordinary
//! variables of the AWS SDK.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `HOLDFAST_TABLE` | the DynamoDB table |
//! | `HOLDFAST_COOKIE_KEY` | secret text, at least 64 bytes of it, from which the key of session cookies is made |
//! | `HOLDFAST_SECURE_COOKIES` | `true` (unless set) or `false`: whether cookies travel over https alone |
//! | `HOLDFAST_BASE_PATH` | the key under which a custom domain maps the API, for example `/desk`; nothing unless set |
//! | `HOLDFAST_SIGN_UP` | `open` (unless set), `off` or `invitation`: who may make an account of their own |
//! | `HOLDFAST_INVITATION_CODE` | with `invitation`, the code: 8 to 100 visible ASCII characters |
//! | `HOLDFAST_DYNAMODB_ENDPOINT` | where DynamoDB answers, for tests; AWS unless set |

use std::fmt;

use axum_extra::extract::cookie::Key;
use http::Uri;
use sha2::{Digest, Sha512};

use crate::accounts::sign_up::{SignUp, SignUpFaults};
use crate::app::{CookiePolicy, Entropy};

const TABLE: &str = "HOLDFAST_TABLE";
const COOKIE_KEY: &str = "HOLDFAST_COOKIE_KEY";
const SECURE_COOKIES: &str = "HOLDFAST_SECURE_COOKIES";
const BASE_PATH: &str = "HOLDFAST_BASE_PATH";
const SIGN_UP: &str = "HOLDFAST_SIGN_UP";
const INVITATION_CODE: &str = "HOLDFAST_INVITATION_CODE";
const DYNAMODB_ENDPOINT: &str = "HOLDFAST_DYNAMODB_ENDPOINT";

/// The configuration of a deployed Holdfast.
#[derive(Clone)]
pub struct Config {
    /// The table's name.
    pub table: String,
    /// What seals cookies, and whether they travel over https alone.
    pub cookies: CookiePolicy,
    /// The key under which a custom domain maps the API: empty, or a path like `/desk`.
    pub base_path: String,
    /// Whether people may make accounts of their own.
    pub sign_up: SignUp,
    /// Where DynamoDB answers, if not where AWS says.
    pub dynamodb_endpoint: Option<String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("table", &self.table)
            .field("secure_cookies", &self.cookies.secure)
            .field("base_path", &self.base_path)
            .field("sign_up", &self.sign_up)
            .field("dynamodb_endpoint", &self.dynamodb_endpoint)
            .finish_non_exhaustive()
    }
}

/// Everything that is wrong with a configuration: whole sentences, each beginning with the variable that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The configuration is wrong. {}", .0.join(" "))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// The configuration that a lookup from variable to value gives. A variable that is set to nothing counts as not
    /// set.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut faults = Vec::new();
        let mut check = |name: &str, result: Result<(), &str>| {
            if let Err(fault) = result {
                faults.push(format!("{name} {fault}"));
            }
        };

        let table = lookup(TABLE);
        check(TABLE, table.as_deref().ok_or("is missing: name the DynamoDB table.").and_then(check_table));
        let secret = lookup(COOKIE_KEY);
        let key =
            secret.as_deref().map(cookie_key).unwrap_or(Err("is missing: give at least 64 bytes of text."));
        check(COOKIE_KEY, key.as_ref().map(drop).map_err(|fault| *fault));
        let secure = lookup(SECURE_COOKIES);
        check(SECURE_COOKIES, secure.as_deref().map_or(Ok(()), |value| parse_bool(value).map(drop)));
        let base_path = lookup(BASE_PATH);
        check(BASE_PATH, base_path.as_deref().map_or(Ok(()), check_base_path));
        let sign_up = SignUp::from_settings(lookup(SIGN_UP).as_deref(), lookup(INVITATION_CODE).as_deref());
        if let Err(SignUpFaults { mode, code }) = &sign_up {
            check(SIGN_UP, mode.map_or(Ok(()), Err));
            check(INVITATION_CODE, code.map_or(Ok(()), Err));
        }
        let dynamodb_endpoint = lookup(DYNAMODB_ENDPOINT);
        check(DYNAMODB_ENDPOINT, dynamodb_endpoint.as_deref().map_or(Ok(()), check_endpoint));

        match (table, key, sign_up, faults.is_empty()) {
            (Some(table), Ok(key), Ok(sign_up), true) => Ok(Self {
                table,
                cookies: CookiePolicy { key, secure: secure.as_deref() != Some("false") },
                base_path: base_path.unwrap_or_default(),
                sign_up,
                dynamodb_endpoint,
            }),
            _ => Err(ConfigError(faults)),
        }
    }
}

impl Config {
    /// The configuration of a function that serves no pages: cookies would be sealed with a key that nobody learns.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn without_pages(
        lookup: impl Fn(&str) -> Option<String>,
        entropy: &Entropy,
    ) -> Result<Self, ConfigError> {
        let key = || entropy.bytes::<64>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self::from_lookup(|name| if name == COOKIE_KEY { Some(key()) } else { lookup(name) })
    }
}

/// The key of session cookies that a secret text stands for: the SHA-512 of a label and the text, whose entropy must
/// be that of a random key, so that nothing slower is needed.
///
/// # Errors
/// The words after the secret's name, if the text is shorter than 64 bytes.
pub fn cookie_key(secret: &str) -> Result<Key, &'static str> {
    if secret.len() < 64 {
        return Err("is too short: give at least 64 bytes of random text.");
    }
    let digest = Sha512::new().chain_update("holdfast cookie key\n").chain_update(secret).finalize();
    Ok(Key::from(&digest))
}

/// A table name as DynamoDB allows it.
fn check_table(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err("is no table name: it has 3 to 255 letters, digits, and the marks _ - and . only.")
    }
}

fn parse_bool(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "is neither true nor false.")
}

fn check_base_path(path: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$'()*+,".contains(c);
    let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
    if segments.all(|segment| !segment.is_empty() && segment.chars().all(allowed)) {
        Ok(())
    } else {
        Err("is no path: it looks like /desk, without a slash at its end.")
    }
}

fn check_endpoint(address: &str) -> Result<(), &'static str> {
    let uri = address.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) && uri.as_ref().is_some_and(|uri| uri.host().is_some()) {
        Ok(())
    } else {
        Err("is no address: it looks like http://127.0.0.1:8000.")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    const CODE: &str = "k7-Wm2!xQ";

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base = [(TABLE, "holdfast"), (COOKIE_KEY, SECRET)];
        Config::from_lookup(|name| {
            let all = changes.iter().chain(&base);
            all.clone().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_least_configuration_is_a_table_and_a_key() {
        let config = read(&[]).unwrap();
        assert_eq!(config.table, "holdfast");
        assert!(config.cookies.secure);
        assert_eq!(config.base_path, "");
        assert!(matches!(config.sign_up, SignUp::Open));
        assert_eq!(config.dynamodb_endpoint, None);
    }

    #[test]
    fn a_function_without_pages_needs_no_key_of_cookies() {
        let lookup = |name: &str| (name == TABLE).then(|| "holdfast".to_owned());
        let made = || Config::without_pages(lookup, &Entropy::of_system()).unwrap();
        assert_eq!(made().table, "holdfast");
        assert_ne!(made().cookies.key.master(), made().cookies.key.master());
        assert!(Config::without_pages(|_| None, &Entropy::of_system()).is_err());
    }

    #[test]
    fn everything_may_be_said() {
        let config = read(&[
            (SECURE_COOKIES, "false"),
            (BASE_PATH, "/desk/eu"),
            (SIGN_UP, "invitation"),
            (INVITATION_CODE, CODE),
            (DYNAMODB_ENDPOINT, "https://dynamodb.example:8443"),
        ])
        .unwrap();
        assert!(!config.cookies.secure);
        assert_eq!(config.base_path, "/desk/eu");
        assert!(matches!(&config.sign_up, SignUp::Invited(code) if code.is(CODE)));
        assert_eq!(config.dynamodb_endpoint.as_deref(), Some("https://dynamodb.example:8443"));
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (name, value, words) in [
            (TABLE, "", "is missing"),
            (TABLE, "ab", "is no table name"),
            (TABLE, "a table", "is no table name"),
            (COOKIE_KEY, "", "is missing"),
            (COOKIE_KEY, &SECRET[1..], "is too short"),
            (SECURE_COOKIES, "yes", "is neither true nor false"),
            (BASE_PATH, "desk", "is no path"),
            (BASE_PATH, "/", "is no path"),
            (BASE_PATH, "/desk/", "is no path"),
            (BASE_PATH, "//evil.example", "is no path"),
            (SIGN_UP, "closed", "is none of open, off and invitation"),
            (INVITATION_CODE, CODE, "is of no use"),
            (DYNAMODB_ENDPOINT, "localhost:8000", "is no address"),
            (DYNAMODB_ENDPOINT, "ftp://localhost", "is no address"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} {words}")), "{name}={value}: {error}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_secret_with_them() {
        let secret = "short-secret";
        let code = "a code";
        let error = read(&[
            (TABLE, ""),
            (COOKIE_KEY, secret),
            (SECURE_COOKIES, "1"),
            (BASE_PATH, "x"),
            (SIGN_UP, "closed"),
            (INVITATION_CODE, code),
        ])
        .unwrap_err();
        assert_eq!(error.0.len(), 6, "{error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains(secret) && !said.contains(code), "{said}");
    }

    #[test]
    fn sign_up_is_open_unless_switched_off_or_by_invitation() {
        assert!(matches!(read(&[(SIGN_UP, "open")]).unwrap().sign_up, SignUp::Open));
        assert!(matches!(read(&[(SIGN_UP, "off"), (INVITATION_CODE, "")]).unwrap().sign_up, SignUp::Off));
        let error = read(&[(SIGN_UP, "invitation")]).unwrap_err().to_string();
        assert!(error.contains("HOLDFAST_INVITATION_CODE is missing"), "{error}");
        let error = read(&[(SIGN_UP, "invitation"), (INVITATION_CODE, "a code")]).unwrap_err().to_string();
        assert!(error.contains("HOLDFAST_INVITATION_CODE is no invitation code"), "{error}");
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let config = read(&[(SIGN_UP, "invitation"), (INVITATION_CODE, CODE)]).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains(CODE), "{shown}");
        assert!(shown.contains("holdfast") && !shown.contains("0123456789"), "{shown}");
        assert!(!shown.contains(&format!("{:?}", config.cookies.key.master())));
    }

    #[test]
    fn the_same_secret_gives_the_same_key_and_another_another() {
        let other = SECRET.replace('0', "1");
        assert_eq!(cookie_key(SECRET).unwrap(), cookie_key(SECRET).unwrap());
        assert_ne!(cookie_key(SECRET).unwrap(), cookie_key(&other).unwrap());
    }
}
