//! What the beginning of an uploaded file tells: how it is written, its columns, and whether it can be imported.
//!
//! What always holds: a file that is refused is refused with a sentence that says what is wrong and what to do.

use csv::ReaderBuilder;
use serde::{Deserialize, Serialize};

use super::{Batch, Cursor, Limits, MIN_WINDOW_BYTES, RowFault, UTF8_BOM, is_break, read_rows};

/// How many bytes [`Head::detect`] should be given, unless the file is shorter.
pub const HEAD_BYTES: usize = MIN_WINDOW_BYTES;

/// In order of preference, for a header line in which two occur equally often.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Why a file cannot be imported at all. The messages are made to be shown to the person who sent the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is nothing in the file but, perhaps, blank lines.
    #[error("The file is empty. Choose a CSV file with a header row and at least one row below it.")]
    Empty,
    /// A header row and nothing below.
    #[error("The file has a header row but no rows below it. Choose a file with at least one contact.")]
    HeaderOnly,
    /// The file begins with a UTF-16 byte order mark.
    #[error("The file is written as UTF-16 (“Unicode text”). Save it as “CSV UTF-8” and choose it again.")]
    Utf16,
    /// The file is an Excel workbook, or another ZIP archive.
    #[error("The file is a workbook or an archive, not a CSV file. Open it and save it as “CSV UTF-8”.")]
    Workbook,
    /// The file holds NUL bytes, which no text does.
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

/// What the file's text seems to be encoded in; a hint to show, as every cell is decoded on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The head of the file is valid UTF-8, or plain ASCII.
    Utf8,
    /// The head of the file is not UTF-8: what Excel calls “CSV” on Windows.
    Windows1252,
}

impl Encoding {
    /// The encoding's usual name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// How one file is written. Kept with the file between the steps of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialect {
    /// The byte between two cells: comma, semicolon, tab or vertical bar.
    pub delimiter: u8,
    /// What the text seems to be encoded in.
    pub encoding: Encoding,
    /// The length in bytes of the byte order mark at the start of the file: 3 or 0.
    pub bom_len: usize,
    /// The number of columns in the header.
    pub columns: usize,
}

impl Dialect {
    /// The delimiter in words, to be shown.
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

/// What the beginning of a file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How the file is written.
    pub dialect: Dialect,
    /// The names of the columns, as they stand in the file; some may be empty.
    pub headers: Vec<String>,
    /// Where the data begins.
    pub data: Cursor,
}

impl Head {
    /// Detects how a file is written from its first [`HEAD_BYTES`]. `whole` says that `head` is the whole file.
    ///
    /// The delimiter is the one that occurs most in the header line, outside quotation marks.
    ///
    /// # Errors
    /// A [`FileError`] in words if the file cannot be imported.
    pub fn detect(head: &[u8], whole: bool) -> Result<Self, FileError> {
        refuse_what_is_no_text(head)?;
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
            // Rows are only left out when they are blank or cut off by the end of the head.
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

fn refuse_what_is_no_text(head: &[u8]) -> Result<(), FileError> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    // ZIP, which .xlsx and .ods files are, and the compound files that .xls files are.
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
        // The head may have been cut in the middle of a character.
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
