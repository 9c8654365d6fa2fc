//! Lists of the JSON API: the parameters that all of them take, and the form in which all of them answer.

use serde::{Deserialize, Serialize};

use super::error::WebError;
use crate::base::values::Invalid;

/// A page as programs get it.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// The cursor of the next page, or null.
    pub next: Option<String>,
}

/// Which page is asked for, as an address carries it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

impl PageParameters {
    /// How many items a page has at the most, and the cursor behind which it begins.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for a limit that is none.
    pub fn read(self) -> Result<(u16, Option<String>), WebError> {
        self.read_or(DEFAULT)
    }

    /// The same, where a page has so many items unless a limit is given.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_or(self, unless_given: u16) -> Result<(u16, Option<String>), WebError> {
        let limit = limit_or(self.limit, unless_given)?;
        Ok((limit, self.cursor.filter(|text| !text.is_empty())))
    }
}

/// A parameter that is read if it is there and not empty.
///
/// # Errors
/// [`WebError::Invalid`] with its name, if it cannot be read.
pub fn parameter<T>(
    name: &str,
    text: Option<String>,
    read: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, WebError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| read(&text)).transpose().map_err(|invalid| WebError::field(name, &invalid))
}

/// The most items of a page: 1 to 100, 25 unless given.
///
/// # Errors
/// [`WebError::Invalid`] for anything else.
pub fn limit(text: Option<String>) -> Result<u16, WebError> {
    limit_or(text, DEFAULT)
}

/// The most items of a page unless a limit is given.
const DEFAULT: u16 = 25;

fn limit_or(text: Option<String>, unless_given: u16) -> Result<u16, WebError> {
    let limit = parameter("limit", text, |text| {
        let limit = text.parse::<u16>().ok().filter(|limit| (1..=100).contains(limit));
        limit.ok_or_else(|| Invalid::new("A limit is a whole number from 1 to 100."))
    })?;
    Ok(limit.unwrap_or(unless_given))
}
