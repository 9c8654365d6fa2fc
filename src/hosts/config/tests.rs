//! Tests of reading the environment.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod secrets;

use super::*;
use crate::accounts::keys::cookie_key;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

const CODE: &str = "k7-Wm2!xQ";

const NAME: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:CookieKey-a1B2";

fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let base = [(TABLE, "holdfast"), (COOKIE_KEY, SECRET)];
    Config::from_lookup(|name| {
        let all = changes.iter().chain(&base);
        all.clone().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn key(text: &str) -> CookieKey {
    cookie_key(text).unwrap()
}

fn ring(config: &Config) -> KeyRing {
    match &config.cookie_keys {
        Configured::Inline(ring) => ring.clone(),
        Configured::InSecret(name) => panic!("the key is in a secret store: {name}"),
    }
}

#[test]
fn the_minimal_configuration_is_a_table_and_a_key() {
    let config = read(&[]).unwrap();
    assert_eq!(config.table, "holdfast");
    assert_eq!(ring(&config), KeyRing::of(key(SECRET), None));
    assert!(config.secure_cookies);
    assert_eq!(config.base_path, "");
    assert!(matches!(config.sign_up, Configured::Inline(SignUp::Open)));
    assert_eq!((config.dynamodb_endpoint, config.secrets_endpoint), (None, None));
}

#[test]
fn a_function_without_pages_needs_no_cookie_key() {
    let lookup = |name: &str| (name == TABLE).then(|| "holdfast".to_owned());
    let made = || Config::without_pages(lookup, &Rng::of_system()).unwrap();
    assert_eq!(made().table, "holdfast");
    assert_ne!(ring(&made()), ring(&made()));
    assert!(Config::without_pages(|_| None, &Rng::of_system()).is_err());
}

#[test]
fn every_variable_is_read() {
    let config = read(&[
        (SECURE_COOKIES, "false"),
        (BASE_PATH, "/holdfast/eu"),
        (SIGN_UP, "invitation"),
        (INVITATION_CODE, CODE),
        (COOKIE_KEY_PREVIOUS, OTHER),
        (DYNAMODB_ENDPOINT, "https://dynamodb.example:8443"),
        (SECRETS_ENDPOINT, "http://127.0.0.1:5000"),
    ])
    .unwrap();
    assert_eq!(ring(&config), KeyRing::of(key(SECRET), Some(key(OTHER))));
    assert!(!config.secure_cookies && !config.names_secrets());
    assert_eq!(config.base_path, "/holdfast/eu");
    assert!(matches!(&config.sign_up, Configured::Inline(SignUp::Invited(code)) if code.is(CODE)));
    assert_eq!(config.dynamodb_endpoint.as_deref(), Some("https://dynamodb.example:8443"));
    assert_eq!(config.secrets_endpoint.as_deref(), Some("http://127.0.0.1:5000"));
}

#[test]
fn an_invalid_value_is_named() {
    for (name, value, words) in [
        (TABLE, "", "is missing"),
        (TABLE, "ab", "is not a table name"),
        (TABLE, "a table", "is not a table name"),
        (
            COOKIE_KEY,
            "",
            "is missing: give at least 64 bytes of text, or name their secret in HOLDFAST_COOKIE_KEY_SECRET",
        ),
        (COOKIE_KEY, &SECRET[1..], "is too short"),
        (COOKIE_KEY_PREVIOUS, "short", "is too short"),
        (COOKIE_KEY_SECRET, NAME, "is set together with HOLDFAST_COOKIE_KEY"),
        (COOKIE_KEY_SECRET, "my key", "does not name a secret"),
        (DATA_KEY, &SECRET[1..], "is too short"),
        (DATA_KEY_SECRET, "my key", "does not name a secret"),
        (SECURE_COOKIES, "yes", "is neither true nor false"),
        (BASE_PATH, "holdfast", "is not a path"),
        (BASE_PATH, "/", "is not a path"),
        (BASE_PATH, "/holdfast/", "is not a path"),
        (BASE_PATH, "//evil.example", "is not a path"),
        (SIGN_UP, "closed", "is not open, off, or invitation"),
        (INVITATION_CODE, CODE, "has no effect"),
        (INVITATION_CODE_SECRET, NAME, "has no effect"),
        (INVITATION_CODE_SECRET, "my code", "does not name a secret"),
        (TRUSTED_PROXIES, "eleven", "is not a number of proxies"),
        (TRUSTED_PROXIES, "11", "is not a number of proxies"),
        (ORIGIN_KEY, "short", "is not an origin key"),
        (ORIGIN_KEY_PREVIOUS, SECRET, "has no effect without HOLDFAST_ORIGIN_KEY"),
        (ORIGIN_KEY_SECRET, "my key", "does not name a secret"),
        (DYNAMODB_ENDPOINT, "localhost:8000", "is not an address"),
        (DYNAMODB_ENDPOINT, "ftp://localhost", "is not an address"),
        (SECRETS_ENDPOINT, "localhost", "is not an address"),
    ] {
        let error = read(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(&format!("{name} {words}")), "{name}={value}: {error}");
    }
}

#[test]
fn all_faults_are_listed_without_secrets() {
    let secret = "short-secret";
    let code = "a code";
    let error = read(&[
        (TABLE, ""),
        (COOKIE_KEY, secret),
        (COOKIE_KEY_PREVIOUS, secret),
        (SECURE_COOKIES, "1"),
        (BASE_PATH, "x"),
        (SIGN_UP, "closed"),
        (INVITATION_CODE, code),
    ])
    .unwrap_err();
    assert_eq!(error.0.len(), 7, "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(secret) && !text.contains(code), "{text}");
}

#[test]
fn sign_up_is_open_unless_switched_off_or_by_invitation() {
    let read_sign_up = |changes: &[(&str, &str)]| read(changes).unwrap().sign_up;
    assert!(matches!(read_sign_up(&[(SIGN_UP, "open")]), Configured::Inline(SignUp::Open)));
    assert!(matches!(
        read_sign_up(&[(SIGN_UP, "off"), (INVITATION_CODE, "")]),
        Configured::Inline(SignUp::Off)
    ));
    let error = read(&[(SIGN_UP, "invitation")]).unwrap_err().to_string();
    assert!(error.contains("HOLDFAST_INVITATION_CODE is missing"), "{error}");
    let error = read(&[(SIGN_UP, "invitation"), (INVITATION_CODE, "a code")]).unwrap_err().to_string();
    assert!(error.contains("HOLDFAST_INVITATION_CODE is not an invitation code"), "{error}");
}

#[test]
fn a_configuration_shows_no_secret() {
    let config = read(&[(SIGN_UP, "invitation"), (INVITATION_CODE, CODE)]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains(CODE), "{shown}");
    assert!(shown.contains("holdfast") && !shown.contains("0123456789"), "{shown}");
}

#[test]
fn a_secret_can_be_given_by_name() {
    let config = read(&[
        (COOKIE_KEY, ""),
        (COOKIE_KEY_SECRET, NAME),
        (SIGN_UP, "invitation"),
        (INVITATION_CODE_SECRET, "holdfast/code"),
    ])
    .unwrap();
    assert!(config.names_secrets());
    assert!(matches!(&config.cookie_keys, Configured::InSecret(name) if name.as_str() == NAME));
    assert!(matches!(&config.sign_up, Configured::InSecret(name) if name.as_str() == "holdfast/code"));
}

#[test]
fn a_secret_given_by_value_and_by_name_is_refused() {
    let error = read(&[
        (COOKIE_KEY, ""),
        (COOKIE_KEY_SECRET, NAME),
        (COOKIE_KEY_PREVIOUS, OTHER),
        (SIGN_UP, "invitation"),
        (INVITATION_CODE, CODE),
        (INVITATION_CODE_SECRET, NAME),
    ])
    .unwrap_err();
    let begin = |fault: &str| error.0.iter().any(|one| one.starts_with(fault));
    assert!(begin("HOLDFAST_COOKIE_KEY_PREVIOUS has no effect with HOLDFAST_COOKIE_KEY_SECRET"), "{error}");
    assert!(
        begin("HOLDFAST_INVITATION_CODE_SECRET is set together with HOLDFAST_INVITATION_CODE"),
        "{error}"
    );
    assert_eq!(error.0.len(), 2, "{error}");
    let error = read(&[(SIGN_UP, "closed"), (INVITATION_CODE_SECRET, NAME)]).unwrap_err();
    assert!(error.to_string().contains("HOLDFAST_SIGN_UP is not open"), "{error}");
}

#[test]
fn sessions_last_as_long_as_configured() {
    let limits = |changes: &[(&str, &str)]| read(changes).unwrap().session_limits;
    assert_eq!(limits(&[]), SessionLimits::default());
    let hours = SignedDuration::from_hours;
    let configured = limits(&[(SESSION_IDLE_HOURS, "2"), (SESSION_DAYS, "30")]);
    assert_eq!(configured, SessionLimits { idle: hours(2), absolute: hours(720) });
    for (name, value) in [(SESSION_IDLE_HOURS, "0"), (SESSION_IDLE_HOURS, "12h"), (SESSION_DAYS, "31")] {
        let error = read(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(&format!("{name} must be a whole number")), "{error}");
    }
}

#[test]
fn a_server_with_its_own_key_prefers_a_configured_one() {
    let keys = |variables: &[(&str, &str)]| {
        Config::keys::<CookieKey>(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert!(keys(&[(TABLE, "holdfast"), (COOKIE_KEY, "")]).unwrap().is_none());
    assert!(matches!(keys(&[(COOKIE_KEY, SECRET)]), Ok(Some(Configured::Inline(_)))));
    assert!(matches!(keys(&[(COOKIE_KEY_SECRET, NAME)]), Ok(Some(Configured::InSecret(_)))));
    for (name, value) in [(COOKIE_KEY, "short"), (COOKIE_KEY_PREVIOUS, OTHER)] {
        let error = keys(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains("HOLDFAST_COOKIE_KEY "), "{error}");
    }
}

#[test]
fn a_function_without_pages_reads_no_data_key() {
    let lookup = |name: &str| match name {
        TABLE => Some("holdfast".to_owned()),
        DATA_KEY => Some("short".to_owned()),
        _ => None,
    };
    assert!(Config::without_pages(lookup, &Rng::of_system()).unwrap().data_keys.is_none());
}

#[test]
fn a_local_server_reads_the_keys_that_are_set() {
    let lookup = |name: &str| (name == DATA_KEY).then(|| SECRET.to_owned());
    assert!(Config::keys::<CookieKey>(lookup).unwrap().is_none());
    assert!(matches!(Config::keys::<DataKey>(lookup), Ok(Some(Configured::Inline(_)))));
    let short = |name: &str| (name == DATA_KEY).then(|| "short".to_owned());
    assert!(
        Config::keys::<DataKey>(short).unwrap_err().to_string().contains("HOLDFAST_DATA_KEY is too short")
    );
}

#[test]
fn behind_api_gateway_proxies_are_trusted_only_with_a_key() {
    let gateway = |variables: &[(&str, &str)]| read(variables).unwrap().behind_gateway();
    assert!(gateway(&[]).is_ok() && gateway(&[(TRUSTED_PROXIES, "0")]).is_ok());
    assert!(gateway(&[(TRUSTED_PROXIES, "1"), (ORIGIN_KEY, SECRET)]).is_ok());
    let error = gateway(&[(TRUSTED_PROXIES, "1")]).unwrap_err().to_string();
    assert!(error.contains("HOLDFAST_TRUSTED_PROXIES needs HOLDFAST_ORIGIN_KEY"), "{error}");
}

#[test]
fn the_readme_lists_every_variable() {
    let readme = include_str!("../../../README.md");
    for name in [
        TABLE,
        COOKIE_KEY,
        COOKIE_KEY_PREVIOUS,
        COOKIE_KEY_SECRET,
        DATA_KEY,
        DATA_KEY_PREVIOUS,
        DATA_KEY_SECRET,
        SECURE_COOKIES,
        BASE_PATH,
        SIGN_UP,
        INVITATION_CODE,
        INVITATION_CODE_SECRET,
        TRUSTED_PROXIES,
        ORIGIN_KEY,
        ORIGIN_KEY_PREVIOUS,
        ORIGIN_KEY_SECRET,
        DYNAMODB_ENDPOINT,
        SECRETS_ENDPOINT,
    ] {
        assert!(readme.contains(&format!("\n| `{name}` | ")), "{name}");
    }
}
