//! The parts of forms that several features share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::store::idempotency::IdempotentRequest;
use crate::web::error::WebError;

/// The name-value pairs of a form. The last value of a repeated name wins, and unknown names are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RawForm(BTreeMap<String, String>);

impl RawForm {
    /// Returns the value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns this form as an idempotent request.
    pub fn once(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// Returns this form as an idempotent request, if it has a key. The typed text is part of the request, because a
    /// page that a browser restored sends an old key.
    pub fn once_by_key(&self, path: &str, who: &SignedIn, now: Timestamp) -> Option<IdempotentRequest> {
        self.get("key").filter(|key| !key.is_empty()).map(|_| self.once(path, who, now))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_repeated_name_wins() {
        let raw: RawForm = serde_urlencoded::from_str("name=Ann+Lee&x=1&name=Zo%C3%AB&email=").unwrap();
        assert_eq!(raw.get("name"), Some("Zoë"));
        assert_eq!(raw.get("email"), Some(""));
        assert_eq!(raw.get("state"), None);
    }
}
