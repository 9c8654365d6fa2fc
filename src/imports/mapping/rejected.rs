//! The file of rejected rows, which can be corrected and imported again.
//!
//! Invariant: importing a cell restores its original text.

use crate::web::csv::CsvWriter;

/// The columns that [`rejected_csv`] puts before the columns of the file.
pub(super) const COLUMNS: [&str; 2] = ["Row", "Reason"];

/// Whether a file with these headers is a file of rejected rows.
pub(super) fn is_rejected_file(headers: &[String]) -> bool {
    headers.iter().take(COLUMNS.len()).eq(COLUMNS.iter())
}

/// Writes rejected rows as CSV. The row number and the reason come first, so that both are visible without
/// scrolling and an extra cell stays the last one.
///
/// The file uses the delimiter of the uploaded file. After correction it can be imported as it is: its first two
/// columns are ignored, and a second file of rejected rows does not repeat them.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn rejected_csv<'a>(
    delimiter: u8,
    headers: &[String],
    rows: impl Iterator<Item = (u64, &'a str, &'a [String])>,
) -> Result<String, csv::Error> {
    let skip = if is_rejected_file(headers) { COLUMNS.len() } else { 0 };
    let own = headers.iter().skip(skip).map(String::as_str);
    let mut file = CsvWriter::begin(delimiter, COLUMNS.into_iter().chain(own))?;
    for (number, reason, fields) in rows {
        let number = number.to_string();
        let cells = fields.iter().skip(skip).map(String::as_str);
        let missing = headers.len().saturating_sub(fields.len().max(skip));
        let missing = std::iter::repeat_n("", missing);
        file.row([number.as_str(), reason].into_iter().chain(cells).chain(missing))?;
    }
    file.finish()
}
