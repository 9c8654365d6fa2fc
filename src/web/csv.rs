//! Cells of CSV files that people open in a spreadsheet.

/// Makes a spreadsheet take a cell as text: one that begins with `=`, `+`, `-`, `@`, a tab or a line ending may run
/// as a formula when the file is opened, so it gets an apostrophe in front.
///
/// Source: OWASP, "CSV Injection", <https://owasp.org/www-community/attacks/CSV_Injection>.
pub fn defuse(cell: &str) -> String {
    let guard = if is_explosive(cell) { "'" } else { "" };
    format!("{guard}{cell}")
}

/// The cell as it was before [`defuse`].
pub fn undefuse(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_explosive(text)).unwrap_or(cell)
}

fn is_explosive(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_run_as_a_formula_is_defused() {
        for cell in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "="] {
            assert_eq!(defuse(cell), format!("'{cell}"));
            assert_eq!(undefuse(&defuse(cell)), cell);
        }
        for cell in ["", "a=1", "1-2", "'", "'tis", "O'Dwyer", "é"] {
            assert_eq!(defuse(cell), cell);
            assert_eq!(undefuse(cell), cell);
        }
    }
}
