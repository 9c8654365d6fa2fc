//! The answer to a request, as the ledger keeps it.

use serde::{Deserialize, Serialize};

/// The answer that a repeated request gets again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
    /// The `Location` header, where the answer had one.
    pub location: Option<String>,
    /// The `ETag` header, where the answer had one.
    pub etag: Option<String>,
    /// The id of the thing that the body shows, if the body can be made again from the thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Answer {
    /// The longest body that is kept if it can be made again, in bytes.
    pub const LONGEST_KEPT: usize = 4 * 1024;

    /// No answer, for an entry that has none.
    pub(super) fn empty() -> Self {
        Self { status: 0, body: String::new(), location: None, etag: None, about: None }
    }

    /// The same answer, whose body can be made again from the thing with this id.
    #[must_use]
    pub fn about(self, id: impl ToString) -> Self {
        Self { about: Some(id.to_string()), ..self }
    }

    /// The id of the thing from which the body is to be made again, if it was too long to be kept.
    pub fn omitted(&self) -> Option<&str> {
        self.about.as_deref().filter(|_| self.body.is_empty())
    }

    /// The answer as it is stored.
    pub(super) fn stored(mut self) -> Self {
        if self.about.is_some() && self.body.len() > Self::LONGEST_KEPT {
            self.body.clear();
        }
        self
    }
}
