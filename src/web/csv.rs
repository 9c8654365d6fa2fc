//! Cells of CSV files that people open in a spreadsheet.

use crate::base::values::begins_formula;

/// Adds an apostrophe to a cell that [may run as a formula](begins_formula), so that a spreadsheet reads it as text.
pub fn escape_formula(cell: &str) -> String {
    let guard = if begins_formula(cell) { "'" } else { "" };
    format!("{guard}{cell}")
}

/// Reverses [`escape_formula`].
pub fn unescape_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| begins_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of the characters that matter here.
    fn cells() -> impl Strategy<Value = String> {
        let characters = "=+-@＝＋－＠' \t\r\n\u{a0}\u{ad}\u{61c}\u{200b}\u{200e}\u{202e}\u{2069}\u{feff}a1é";
        let characters: Vec<char> = characters.chars().collect();
        proptest::collection::vec(proptest::sample::select(characters), 0..6).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_escaped_cell_is_a_formula_and_each_is_read_back(cell in cells()) {
            let escaped = escape_formula(&cell);
            prop_assert!(!begins_formula(&escaped), "{escaped:?}");
            prop_assert_eq!(&escape_formula(&escaped), &escaped, "a file that is written again is the same");
            // The apostrophe of a cell that was escaped before is no part of its text.
            prop_assert_eq!(unescape_formula(&escaped), unescape_formula(&cell));
        }
    }

    #[test]
    fn only_cells_that_may_run_as_a_formula_are_escaped() {
        for cell in [
            "=1",
            "+1",
            "-1",
            "@x",
            "\tx",
            "\rx",
            "\nx",
            "=",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "\u{200b}=1",
            "\u{feff}＝1",
            "\u{202e}+1",
            " =1",
        ] {
            assert_eq!(escape_formula(cell), format!("'{cell}"));
            assert_eq!(unescape_formula(&escape_formula(cell)), cell);
        }
        for cell in ["", "a=1", "1-2", "'", "'tis", "O'Dwyer", "é"] {
            assert_eq!(escape_formula(cell), cell);
            assert_eq!(unescape_formula(cell), cell);
        }
    }
}
