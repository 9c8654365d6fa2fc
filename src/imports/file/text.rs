//! Line endings, and the text of a cell.

use encoding_rs::WINDOWS_1252;

pub(super) const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

pub(super) fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Returns the position of the first line ending from `start` on.
pub(super) fn find_break(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().position(|&byte| is_break(byte)).map(|at| start + at)
}

/// Counts line endings of any kind.
pub(super) fn line_breaks(raw: &[u8]) -> u64 {
    let ends = raw.iter().filter(|&&byte| is_break(byte)).count();
    let pairs = raw.windows(2).filter(|pair| pair == b"\r\n").count();
    (ends - pairs) as u64
}

/// Decodes a cell. Removes white space and invisible characters around it.
pub(super) fn decode(cell: &[u8]) -> String {
    let decoded = match std::str::from_utf8(cell) {
        Ok(text) => text.into(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(cell).0,
    };
    decoded.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)).to_owned()
}

/// Returns whether a character takes no space: soft hyphens, joiners, and marks of direction and byte order.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
