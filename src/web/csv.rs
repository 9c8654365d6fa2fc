//! Cells of CSV files that people open in a spreadsheet.

use crate::base::values::begins_formula;

/// Adds an apostrophe to a cell that [may run as a formula](begins_formula), so that a spreadsheet reads it as text.
pub fn escape_formula(cell: &str) -> String {
    let guard = if begins_formula(cell) { "'" } else { "" };
    format!("{guard}{cell}")
}

/// Reverses [`escape_formula`].
pub fn undefuse(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| begins_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_that_may_run_as_a_formula_are_escaped() {
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
