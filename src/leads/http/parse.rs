//! Parses the typed text of one field.

use std::str::FromStr;

use crate::base::values::Invalid;

/// Parses a typed text, or stores the error message.
pub(super) fn read<T>(
    text: &str,
    error: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    parse(text).map_err(|invalid| *error = Some(invalid.to_string())).ok()
}

/// Parses the text of an optional field: blank text is no value.
pub(super) fn optional<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}
