//! Cells of CSV files that people open in a spreadsheet.

use crate::base::values::begins_formula;

/// Makes a spreadsheet take a cell as text: one that [may run as a formula](begins_formula) gets an apostrophe in front.
pub fn escape_formula(cell: &str) -> String {
    let guard = if begins_formula(cell) { "'" } else { "" };
    format!("{guard}{cell}")
}

/// The cell as it was before [`escape_formula`].
pub fn undefuse(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| begins_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_run_as_a_formula_is_defused() {
        for cell in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "="] {
            assert_eq!(escape_formula(cell), format!("'{cell}"));
            assert_eq!(undefuse(&escape_formula(cell)), cell);
        }
        for cell in ["", "a=1", "1-2", "'", "'tis", "O'Dwyer", "é"] {
            assert_eq!(escape_formula(cell), cell);
            assert_eq!(undefuse(cell), cell);
        }
    }
}
