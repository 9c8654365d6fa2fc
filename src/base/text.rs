//! Text that people type or paste: what is invisible in it, and what one line is.

use super::values::Invalid;

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
}
