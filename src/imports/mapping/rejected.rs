//! The file of rejected rows, which can be corrected and imported again.
//!
//! Invariants: no cell of the file runs as a formula when a spreadsheet opens it. Importing a cell restores
//! its original text.

use crate::web::csv::escape_formula;

/// The columns that [`rejected_csv`] puts before the columns of the file.
pub(super) const COLUMNS: [&str; 2] = ["Row", "Reason"];

/// Whether a file with these headers is a file of rejected rows.
pub(super) fn is_rejected_file(headers: &[String]) -> bool {
    headers.iter().take(COLUMNS.len()).eq(COLUMNS.iter())
}

/// Writes rejected rows as CSV. The row number and the reason come first, so that both are visible without
/// scrolling and an extra cell stays the last one. Every cell is [escaped](escape_formula).
///
/// The file uses the delimiter of the uploaded file, and a byte order mark, without which Excel does not read
/// UTF-8. After correction it can be imported as it is: its first two columns are ignored, and a second file
/// of rejected rows does not repeat them.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn rejected_csv<'a>(
    delimiter: u8,
    headers: &[String],
    rows: impl Iterator<Item = (u64, &'a str, &'a [String])>,
) -> Result<String, csv::Error> {
    let skip = if is_rejected_file(headers) { COLUMNS.len() } else { 0 };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let own = headers.iter().skip(skip).map(|header| escape_formula(header));
    writer.write_record(COLUMNS.into_iter().map(str::to_owned).chain(own))?;
    for (number, reason, fields) in rows {
        let cells = fields.iter().skip(skip).map(|field| escape_formula(field));
        let missing = headers.len().saturating_sub(fields.len().max(skip));
        let missing = std::iter::repeat_n(String::new(), missing);
        let place = [number.to_string(), escape_formula(reason)];
        writer.write_record(place.into_iter().chain(cells).chain(missing))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
