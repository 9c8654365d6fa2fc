//! Text that people type or paste: what is invisible in it, what one line is, and what changes its direction.

use std::borrow::Cow;

use super::values::Invalid;

/// Begins an isolated text whose direction is that of its first letter.
pub const FIRST_STRONG_ISOLATE: char = '\u{2068}';
/// Ends an isolated text.
pub const POP_ISOLATE: char = '\u{2069}';

/// Whether a character is invisible and carries no meaning of its own: marks of direction, joiners, soft hyphens and
/// byte order marks, which copied text often has at its edges.
///
/// Source: Unicode Standard Annex #9 (bidirectional formatting characters) and the General_Category Cf.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

/// Returns a text on one line: without white space and invisible characters at its ends, and with single spaces between
/// its words. `what` names the text in the message.
///
/// # Errors
/// [`Invalid`] if it has a line break or another control character (a tab is a space), or a mark of direction, which
/// would change how the text around it is shown.
pub fn one_line(what: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Invalid::new(format!("{what} is one line, without control characters.")));
    }
    if let Some(mark) = text.chars().find(|c| is_direction_mark(*c)) {
        return Err(Invalid::new(format!(
            "{what} contains the invisible character U+{:04X}, which changes the direction of text. Remove it.",
            u32::from(mark)
        )));
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a character changes the direction of the text after it.
pub fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character can change the order in which the characters around a text are shown: a letter or digit of a
/// script that is written from right to left, or a mark of direction.
///
/// Source: Unicode Standard Annex #9, `DerivedBidiClass.txt` (the blocks whose default class is R or AL).
pub fn changes_direction(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{fb1d}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Returns a text for a sentence. If the text can change the direction of the rest of the sentence, it is isolated.
///
/// In a template this is not needed, because every value is isolated there.
pub fn isolated(text: &str) -> Cow<'_, str> {
    if !text.contains(changes_direction) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{FIRST_STRONG_ISOLATE}{}{POP_ISOLATE}", balanced(text)))
}

/// Returns a text that can be isolated: it does not end an isolate that begins outside of it, and ends those that begin
/// in it. The end of an isolate also ends embeddings and overrides.
pub fn balanced(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| matches!(c, '\u{2066}'..='\u{2069}')) {
        return Cow::Borrowed(text);
    }
    let mut balanced = String::with_capacity(text.len());
    let mut open = 0_usize;
    for c in text.chars() {
        match c {
            POP_ISOLATE if open == 0 => continue,
            POP_ISOLATE => open -= 1,
            '\u{2066}'..=FIRST_STRONG_ISOLATE => open += 1,
            _ => {}
        }
        balanced.push(c);
    }
    balanced.extend(std::iter::repeat_n(POP_ISOLATE, open));
    Cow::Owned(balanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_single_spaces_and_clean_edges() {
        assert_eq!(one_line("A name", "\u{200e} Ann \t\u{a0} Lee\u{202c}\n").unwrap(), "Ann Lee");
        assert_eq!(one_line("A name", "\u{feff}").unwrap(), "");
    }

    #[test]
    fn control_characters_and_marks_of_direction_inside_are_named() {
        assert!(one_line("A name", "Ann\nLee").unwrap_err().to_string().contains("one line"));
        let error = one_line("A name", "Ann \u{202e}Lee").unwrap_err().to_string();
        assert!(error.contains("U+202E"), "{error}");
    }

    #[test]
    fn only_a_text_that_changes_the_direction_is_isolated() {
        for text in ["", "Ann", "Zoë 5", "山田", "🎉"] {
            assert_eq!(isolated(text), text);
        }
        for text in ["שרה", "علي", "٣", "a\u{200f}", "Ann\u{202e}eeL", "\u{1e900}"] {
            assert_eq!(isolated(text), format!("\u{2068}{text}\u{2069}"));
        }
    }

    #[test]
    fn an_isolated_text_closes_only_its_own_isolation() {
        for (text, expected) in [
            ("a\u{2069}b", "ab"),
            ("\u{2067}a", "\u{2067}a\u{2069}"),
            ("\u{2066}a\u{2069}\u{2069}b\u{2068}", "\u{2066}a\u{2069}b\u{2068}\u{2069}"),
            ("\u{202e}a", "\u{202e}a"),
        ] {
            assert_eq!(balanced(text), expected, "{text:?}");
            assert_eq!(balanced(&balanced(text)), expected);
        }
    }
}
