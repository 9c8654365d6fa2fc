//! The fields of a form whose names may repeat.

use jiff::Timestamp;
use serde::Deserialize;

use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::store::idempotency::IdempotentRequest;
use crate::web::error::WebError;

/// The fields of a form, in the order in which they were sent. A name may appear several times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Returns the last value with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Returns this form as an idempotent request. It needs no key, because it names the version that it
    /// changes.
    pub fn idempotent_request(&self, path: &str, who: &SignedIn, now: Timestamp) -> IdempotentRequest {
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        IdempotentRequest::of_form(&who.id.to_string(), path, fields, now)
    }

    /// Returns the version of the record that the form was filled in for.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`], or [`WebError::Invalid`] if the value is not a version.
    pub fn version(&self) -> Result<Version, WebError> {
        let text = self.get("version").ok_or(WebError::VersionMissing)?;
        text.parse().map_err(|invalid| WebError::field("version", &invalid))
    }
}
