//! Creates and reads the cursors of the two usual kinds of lists. A feature with another kind, for example a list that
//! merges two, creates its cursors itself. `store/cursor.rs` encodes all of them.
//!
//! A list whose entries have one key, such as an id, uses [`cursor_after`] and [`start_after`]. A list that an index
//! sorts uses [`cursor_in_index`] and [`start_in_index`].

use std::fmt::Display;
use std::str::FromStr;

use crate::store::schema::Index;
use crate::store::{Cursor, CursorError, Item, Key, Page, Select};

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

/// Starts a selection of an index after a cursor, if there is one. `key` returns the key of the record with an id. The
/// sort keys of the index end with the id.
///
/// # Errors
/// [`CursorError`] if the text is not a cursor of this list.
pub fn start_in_index<I: FromStr + Display>(
    select: Select,
    list: &str,
    cursor: Option<&str>,
    key: impl FnOnce(I) -> Key,
) -> Result<Select, CursorError> {
    let Some(text) = cursor else { return Ok(select) };
    let cursor = Cursor::<2>::decode(list, text)?;
    let [sort, id] = cursor.parts();
    let id: I = id.parse().map_err(|_| CursorError)?;
    if !sort.ends_with(&id.to_string()) {
        return Err(CursorError);
    }
    Ok(select.after(sort, &key(id)))
}

/// Returns the cursor of the page after the entry with this sort key and this id in an index.
pub fn cursor_in_index(list: &str, sort: &str, id: impl Display) -> String {
    Cursor::after([sort.to_owned(), id.to_string()]).encode(list)
}

/// Returns the cursor of the page after this page of an index, if there may be one. It has the sort key that the record
/// had when it was read, because the record may move to another place in the list.
pub fn next_in_index<I: Display>(
    list: &str,
    index: Index,
    page: &Page,
    id: impl Fn(&Item) -> Option<I>,
) -> Option<String> {
    let last = page.items.last().filter(|_| page.more)?;
    let sort = last.get(index.sort)?.as_s().ok()?;
    Some(cursor_in_index(list, sort, id(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::ALL_NEWEST;

    #[test]
    fn a_cursor_in_an_index_names_its_list_and_an_id_that_ends_the_sort_key() {
        let select = || Select::index(ALL_NEWEST, "NUMBERS", 1);
        let key = |number: u64| Key::new("NUMBER", number.to_string());
        let start = |cursor: &str| start_in_index(select(), "numbers", Some(cursor), key);
        assert!(start(&cursor_in_index("numbers", "2026#7", 7)).is_ok());
        for wrong in [
            cursor_in_index("others", "2026#7", 7),
            cursor_in_index("numbers", "2026#7", 8),
            cursor_in_index("numbers", "2026#x", "x"),
            cursor_after("numbers", 7),
        ] {
            assert!(start(&wrong).is_err(), "{wrong}");
        }
        assert!(start_in_index(select(), "numbers", None, key).is_ok());
    }
}
