//! Cursors of lists whose entries have one key, such as an id.

use std::fmt::Display;
use std::str::FromStr;

use crate::store::{Cursor, CursorError};

/// Returns the key after which a page starts, or `None` for the first page. `list` is the name of the list.
///
/// # Errors
/// [`CursorError`] if the text is not a cursor of this list.
pub fn start_after<K: FromStr>(list: &str, cursor: Option<&str>) -> Result<Option<K>, CursorError> {
    let Some(text) = cursor else { return Ok(None) };
    let cursor = Cursor::<1>::decode(list, text)?;
    let [key] = cursor.parts();
    key.parse().map(Some).map_err(|_| CursorError)
}

/// Returns the cursor of the page after the entry with this key.
pub fn cursor_after(list: &str, key: impl Display) -> String {
    Cursor::after([key.to_string()]).encode(list)
}
