//! Names of people and records.

use super::{Invalid, text_type};
use crate::base::text::{is_direction_mark, is_invisible};

text_type!(
    /// The name of a person or a record, on one line, trimmed and with single spaces between words.
    Name,
    parse_name
);

impl Name {
    const MAX_CHARS: usize = 120;
    /// The most words of a name. Each word is an item of the search index, and one transaction has at most 100
    /// actions.
    pub const MAX_WORDS: usize = 12;
}

fn parse_name(text: &str) -> Result<String, Invalid> {
    if text.trim().chars().any(char::is_control) {
        return Err(Invalid::new("A name must be one line without control characters."));
    }
    // Marks of direction change how the text around a name is shown. They are removed and not refused, because names
    // that were stored with them must stay readable.
    let text: String = text.chars().filter(|c| !is_direction_mark(*c)).collect();
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err(Invalid::new("Enter a name."));
    }
    let name = words.join(" ");
    if name.chars().count() > Name::MAX_CHARS {
        return Err(Invalid::new("A name can have at most 120 characters."));
    }
    if name_parts(&name).count() > Name::MAX_WORDS * 2 || words.len() > Name::MAX_WORDS {
        return Err(Invalid::new("A name can have at most 12 words."));
    }
    Ok(name)
}

/// Splits a name into its words, and splits words at punctuation too, so that `o'b`, `brien` and `smith` all find
/// `O'Brien-Smith`.
pub fn name_parts(name: &str) -> impl Iterator<Item = &str> {
    name.split_whitespace().flat_map(|word| {
        let parts = word
            .split(|c: char| !c.is_alphanumeric() && !unicode_normalization::char::is_combining_mark(c))
            .filter(move |part| !part.is_empty() && *part != word);
        std::iter::once(word).chain(parts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_with_single_spaces() {
        assert_eq!("  Ann \u{a0} Lee ".parse::<Name>().unwrap().as_str(), "Ann Lee");
        assert_eq!("Ann \u{202e}Lee\u{200f}".parse::<Name>().unwrap().as_str(), "Ann Lee");
        for text in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(121), &"x ".repeat(13)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn name_parts_include_the_parts_that_punctuation_joins() {
        let parts: Vec<_> = name_parts("Mary O'Brien-Smith 🎉").collect();
        assert_eq!(parts, ["Mary", "O'Brien-Smith", "O", "Brien", "Smith", "🎉"]);
    }
}
