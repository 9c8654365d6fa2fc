//! The format of a file.

use serde::{Deserialize, Serialize};

/// The delimiters, in order of preference if two are equally likely.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The encoding of the file. If it is not UTF-16, it is a hint for display, because every cell is decoded
/// separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The beginning of the file is valid UTF-8, which includes ASCII.
    Utf8,
    /// The beginning of the file is not UTF-8: what Excel calls “CSV” on Windows.
    Windows1252,
    /// UTF-16 with the low byte first: what Excel calls “Unicode text”.
    Utf16Le,
    /// UTF-16 with the high byte first.
    Utf16Be,
}

impl Encoding {
    /// Returns the usual name of the encoding.
    pub fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Windows1252 => "Windows-1252",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        }
    }

    /// Returns whether the file is in UTF-16, with either byte first.
    pub(super) fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }
}

/// The format of a file. It is stored with the file between the steps of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialect {
    /// The byte that separates cells: comma, semicolon, tab or vertical bar.
    pub delimiter: u8,
    /// The encoding.
    pub encoding: Encoding,
    /// The length in bytes of the byte order mark at the start of the file: 3, 2 or 0.
    pub bom_len: usize,
    /// The number of columns in the header.
    pub columns: usize,
    /// Whether a backslash before a quotation mark makes it a part of its cell.
    #[serde(default)]
    pub escape: bool,
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
}
