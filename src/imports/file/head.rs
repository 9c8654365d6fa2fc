//! Detects the format, the encoding and the header of an uploaded file from its beginning.
//!
//! Invariants: the error for a refused file says what is wrong and what to do.

use csv::ReaderBuilder;
use serde::{Deserialize, Serialize};

use super::{Batch, Cursor, Limits, MIN_WINDOW_BYTES, RowFault, UTF8_BOM, is_break, read_rows};

/// How many bytes [`Head::detect`] needs, unless the file is shorter.
pub const HEAD_BYTES: usize = MIN_WINDOW_BYTES;

/// The delimiters, in order of preference if two occur equally often in the header line.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Why a file cannot be imported at all. The messages are shown to the person who sent the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file is empty or contains only blank lines.
    #[error("The file is empty. Choose a CSV file with a header row and at least one row below it.")]
    Empty,
    /// The file has a header row and nothing below it.
    #[error("The file has a header row but no rows below it. Choose a file with at least one contact.")]
    HeaderOnly,
    /// The file begins with a UTF-16 byte order mark.
    #[error("The file is written as UTF-16 (“Unicode text”). Save it as “CSV UTF-8” and choose it again.")]
    Utf16,
    /// The file is an Excel workbook or another ZIP archive.
    #[error("The file is a workbook or an archive, not a CSV file. Open it and save it as “CSV UTF-8”.")]
    Workbook,
    /// The file contains NUL bytes, which text does not have.
    #[error(
        "The file is not plain text: its byte {at} is NUL. Save it from your spreadsheet as “CSV UTF-8”."
    )]
    NotText {
        /// The position of the first NUL byte, counted from 1.
        at: usize,
    },
    /// The header row cannot be read.
    #[error("The header row (line {line}) cannot be read. {fault}")]
    Header {
        /// The line of the file on which the header begins, counted from 1.
        line: u64,
        /// What is wrong with it.
        fault: RowFault,
    },
}

/// The probable encoding of the file. It is a hint for display: every cell is decoded separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The beginning of the file is valid UTF-8, which includes ASCII.
    Utf8,
    /// The beginning of the file is not UTF-8: what Excel calls “CSV” on Windows.
    Windows1252,
}

impl Encoding {
    /// Returns the usual name of the encoding.
    pub fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// The format of a file. It is stored with the file between the steps of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialect {
    /// The byte that separates cells: comma, semicolon, tab or vertical bar.
    pub delimiter: u8,
    /// The probable encoding.
    pub encoding: Encoding,
    /// The length in bytes of the byte order mark at the start of the file: 3 or 0.
    pub bom_len: usize,
    /// The number of columns in the header.
    pub columns: usize,
}

impl Dialect {
    /// Returns the name of the delimiter, for display.
    pub fn delimiter_label(&self) -> &'static str {
        match self.delimiter {
            b';' => "semicolon",
            b'\t' => "tab",
            b'|' => "vertical bar",
            _ => "comma",
        }
    }

    pub(super) fn reader<'a>(&self, bytes: &'a [u8]) -> csv::Reader<&'a [u8]> {
        ReaderBuilder::new().delimiter(self.delimiter).has_headers(false).flexible(true).from_reader(bytes)
    }
}

/// The format and the header of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the file.
    pub dialect: Dialect,
    /// The names of the columns, as in the file. Some may be empty.
    pub headers: Vec<String>,
    /// Where the data begins.
    pub data: Cursor,
}

impl Head {
    /// Detects the format of a file from its first [`HEAD_BYTES`]. `whole` says that `head` is the whole
    /// file.
    ///
    /// The delimiter is the one that occurs most often in the header line outside quotation marks.
    ///
    /// # Errors
    /// A [`FileError`] if the file cannot be imported.
    pub fn detect(head: &[u8], whole: bool) -> Result<Self, FileError> {
        reject_non_text(head)?;
        let bom_len = if head.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
        let text = head.get(bom_len..).unwrap_or_default();
        let mut dialect = Dialect {
            delimiter: delimiter_of(text),
            encoding: encoding_of(text, whole),
            bom_len,
            columns: usize::MAX,
        };
        let start = Cursor { offset: bom_len as u64, row: 1, line: 1, skipping: false };
        let one = Limits { rows: 1, bytes: usize::MAX };
        let Batch { rows, next, consumed, .. } = read_rows(&dialect, start, text, whole, one);
        let Some(header) = rows.into_iter().next() else {
            // Rows are missing only if they are blank or cut off by the end of the head.
            return Err(match text.get(consumed..).unwrap_or_default() {
                [] => FileError::Empty,
                _ => FileError::Header { line: next.line, fault: RowFault::TooLong },
            });
        };
        if let Some(fault) = header.fault {
            return Err(FileError::Header { line: header.line, fault });
        }
        dialect.columns = header.fields.len();
        let rest = text.get(consumed..).unwrap_or_default();
        if whole && read_rows(&dialect, next, rest, true, one).rows.is_empty() {
            return Err(FileError::HeaderOnly);
        }
        Ok(Self { dialect, headers: header.fields, data: next })
    }
}

fn reject_non_text(head: &[u8]) -> Result<(), FileError> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    // ZIP files (.xlsx and .ods) and compound files (.xls).
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(FileError::Workbook);
    }
    match head.iter().position(|&byte| byte == 0) {
        Some(at) => Err(FileError::NotText { at: at + 1 }),
        None => Ok(()),
    }
}

fn encoding_of(text: &[u8], whole: bool) -> Encoding {
    match std::str::from_utf8(text) {
        Ok(_) => Encoding::Utf8,
        // The end of the head may have cut a character.
        Err(error) if error.error_len().is_none() && !whole => Encoding::Utf8,
        Err(_) => Encoding::Windows1252,
    }
}

fn delimiter_of(text: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    let blank = text.iter().take_while(|&&byte| is_break(byte)).count();
    for &byte in text.iter().skip(blank) {
        if byte == b'"' {
            quoted = !quoted;
        } else if !quoted && is_break(byte) {
            break;
        } else if !quoted {
            for (delimiter, count) in DELIMITERS.iter().zip(&mut counts) {
                *count += usize::from(*delimiter == byte);
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let found = DELIMITERS.iter().zip(counts).find(|(_, count)| *count == most);
    found.map_or(b',', |(delimiter, _)| *delimiter)
}
