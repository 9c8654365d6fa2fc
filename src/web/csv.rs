//! CSV files that people open in a spreadsheet.
//!
//! Invariants: no cell runs as a formula when a spreadsheet opens the file. The parts of a file, joined in order, are one
//! file.

use crate::base::values::begins_formula;

/// The byte order mark, without which Excel does not read UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A CSV file, or a part of one, that is written to memory.
pub struct CsvWriter {
    rows: csv::Writer<Vec<u8>>,
}

impl CsvWriter {
    /// Begins a file with its headers. Its cells are separated by `delimiter`.
    ///
    /// # Errors
    /// None in practice: writing to memory does not fail.
    pub fn begin<C: AsRef<str>>(
        delimiter: u8,
        headers: impl IntoIterator<Item = C>,
    ) -> Result<Self, csv::Error> {
        let mut file = Self::after(delimiter, BYTE_ORDER_MARK);
        file.row(headers)?;
        Ok(file)
    }

    /// Begins a part of a file. Only the first part has the byte order mark and the headers.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn part(headers: &[&str], is_first: bool) -> Result<Self, csv::Error> {
        if is_first { Self::begin(b',', headers) } else { Ok(Self::after(b',', "")) }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) -> Result<(), csv::Error> {
        self.rows.write_record(cells.into_iter().map(|cell| escape_formula(cell.as_ref())))
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn finish(self) -> Result<String, csv::Error> {
        let bytes = self.rows.into_inner().map_err(|error| error.into_error())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Continues a file after its beginning.
    fn after(delimiter: u8, beginning: &str) -> Self {
        let rows = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::CRLF)
            .flexible(true)
            .from_writer(beginning.as_bytes().to_vec());
        Self { rows }
    }
}

/// Adds an apostrophe to a cell that [may run as a formula](begins_formula), so that a spreadsheet reads it as text.
fn escape_formula(cell: &str) -> String {
    let guard = if begins_formula(cell) { "'" } else { "" };
    format!("{guard}{cell}")
}

/// Removes the apostrophe that [`CsvWriter`] adds to a cell.
pub fn unescape_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| begins_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of the characters that matter here.
    fn cells() -> impl Strategy<Value = String> {
        let characters = "=+-@＝＋－＠' \t\r\n\u{a0}\u{ad}\u{61c}\u{200b}\u{200e}\u{202e}\u{2069}\u{feff}a1é";
        let characters: Vec<char> = characters.chars().collect();
        proptest::collection::vec(proptest::sample::select(characters), 0..6).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_escaped_cell_is_a_formula_and_each_is_read_back(cell in cells()) {
            let escaped = escape_formula(&cell);
            prop_assert!(!begins_formula(&escaped), "{escaped:?}");
            prop_assert_eq!(&escape_formula(&escaped), &escaped, "a file that is written again is the same");
            // The apostrophe of a cell that was escaped before is no part of its text.
            prop_assert_eq!(unescape_formula(&escaped), unescape_formula(&cell));
        }
    }

    #[test]
    fn the_parts_of_a_file_have_one_byte_order_mark_and_one_row_of_headers() {
        let headers = ["name", "note"];
        let part = |is_first, row: [&str; 2]| {
            let mut part = CsvWriter::part(&headers, is_first).unwrap();
            part.row(row).unwrap();
            part.finish().unwrap()
        };
        let file = part(true, ["Zoë, Inc.", "=1+1"]) + &part(false, ["Ann", "\"two\"\r\nlines"]);
        let expected = "\u{feff}name,note\r\n\"Zoë, Inc.\",'=1+1\r\nAnn,\"\"\"two\"\"\r\nlines\"\r\n";
        assert_eq!(file, expected);
    }

    #[test]
    fn only_cells_that_may_run_as_a_formula_are_escaped() {
        for cell in [
            "=1",
            "+1",
            "-1",
            "@x",
            "\tx",
            "\rx",
            "\nx",
            "=",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "\u{200b}=1",
            "\u{feff}＝1",
            "\u{202e}+1",
            " =1",
        ] {
            assert_eq!(escape_formula(cell), format!("'{cell}"));
            assert_eq!(unescape_formula(&escape_formula(cell)), cell);
        }
        for cell in ["", "a=1", "1-2", "'", "'tis", "O'Dwyer", "é"] {
            assert_eq!(escape_formula(cell), cell);
            assert_eq!(unescape_formula(cell), cell);
        }
    }
}
