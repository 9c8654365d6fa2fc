//! Text in UTF-16, and its positions in the file.
//!
//! Invariants: every character of the decoded text is one character of the file, also one that replaces half a
//! surrogate pair. So a position in the text has exactly one position in the file.

use super::dialect::{DELIMITERS, Encoding};
use super::text::is_break;

/// How many bytes show whether a file without a byte order mark is in UTF-16.
const SNIFFED_BYTES: usize = 4096;
/// How many times as many zero bytes there are at one parity as at the other. Single letters of other scripts, such as
/// `Ā` (U+0100) and `一` (U+4E00), have theirs at the other.
const MAJORITY: usize = 10;

/// Decodes bytes of a file. If the file continues, a character that is cut is left out. Half a character at the
/// end of the file is left out too.
pub(super) fn decode(bytes: &[u8], encoding: Encoding, at_end: bool) -> String {
    let mut units: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| match encoding {
            Encoding::Utf16Be => u16::from_be_bytes(*pair),
            _ => u16::from_le_bytes(*pair),
        })
        .collect();
    if !at_end && units.last().is_some_and(|unit| matches!(unit, 0xd800..=0xdbff)) {
        units.pop();
    }
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Translates ascending positions in a decoded text into positions in its bytes.
pub(super) struct Positions<'a> {
    text: &'a str,
    at: usize,
    bytes: usize,
}

impl<'a> Positions<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0, bytes: 0 }
    }

    /// Returns the position in the file. `at` must not be before the position of the last call.
    pub(super) fn in_file(&mut self, at: usize) -> usize {
        let passed = self.text.get(self.at..at).unwrap_or_default();
        self.bytes += passed.chars().map(|c| 2 * c.len_utf16()).sum::<usize>();
        self.at = at;
        self.bytes
    }
}

/// Returns the encoding and the length of the byte order mark of a file in UTF-16. Without a mark, the zero bytes
/// of its Latin letters and separators are almost all at even or almost all at odd positions.
pub(super) fn sniff(head: &[u8]) -> Option<(Encoding, usize)> {
    match head {
        [0xff, 0xfe, ..] => return Some((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => return Some((Encoding::Utf16Be, 2)),
        _ => {}
    }
    let (pairs, _) = head.get(..SNIFFED_BYTES).unwrap_or(head).as_chunks::<2>();
    let high_zeros = pairs.iter().filter(|[first, _]| *first == 0).count();
    let low_zeros = pairs.iter().filter(|[_, second]| *second == 0).count();
    let encoding = if high_zeros > low_zeros { Encoding::Utf16Be } else { Encoding::Utf16Le };
    let (few, many) = (high_zeros.min(low_zeros), high_zeros.max(low_zeros));
    let is_clear = many > 0 && many >= few * MAJORITY && many * 8 >= pairs.len();
    (is_clear && is_table(&decode(pairs.as_flattened(), encoding, false))).then_some((encoding, 0))
}

/// Whether a decoded text has separators and no NUL.
fn is_table(text: &str) -> bool {
    let is_separator = |byte: u8| is_break(byte) || DELIMITERS.contains(&byte);
    text.bytes().any(is_separator) && !text.contains('\0')
}
