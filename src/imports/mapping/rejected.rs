//! The rows that could not be taken, as a file to correct and to import again.
//!
//! What always holds: no cell of the file runs as a formula when a spreadsheet opens it, and importing a cell gives
//! back what it was.

use crate::web::csv::escape_formula;

/// The columns that [`rejected_csv`] puts before those of the file.
const REJECTED_COLUMNS: [&str; 2] = ["Row", "Reason"];

/// The rejected rows as CSV, each with its number and the reason before its own cells, so that both are seen without
/// scrolling and a cell too many stays the last. Every cell is [defused](defuse).
///
/// It has the delimiter of the file that was sent, and a byte order mark, without which Excel does not read UTF-8.
/// Corrected, it can be imported as it is: the two columns are mapped to nothing, and are not repeated in the file
/// that rejects a row again.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn rejected_csv<'a>(
    delimiter: u8,
    headers: &[String],
    rows: impl Iterator<Item = (u64, &'a str, &'a [String])>,
) -> Result<String, csv::Error> {
    let again = headers.iter().take(REJECTED_COLUMNS.len()).eq(REJECTED_COLUMNS.iter());
    let skip = if again { REJECTED_COLUMNS.len() } else { 0 };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let own = headers.iter().skip(skip).map(|header| escape_formula(header));
    writer.write_record(REJECTED_COLUMNS.into_iter().map(str::to_owned).chain(own))?;
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
