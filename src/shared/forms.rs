//! The parts of forms that several features share.

use jiff::Timestamp;
use serde::Deserialize;

use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::store::idempotency::{IdempotencyKey, IdempotentRequest};
use crate::web::error::WebError;

/// The fields of a form, in the order in which they were sent. A name may appear several times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RawForm(Vec<(String, String)>);

impl RawForm {
    /// Returns the last value with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns the names that begin with this text, without it, and their values.
    pub fn starting_with<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(start)?, value.as_str())))
    }

    /// Returns the last value with this name, or empty text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Returns this form as an idempotent request. It needs no key if it names the version that it changes.
    pub fn request(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// Returns the version of the record that the form shows.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is none, or [`WebError::Invalid`] if it is not a version.
    pub fn version(&self) -> Result<Version, WebError> {
        let text = self.get("version").ok_or(WebError::VersionMissing)?;
        text.parse().map_err(|invalid| WebError::field("version", &invalid))
    }
}

/// Returns a form as an idempotent request, if it has a key. `parts` are the method, the path and the typed text.
///
/// # Errors
/// [`WebError::Malformed`] for an invalid key.
pub fn keyed_request(
    key: &str,
    parts: &[&[u8]],
    who: &SignedIn,
    now: Timestamp,
) -> Result<Option<IdempotentRequest>, WebError> {
    if key.is_empty() {
        return Ok(None);
    }
    let key: IdempotencyKey =
        key.parse().map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))?;
    Ok(Some(IdempotentRequest::new(&who.id.to_string(), key, parts, now)))
}

/// One field of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// The current text.
    pub value: String,
    /// The text when the form was first shown.
    pub base: String,
    /// The error message.
    pub error: Option<String>,
}

/// Returns the value of a field, or stores its error message in `wrong`.
pub fn checked<T>(value: Result<T, Invalid>, wrong: &mut Option<String>) -> Option<T> {
    value.map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_repeated_name_wins() {
        let raw: RawForm = serde_urlencoded::from_str("name=Ann+Lee&x=1&name=Zo%C3%AB&email=").unwrap();
        assert_eq!(raw.get("name"), Some("Zoë"));
        assert_eq!(raw.all("name").collect::<Vec<_>>(), ["Ann Lee", "Zoë"]);
        assert_eq!(raw.get("email"), Some(""));
        assert_eq!(raw.get("state"), None);
    }
}
