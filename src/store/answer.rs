//! The answer to a request, in the form that an idempotency record stores.

use serde::{Deserialize, Serialize};

/// The answer that a repeated request gets again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
    /// The `Location` header, if the answer had one.
    pub location: Option<String>,
    /// The `ETag` header, if the answer had one.
    pub etag: Option<String>,
    /// The id of the record that the body shows, if the body can be rebuilt from that record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Answer {
    /// The longest body that is stored although it can be rebuilt, in bytes.
    pub const LONGEST_KEPT: usize = 4 * 1024;

    /// Returns a placeholder for a record without an answer.
    pub(super) fn empty() -> Self {
        Self { status: 0, body: String::new(), location: None, etag: None, about: None }
    }

    /// Names the record from which the body can be rebuilt.
    #[must_use]
    pub fn about(self, id: impl ToString) -> Self {
        Self { about: Some(id.to_string()), ..self }
    }

    /// Returns the id of the record from which the body must be rebuilt, if the body was too long to store.
    pub fn omitted(&self) -> Option<&str> {
        self.about.as_deref().filter(|_| self.body.is_empty())
    }

    /// Returns the answer in the form in which it is stored.
    pub(super) fn stored(mut self) -> Self {
        if self.about.is_some() && self.body.len() > Self::LONGEST_KEPT {
            self.body.clear();
        }
        self
    }
}
