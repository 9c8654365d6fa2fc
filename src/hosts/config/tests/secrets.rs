//! Tests of resolving the secrets that a configuration names.

use futures_util::FutureExt as _;
use jiff::Timestamp;

use super::*;
use crate::accounts::keys::CookieKeys;
use crate::base::secrets::{SecretStore, SecretStoreError, SecretVersion, Stage};

/// Returns a secret store in which each secret has one version, or none.
fn secret_store(secrets: &'static [(&'static str, &'static str)]) -> SecretStore {
    SecretStore::from_fn(async move |name, stage| {
        let Some((_, text)) = secrets.iter().find(|(stored, _)| *stored == name.as_str()) else {
            return Err(SecretStoreError("no entry".to_owned()));
        };
        let version = SecretVersion { text: (*text).to_owned(), created: Timestamp::UNIX_EPOCH };
        Ok((stage == Stage::Current).then_some(version))
    })
}

fn resolve(changes: &[(&str, &str)], secret_store: Option<&SecretStore>) -> Result<Resolved, SecretsError> {
    let config = read(changes).unwrap();
    let Some(secret_store) = secret_store else { return config.resolve_inline() };
    config.resolve(secret_store, Timestamp::UNIX_EPOCH).now_or_never().expect("the future is ready")
}

fn signing(keys: &CookieKeys) -> CookieKey {
    let ring = keys.at(Timestamp::UNIX_EPOCH).now_or_never().expect("the future is ready");
    ring.signing(Timestamp::UNIX_EPOCH).clone()
}

#[test]
fn a_stored_secret_works_like_an_inline_value() {
    let secret_store = secret_store(&[("key", SECRET), ("code", CODE)]);
    let named = [(COOKIE_KEY, ""), (COOKIE_KEY_SECRET, "key"), (SECURE_COOKIES, "false")];
    let code = [(SIGN_UP, "invitation"), (INVITATION_CODE_SECRET, "code")];
    let resolved = resolve(&[&named[..], &code[..]].concat(), Some(&secret_store)).unwrap();
    assert_eq!(signing(&resolved.cookies.keys), key(SECRET));
    assert!(
        !resolved.cookies.secure && resolved.sign_up.admits(CODE) && !resolved.sign_up.admits("12345678")
    );
    let resolved = resolve(&[], None).unwrap();
    assert_eq!(signing(&resolved.cookies.keys), key(SECRET));
    assert!(resolved.cookies.secure && resolved.sign_up.admits(""));
}

#[test]
fn every_unreadable_secret_is_named_and_none_is_shown() {
    let named = [
        (COOKIE_KEY, ""),
        (COOKIE_KEY_SECRET, "key"),
        (SIGN_UP, "invitation"),
        (INVITATION_CODE_SECRET, "code"),
    ];
    for (secret_store, faults) in [
        (
            None,
            [
                "HOLDFAST_COOKIE_KEY_SECRET cannot be used here",
                "HOLDFAST_INVITATION_CODE_SECRET cannot be used here",
            ],
        ),
        (
            Some(secret_store(&[])),
            [
                "HOLDFAST_COOKIE_KEY_SECRET names the secret key, which cannot be read: no entry.",
                "HOLDFAST_INVITATION_CODE_SECRET names the secret code, which cannot be read: no entry.",
            ],
        ),
        (
            Some(secret_store(&[("key", "sesame-1"), ("code", "sesame 2")])),
            [
                "HOLDFAST_COOKIE_KEY_SECRET names the secret key, which is too short",
                "HOLDFAST_INVITATION_CODE_SECRET names the secret code, which is not an invitation code",
            ],
        ),
    ] {
        let error = resolve(&named, secret_store.as_ref()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(faults.iter().all(|fault| text.contains(fault)), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[test]
fn origin_keys_are_given_by_value_or_by_name_but_not_both() {
    assert!(read(&[]).unwrap().origin_keys.is_none());
    let inline = read(&[(ORIGIN_KEY, SECRET), (ORIGIN_KEY_PREVIOUS, OTHER)]).unwrap();
    assert!(matches!(inline.origin_keys, Some(Configured::Inline(_))) && !inline.names_secrets());
    assert!(!format!("{inline:?}").contains("0123456789"));
    let named = read(&[(ORIGIN_KEY_SECRET, NAME)]).unwrap();
    assert!(matches!(&named.origin_keys, Some(Configured::InSecret(name)) if name.as_str() == NAME));
    for beside in [ORIGIN_KEY, ORIGIN_KEY_PREVIOUS] {
        let error = read(&[(ORIGIN_KEY_SECRET, NAME), (beside, SECRET)]).unwrap_err().to_string();
        assert!(error.contains("HOLDFAST_ORIGIN_KEY_SECRET is set together with"), "{error}");
    }
    let origin = [(ORIGIN_KEY_SECRET, "origin")];
    assert!(resolve(&origin, Some(&secret_store(&[("origin", SECRET)]))).unwrap().origin_keys.is_some());
    for (secret_store, fault) in [
        (
            Some(secret_store(&[])),
            "HOLDFAST_ORIGIN_KEY_SECRET names the secret origin, which cannot be read: no entry.",
        ),
        (
            Some(secret_store(&[("origin", "sesame")])),
            "HOLDFAST_ORIGIN_KEY_SECRET names the secret origin, which is not an origin key",
        ),
        (None, "HOLDFAST_ORIGIN_KEY_SECRET cannot be used here"),
    ] {
        let error = resolve(&origin, secret_store.as_ref()).unwrap_err().to_string();
        assert!(error.contains(fault) && !error.contains("sesame"), "{error}");
    }
}

#[test]
fn data_keys_are_optional_and_given_by_value_or_by_name_but_not_both() {
    let none = read(&[]).unwrap();
    assert!(none.data_keys.is_none() && none.resolve_inline().unwrap().data_keys.is_none());
    let inline = read(&[(DATA_KEY, SECRET), (DATA_KEY_PREVIOUS, OTHER)]).unwrap();
    let Some(Configured::Inline(ring)) = &inline.data_keys else { panic!("the keys are inline") };
    let key = |text| DataKey::from_secret(text).unwrap();
    assert_eq!(*ring, KeyRing::of(key(SECRET), Some(key(OTHER))));
    assert!(!inline.names_secrets() && !format!("{inline:?}").contains("0123456789"));
    assert!(inline.resolve_inline().unwrap().data_keys.is_some());

    let alone = read(&[(DATA_KEY_PREVIOUS, OTHER)]).unwrap_err().to_string();
    assert!(alone.contains("HOLDFAST_DATA_KEY is missing"), "{alone}");
    let two = read(&[(DATA_KEY_SECRET, NAME), (DATA_KEY, SECRET)]).unwrap_err().to_string();
    assert!(two.contains("HOLDFAST_DATA_KEY_SECRET is set together with HOLDFAST_DATA_KEY:"), "{two}");
    let kept = read(&[(DATA_KEY_SECRET, NAME), (DATA_KEY_PREVIOUS, OTHER)]).unwrap_err().to_string();
    assert!(
        kept.contains("HOLDFAST_DATA_KEY_PREVIOUS has no effect with HOLDFAST_DATA_KEY_SECRET"),
        "{kept}"
    );

    let named = [(DATA_KEY_SECRET, "data")];
    assert!(read(&named).unwrap().names_secrets());
    assert!(resolve(&named, Some(&secret_store(&[("data", SECRET)]))).unwrap().data_keys.is_some());
    for (secret_store, fault) in [
        (Some(secret_store(&[])), "names the secret data, which cannot be read: no entry."),
        (Some(secret_store(&[("data", "sesame")])), "names the secret data, which is too short"),
        (None, "cannot be used here, because this host reads no secrets: set HOLDFAST_DATA_KEY instead."),
    ] {
        let error = resolve(&named, secret_store.as_ref()).unwrap_err().to_string();
        assert!(error.contains(&format!("HOLDFAST_DATA_KEY_SECRET {fault}")), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}
