//! Checks single values. An error says what is wrong with a value, without the value.

use http::Uri;

use crate::base::secrets::SecretName;
use crate::web::client::TrustedProxies;

pub(super) fn secret_name(text: &str) -> Result<SecretName, &'static str> {
    text.parse().map_err(|_| {
        "does not name a secret: give an ARN, or a name of letters, digits, and the characters / _ + = . @ and -."
    })
}

/// Checks a table name by DynamoDB's rules.
pub(super) fn check_table(name: String) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        Ok(name)
    } else {
        Err("is not a table name: use 3 to 255 letters, digits, underscores, hyphens, and dots.")
    }
}

pub(super) fn check_bool(value: String) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "is neither true nor false.")
}

pub(super) fn check_proxies(number: String) -> Result<TrustedProxies, &'static str> {
    number.parse().map_err(|_| "is not a number of proxies: give a whole number from 0 to 10.")
}

pub(super) fn check_base_path(path: String) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$'()*+,".contains(c);
    let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
    if segments.all(|segment| !segment.is_empty() && segment.chars().all(allowed)) {
        Ok(path)
    } else {
        Err("is not a path: use the form /holdfast, without a slash at the end.")
    }
}

pub(super) fn check_endpoint(address: String) -> Result<String, &'static str> {
    let uri = address.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    if matches!(scheme, Some("http" | "https")) && uri.as_ref().is_some_and(|uri| uri.host().is_some()) {
        Ok(address)
    } else {
        Err("is not an address: use the form http://127.0.0.1:8000.")
    }
}
