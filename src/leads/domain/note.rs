//! Notes on a lead's timeline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::{AccountId, Actor};
use crate::base::text::is_invisible;
use crate::base::values::{Invalid, Version, text_type, time_ordered_id};

time_ordered_id!(
    /// A note's id.
    NoteId,
    "a note"
);

text_type!(
    /// The text of a note, of one or more lines, without white space at its ends.
    NoteText,
    parse_note_text
);

fn parse_note_text(text: &str) -> Result<String, Invalid> {
    // A browser sends line breaks as CR LF.
    let text = text.replace("\r\n", "\n");
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    if text.is_empty() {
        Err(Invalid::new("Write a note."))
    } else if text.chars().count() > 10_000 {
        Err(Invalid::new("A note can have at most 10,000 characters."))
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        Err(Invalid::new("A note can't have control characters."))
    } else {
        Ok(text.to_owned())
    }
}

/// A note, as stored and as shown in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The id. Ids sort by creation time.
    pub id: NoteId,
    /// The text.
    pub text: NoteText,
    /// Who wrote it.
    pub author: Actor,
    /// The author's account.
    pub author_id: AccountId,
    /// 1 at creation, plus one for each edit.
    pub version: Version,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

impl Note {
    /// Returns the note with another text.
    pub fn edited(self, text: NoteText, now: Timestamp) -> Self {
        Self { text, version: self.version.next(), updated_at: now, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_keeps_its_lines_and_has_limits() {
        assert_eq!(" First\r\n\tsecond \n".parse::<NoteText>().unwrap().as_str(), "First\n\tsecond");
        for text in ["", " \n ", "\u{200b}", "bell\u{7}", "nul\u{0}", &"x".repeat(10_001)] {
            assert!(text.parse::<NoteText>().is_err(), "{text:?}");
        }
    }
}
