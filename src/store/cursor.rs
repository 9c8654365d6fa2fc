//! The encoding of cursors: the start of a list's next page, opaque to clients. `shared/cursors.rs` creates the cursors
//! of most lists.
//!
//! A cursor names its list and contains only the part of the key that the server cannot know. The partition comes
//! from the request's filters, so a forged cursor reaches nothing that the request could not reach without it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This cursor isn't from this list. Leave it out to start at the beginning.")]
pub struct CursorError;

/// The start of a list's next page: the parts of the last key on the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<const N: usize> {
    parts: [String; N],
}

impl<const N: usize> Cursor<N> {
    const MAX_CHARS: usize = 2_048;

    /// Creates a cursor after the entry that these parts identify.
    pub fn after(parts: [String; N]) -> Self {
        Self { parts }
    }

    /// Returns the parts.
    pub fn parts(&self) -> &[String; N] {
        &self.parts
    }

    /// Encodes the cursor for clients. `list` is the name of its list.
    pub fn encode(&self, list: &str) -> String {
        let mut fields = vec![list];
        fields.extend(self.parts.iter().map(String::as_str));
        URL_SAFE_NO_PAD.encode(serde_json::json!(fields).to_string())
    }

    /// Decodes a cursor of `list`.
    ///
    /// # Errors
    /// [`CursorError`] if the text is not a cursor, or is a cursor of another list.
    pub fn decode(list: &str, text: &str) -> Result<Self, CursorError> {
        if text.len() > Self::MAX_CHARS {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let fields: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| CursorError)?;
        let [head, parts @ ..] = fields.as_slice() else {
            return Err(CursorError);
        };
        // DynamoDB rejects an empty key attribute, and no list issues one.
        if head != list || parts.iter().any(String::is_empty) {
            return Err(CursorError);
        }
        Ok(Self { parts: parts.to_vec().try_into().map_err(|_| CursorError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_as_text() {
        let cursor = Cursor::after(["2026#a\"b".to_owned(), "é".to_owned()]);
        assert_eq!(Cursor::decode("leads", &cursor.encode("leads")), Ok(cursor));
    }

    #[test]
    fn a_cursor_of_another_list_and_other_texts_are_rejected() {
        let text = Cursor::after(["a".to_owned()]).encode("leads");
        assert_eq!(Cursor::<1>::decode("orders", &text), Err(CursorError));
        assert_eq!(Cursor::<2>::decode("leads", &text), Err(CursorError));
        for text in ["", "%", "bm9uc2Vuc2U", &"A".repeat(5_000)] {
            assert_eq!(Cursor::<1>::decode("leads", text), Err(CursorError));
        }
    }
}
