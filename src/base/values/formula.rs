//! Detects texts that a spreadsheet may run.

use crate::base::text::is_invisible;

/// Returns whether a spreadsheet may run this text as a formula: its first visible character is one of `= + - @`, also
/// in a full-width or small form, or it begins with a tab or a line break, which separate cells when text is pasted.
///
/// Spreadsheets differ in what they remove before they read a cell: white space, control characters, and characters
/// without a width, such as a zero-width space or a mark of direction. All of these are skipped here.
///
/// Source: OWASP, "CSV Injection", <https://owasp.org/www-community/attacks/CSV_Injection>.
pub fn begins_formula(text: &str) -> bool {
    let is_skipped = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    text.starts_with(['\t', '\r', '\n']) || text.trim_start_matches(is_skipped).starts_with(is_operator)
}

/// Whether a character begins a formula, in its plain, full-width or small form.
fn is_operator(c: char) -> bool {
    matches!(
        c,
        '=' | '+'
            | '-'
            | '@'
            | '\u{ff1d}'
            | '\u{ff0b}'
            | '\u{ff0d}'
            | '\u{ff20}'
            | '\u{fe66}'
            | '\u{fe62}'
            | '\u{fe63}'
            | '\u{fe6b}'
    )
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn a_formula_is_found_in_any_width_and_behind_what_is_invisible() {
        for operator in "=+-@＝＋－＠﹦﹢﹣﹫".chars() {
            assert!("=+-@".contains(operator.nfkc().next().unwrap()), "{operator}");
            for before in [
                "",
                " ",
                "\t",
                "\r",
                "\n",
                "\0",
                "\u{a0}",
                "\u{ad}",
                "\u{61c}",
                "\u{200b}",
                "\u{200c}",
                "\u{200d}",
                "\u{200e}",
                "\u{200f}",
                "\u{202a}",
                "\u{202e}",
                "\u{2060}",
                "\u{2066}",
                "\u{2069}",
                "\u{3000}",
                "\u{feff}",
                "\u{feff}\u{200b} \u{202e}",
            ] {
                let text = format!("{before}{operator}1+1");
                assert!(begins_formula(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_formulas() {
        for text in ["", " ", "\u{200b}", "a=1", "1-2", "(212) 555-0100", "'=1", "–1", "~=1", "é", "שרה"]
        {
            assert!(!begins_formula(text), "{text:?}");
        }
    }
}
