//! The text of cells and headers: what people write differently, what means nothing, and what is invisible.

use unicode_normalization::UnicodeNormalization;

use crate::base::text::{is_invisible, isolated};
use crate::web::csv::unescape_formula;

/// How many characters of a text a message quotes.
const QUOTED: usize = 60;

/// Words that programs write into a cell without a value, without the punctuation around them.
const BLANK_WORDS: [&str; 14] = [
    "#n/a",
    "blank",
    "empty",
    "n.a",
    "n/a",
    "n\\a",
    "na",
    "nan",
    "nil",
    "no value",
    "none",
    "not set",
    "null",
    "undefined",
];

/// Removes what people write differently: letter case, accents, white space and punctuation.
pub fn fold(text: &str) -> String {
    text.nfd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns a cell without white space and invisible characters at its ends, and without the apostrophe that
/// [`CsvWriter`](crate::web::csv::CsvWriter) adds.
pub fn clean(cell: &str) -> &str {
    trim(unescape_formula(trim(cell)))
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Whether a text means that there is no value: it has no letters and digits, or is a word such as `n/a`, `NULL`,
/// `(blank)` or `--None--`.
pub fn is_blank(text: &str) -> bool {
    let is_frame =
        |c: char| !c.is_alphanumeric() && c.is_ascii() || matches!(c, '–' | '—' | '…') || c.is_whitespace();
    let word = text.trim_matches(is_frame).to_lowercase();
    word.is_empty() || BLANK_WORDS.contains(&word.as_str())
}

/// Whether a part of a person's name is missing. `Null`, `Nan` and `Na` are names of people, `NULL` and `nan` are not.
pub fn is_blank_name(text: &str) -> bool {
    let is_name = matches!(text, "Blank" | "Na" | "Nan" | "Nil" | "Null");
    is_blank(text) && !is_name
}

/// Returns a text on one line: each run of white space and control characters is one space.
pub fn one_line(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns the beginning of a text for a message, on one line, in quotation marks. Invisible characters are shown as
/// their numbers.
pub fn quoted(text: &str) -> String {
    let line = one_line(text);
    let mut quoted: String = line.chars().take(QUOTED).map(visible).collect();
    if line.chars().nth(QUOTED).is_some() {
        quoted.push('…');
    }
    format!("“{}”", isolated(&quoted))
}

/// Whether a character is invisible, or looks like a space without being one.
pub fn is_hidden(c: char) -> bool {
    is_invisible(c) || (c.is_whitespace() && !c.is_ascii()) || (c.is_control() && !c.is_whitespace())
}

fn visible(c: char) -> String {
    if is_invisible(c) { format!("[U+{:04X}]", u32::from(c)) } else { c.to_string() }
}

/// Returns the number and the usual name of an invisible character, for example `U+00AD (soft hyphen)`.
pub fn name_of_invisible(c: char) -> String {
    let name = match c {
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200c}' => "zero-width non-joiner",
        '\u{200d}' => "zero-width joiner",
        '\u{61c}' | '\u{200e}' | '\u{200f}' => "direction mark",
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "direction of text",
        '\u{2060}' => "word joiner",
        '\u{feff}' => "byte order mark",
        '\u{a0}' | '\u{202f}' => "no-break space",
        _ if c.is_whitespace() => "space",
        _ if c.is_control() => "control character",
        _ => "format character",
    };
    format!("U+{:04X} ({name})", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_has_no_case_accents_space_and_punctuation() {
        assert_eq!(fold("Dép/Région (Bureau) 2"), "depregionbureau2");
        assert_eq!(fold(" E-Mail:\u{a0}Adresse "), "emailadresse");
    }

    #[test]
    fn a_clean_cell_has_no_space_and_invisible_characters_at_its_ends() {
        assert_eq!(clean("\u{200e} \u{feff}Ann\u{ad}a\u{202c}\n"), "Ann\u{ad}a");
        assert_eq!((clean("'=1+1"), clean("'-Bob"), clean("'tis")), ("=1+1", "-Bob", "'tis"));
        assert_eq!((clean("'＝1+1"), clean("'\u{200b}=1")), ("＝1+1", "=1"));
    }

    #[test]
    fn a_cell_without_a_value_is_blank_however_programs_write_it() {
        let blank = [
            "",
            " ",
            "-",
            "--",
            "–",
            "—",
            "...",
            "?",
            "n/a",
            "N/A",
            "#N/A",
            "n.a.",
            "NaN",
            "nan",
            "null",
            "<NULL>",
            "None",
            "--None--",
            "-None-",
            "(blank)",
            "(not set)",
            "(No value)",
            "[empty]",
            "undefined",
        ];
        for text in blank {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["0", "No", "NE", "Nana", "+", "★", "A", "–5"] {
            assert_eq!(is_blank(text), text == "+", "{text:?}");
        }
        assert!(is_blank_name("NULL") && is_blank_name("nan") && is_blank_name("."));
        assert!(!is_blank_name("Null") && !is_blank_name("Nan") && !is_blank_name("Ann"));
    }

    #[test]
    fn a_quoted_text_is_short_on_one_line_and_shows_the_invisible() {
        assert_eq!(quoted("Ann\r\n\tLee"), "“Ann Lee”");
        assert_eq!(quoted("a\u{ad}b\u{202e}"), "“a[U+00AD]b[U+202E]”");
        assert_eq!(quoted(&"é".repeat(61)), format!("“{}…”", "é".repeat(60)));
        assert_eq!(name_of_invisible('\u{ad}'), "U+00AD (soft hyphen)");
    }
}
