//! Lists of the JSON API: their common parameters and format.

use serde::{Deserialize, Serialize};

use super::error::WebError;
use crate::base::values::Invalid;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// The items on the page.
    pub items: Vec<T>,
    /// The cursor of the next page, or null.
    pub next: Option<String>,
}

/// The requested page, from the query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

impl PageParameters {
    /// Returns the maximum number of items on the page, and the cursor after which it starts.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for an invalid limit.
    pub fn read(self) -> Result<(u16, Option<String>), WebError> {
        self.read_or(DEFAULT)
    }

    /// Like [`read`](Self::read), with another default for the limit.
    pub fn read_or(self, default: u16) -> Result<(u16, Option<String>), WebError> {
        let limit = limit_or(self.limit, default)?;
        Ok((limit, self.cursor.filter(|text| !text.is_empty())))
    }
}

/// Parses a parameter, if it is present and not empty.
///
/// # Errors
/// [`WebError::Invalid`] with its name, if it is invalid.
pub fn parameter<T>(
    name: &str,
    text: Option<String>,
    read: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, WebError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| read(&text)).transpose().map_err(|invalid| WebError::field(name, &invalid))
}

/// Parses the maximum number of items on a page: 1 to 100, by default 25.
///
/// # Errors
/// [`WebError::Invalid`] for anything else.
pub fn limit(text: Option<String>) -> Result<u16, WebError> {
    limit_or(text, DEFAULT)
}

/// The default maximum number of items on a page.
const DEFAULT: u16 = 25;

fn limit_or(text: Option<String>, default: u16) -> Result<u16, WebError> {
    let limit = parameter("limit", text, |text| {
        let limit = text.parse::<u16>().ok().filter(|limit| (1..=100).contains(limit));
        limit.ok_or_else(|| Invalid::new("A limit must be a whole number from 1 to 100."))
    })?;
    Ok(limit.unwrap_or(default))
}
