//! Turns the first sheet of a workbook (.xlsx, .xlsm) into CSV.
//!
//! Invariants:
//! - Row 1 of the sheet is row 1 of the CSV. A cell has its value, and not its formula: dates as in ISO 8601,
//!   percentages as such, other numbers without needless zeros.
//! - Memory is bounded: a workbook has at most [`MAX_WORKBOOK_BYTES`], unpacked [`MAX_UNPACKED_BYTES`], and as CSV
//!   [`MAX_FILE_BYTES`]. Its files are unpacked once to check this, before anything is built from them, because an
//!   archive may declare wrong sizes and counts. The cells are then read one by one.

use std::borrow::Cow;
use std::io::{self, Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};
use zip::ZipArchive;

use super::error::FileError;
use crate::imports::limits::{MAX_FILE_BYTES, MAX_UNPACKED_BYTES, MAX_WORKBOOK_BYTES};

/// The size of a sheet.
const SHEET_ROWS: u32 = 1_048_576;
const SHEET_COLUMNS: u32 = 16_384;

/// The most XML elements in the file with the texts, counted at both ends: a million texts.
const TEXT_TAGS: usize = 4_000_000;
/// The most XML elements in another file that is kept in memory, such as that of the formats.
const OTHER_TAGS: usize = 500_000;

/// Returns whether a file begins as a workbook does. So does every other ZIP archive.
pub fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Returns whether a file is an archive: also a compound file, which .xls and protected workbooks are.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    is_workbook(bytes) || bytes.starts_with(b"\xd0\xcf\x11\xe0")
}

/// Returns the CSV of a file: of a workbook, the first sheet with data. Any other file is returned as it is.
///
/// # Errors
/// A [`FileError`] if the workbook cannot be read, is empty or too large.
pub fn csv_of(bytes: &[u8]) -> Result<Cow<'_, [u8]>, FileError> {
    if !is_workbook(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes.len() > MAX_WORKBOOK_BYTES {
        return Err(FileError::LargeWorkbook);
    }
    check_archive(bytes)?;
    let mut workbook: Workbook<'_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
    for name in sheet_names(&workbook) {
        let csv = csv_of_sheet(&mut workbook, &name)?;
        if !csv.is_empty() {
            return Ok(Cow::Owned(csv));
        }
    }
    Err(FileError::Empty)
}

type Workbook<'a> = Xlsx<Cursor<&'a [u8]>>;

fn unreadable<E>(_: E) -> FileError {
    FileError::Workbook
}

/// Unpacks all files of an archive, and checks what they would need in memory.
fn check_archive(bytes: &[u8]) -> Result<(), FileError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut left = MAX_UNPACKED_BYTES;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(unreadable)?;
        let name = file.name().map_err(unreadable)?.replace('\\', "/").to_ascii_lowercase();
        if file.size() > left {
            return Err(FileError::LargeSheet);
        }
        let mut file = file.take(left + 1);
        // Sheets are read cell by cell, and pictures not at all.
        let unpacked = if name.contains("worksheets/") || !name.ends_with(".xml") && !name.ends_with(".rels")
        {
            io::copy(&mut file, &mut io::sink()).map_err(unreadable)?
        } else {
            let mut xml = Vec::new();
            file.read_to_end(&mut xml).map_err(unreadable)?;
            check_xml(&name, &xml)?;
            xml.len() as u64
        };
        left = left.checked_sub(unpacked).ok_or(FileError::LargeSheet)?;
    }
    Ok(())
}

/// Checks a file that is kept in memory. A table of texts must not declare more texts than it can have, because
/// memory is reserved for them.
fn check_xml(name: &str, xml: &[u8]) -> Result<(), FileError> {
    let is_texts = name.ends_with("sharedstrings.xml");
    let tags = xml.iter().filter(|&&byte| byte == b'<').count();
    if tags > if is_texts { TEXT_TAGS } else { OTHER_TAGS } {
        return Err(FileError::LargeSheet);
    }
    // NUL and ESC occur only in encodings that could hide the count.
    let is_hidden = xml.iter().any(|&byte| matches!(byte, 0 | 0x1b));
    if is_texts && (is_hidden || declared_counts(xml).any(|count| count > tags)) {
        return Err(FileError::Workbook);
    }
    Ok(())
}

/// Returns all values of `uniqueCount` in a file.
fn declared_counts(xml: &[u8]) -> impl Iterator<Item = usize> {
    const NAME: &[u8] = b"uniqueCount";
    xml.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).map(|(at, _)| {
        let value = xml.get(at + NAME.len()..).unwrap_or_default();
        let is_filler = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'"' | b'\'');
        let digits = value.iter().skip_while(|byte| is_filler(byte)).take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_usize, |count, digit| count.saturating_mul(10).saturating_add((digit - b'0').into()))
    })
}

/// Returns the names of the sheets with cells, those that are visible first.
fn sheet_names(workbook: &Workbook<'_>) -> Vec<String> {
    let sheets = workbook.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let (visible, hidden): (Vec<_>, Vec<_>) =
        sheets.partition(|sheet| sheet.visible == SheetVisible::Visible);
    visible.into_iter().chain(hidden).map(|sheet| sheet.name.clone()).collect()
}

/// Returns a sheet as CSV, or nothing if it has no cells with values.
fn csv_of_sheet(workbook: &mut Workbook<'_>, name: &str) -> Result<Vec<u8>, FileError> {
    let mut cells = workbook.worksheet_cells_reader(name).map_err(unreadable)?;
    let mut writer = Writer::default();
    while let Some((cell, style)) = cells.next_cell_with_style_id().map_err(unreadable)? {
        let format = cells.styles().get(style).and_then(|style| style.number_format.as_ref());
        let text = text_of(cell.get_value(), format.map_or("", |format| &format.format_code));
        if !text.trim().is_empty() {
            writer.write(cell.get_position(), &text)?;
        }
    }
    Ok(writer.finish())
}

/// Writes the cells of a sheet, which are in the order of rows and columns.
#[derive(Default)]
struct Writer {
    csv: Vec<u8>,
    row: u32,
    column: u32,
}

impl Writer {
    fn write(&mut self, (row, column): (u32, u32), text: &str) -> Result<(), FileError> {
        let is_in_order = (row, column) >= (self.row, self.column);
        if !is_in_order || row >= SHEET_ROWS || column >= SHEET_COLUMNS {
            return Err(FileError::Workbook);
        }
        if self.csv.is_empty() {
            // This line names the separator. It is not counted as a row.
            self.csv.extend_from_slice(b"sep=,\r\n");
        }
        while self.row < row {
            self.csv.extend_from_slice(b"\r\n");
            (self.row, self.column) = (self.row + 1, 0);
        }
        let separators = column - self.column.saturating_sub(1);
        self.csv.extend(std::iter::repeat_n(b',', separators as usize));
        self.column = column + 1;
        self.write_text(text)
    }

    fn write_text(&mut self, text: &str) -> Result<(), FileError> {
        // A mark may be written twice, and two are around the text.
        if (self.csv.len() + text.len() + 4) as u64 > MAX_FILE_BYTES {
            return Err(FileError::LargeSheet);
        }
        if !text.contains(['"', ',', '\r', '\n']) {
            self.csv.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.csv.push(b'"');
        self.csv.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        self.csv.push(b'"');
        if self.csv.len() as u64 > MAX_FILE_BYTES { Err(FileError::LargeSheet) } else { Ok(()) }
    }

    fn finish(mut self) -> Vec<u8> {
        if !self.csv.is_empty() {
            self.csv.extend_from_slice(b"\r\n");
        }
        self.csv
    }
}

/// Returns the text of a cell with a number format.
fn text_of<'a>(value: &'a DataRef<'_>, format: &str) -> Cow<'a, str> {
    match value {
        DataRef::Empty => Cow::Borrowed(""),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cow::Borrowed(text)
        }
        DataRef::SharedString(text) => Cow::Borrowed(text),
        DataRef::Int(number) => Cow::Owned(number_text(*number as f64, format)),
        DataRef::Float(number) => Cow::Owned(number_text(*number, format)),
        DataRef::Bool(true) => Cow::Borrowed("TRUE"),
        DataRef::Bool(false) => Cow::Borrowed("FALSE"),
        DataRef::DateTime(time) => Cow::Owned(time_text(time)),
        DataRef::Error(error) => Cow::Owned(error.to_string()),
    }
}

/// Returns a number with the fifteen digits that a spreadsheet shows, as a percentage if its format says so, and
/// with leading zeros as in postal codes.
fn number_text(number: f64, format: &str) -> String {
    let is_percentage = format.contains('%');
    let number = if is_percentage { 100.0 * number } else { number };
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    match format.len() {
        _ if is_percentage => format!("{rounded}%"),
        zeros @ 2..10 if format.bytes().all(|byte| byte == b'0') => format!("{rounded:0zeros$}"),
        _ => format!("{rounded}"),
    }
}

fn time_text(time: &ExcelDateTime) -> String {
    if time.is_duration() {
        let seconds = (time.as_f64() * 86_400.0).round().max(0.0) as u64;
        return format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    match time.as_f64() {
        days if days < 1.0 => clock,
        _ if clock == "00:00:00" => date,
        _ => format!("{date}T{clock}"),
    }
}
