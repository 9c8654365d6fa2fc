//! Tests of reading files: reading in pieces gives the same rows as reading in one go.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::text::{UTF8_BOM, decode};
use super::*;

mod head;
mod quotes;
mod utf16;
mod workbook;

const ALL: Limits = Limits { rows: usize::MAX, bytes: usize::MAX };

fn start() -> Cursor {
    Cursor::default()
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads/", $name))
    };
}

fn dialect(delimiter: u8, columns: usize) -> Dialect {
    Dialect { delimiter, encoding: Encoding::Utf8, bom_len: 0, columns, escape: false }
}

/// Replaces the known headers of a mapping.
fn known(cell: &str) -> bool {
    let folded: String = cell.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let headers = ["name", "firstname", "lastname", "email", "emailaddress", "state", "company", "notes"];
    headers.contains(&folded.as_str())
}

fn detect(file: &[u8]) -> Result<Head, FileError> {
    Head::detect(file, true, &known)
}

fn data_rows(head: &Head, file: &[u8]) -> Vec<Row> {
    let window = &file[head.data.offset as usize..];
    let batch = read_rows(&head.dialect, head.data, window, true, ALL);
    assert!(batch.finished && !batch.stalled);
    batch.rows
}

/// Reads all data rows of a file in one go.
fn rows_of(file: &[u8]) -> (Head, Vec<Row>) {
    let head = detect(file).unwrap();
    let rows = data_rows(&head, file);
    (head, rows)
}

/// Reads as an import does: in windows of the given sizes, in turn. A window is doubled while it stalls. Also
/// returns how many bytes were in all windows together.
fn in_windows(
    dialect: &Dialect,
    start: Cursor,
    file: &[u8],
    sizes: &[usize],
    limits: Limits,
) -> (Vec<Row>, usize) {
    let (mut cursor, mut rows, mut read) = (start, Vec::new(), 0);
    for size in sizes.iter().cycle() {
        let from = cursor.offset as usize;
        let mut size = *size;
        let batch = loop {
            let to = file.len().min(from + size);
            let batch = read_rows(dialect, cursor, &file[from..to], to == file.len(), limits);
            read += to - from;
            assert_eq!(batch.next.offset, cursor.offset + batch.consumed as u64);
            assert_eq!(batch.stalled, batch.consumed == 0 && !batch.finished, "at {cursor:?}");
            assert!(!batch.stalled || to < file.len(), "no progress at {cursor:?}");
            if !batch.stalled {
                break batch;
            }
            size *= 2;
        };
        rows.extend(batch.rows);
        if batch.finished {
            break;
        }
        cursor = batch.next;
    }
    (rows, read)
}

fn texts(rows: &[Row]) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.fields.iter().map(String::as_str).collect()).collect()
}

#[test]
fn every_cell_is_decoded_separately() {
    let file = b"name,city,email\nZo\xeb,Z\xc3\xbcrich,z@example.com\n\xa0Ann \xa0,\xe2\x80\x8b\xc2\xa0,a@example.com\n";
    let (head, rows) = rows_of(file);
    assert_eq!(head.dialect.encoding, Encoding::Windows1252);
    assert_eq!(texts(&rows), [vec!["Zoë", "Zürich", "z@example.com"], vec!["Ann", "", "a@example.com"]]);
    // A head that ends within a character is still UTF-8. A whole file that does is not.
    let cut = b"name,email\nZo\xc3";
    assert_eq!(Head::detect(cut, false, &known).unwrap().dialect.encoding, Encoding::Utf8);
    assert_eq!(detect(cut).unwrap().dialect.encoding, Encoding::Windows1252);
}

#[test]
fn invisible_characters_are_removed_around_a_cell_and_kept_inside() {
    for edge in
        ["\u{200b}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202c}", "\u{202e}", "\u{2060}", "\u{2064}"]
    {
        assert_eq!(decode(format!("{edge} a{edge}b {edge}").as_bytes()), format!("a{edge}b"), "{edge:?}");
    }
    for edge in ["\u{feff}", "\u{ad}", "\u{2066}", "\u{2069}", "\u{a0}", "\t", "\u{3000}"] {
        assert_eq!(decode(format!("{edge}ab{edge}").as_bytes()), "ab", "{edge:?}");
    }
    assert_eq!(decode("👩\u{200d}🔧".as_bytes()), "👩\u{200d}🔧");
    assert_eq!(decode(b"\xadsoft\xad"), "soft");
}

#[test]
fn rows_are_numbered_as_a_spreadsheet_shows_them() {
    let file = b"name,email\r\n\r\n\"A\r\nB\",a@example.com\r\n,\r\n\xef\xbb\xbfC,c@example.com\r\nD";
    let (_, rows) = rows_of(file);
    let places: Vec<_> = rows.iter().map(|row| (row.number, row.line, row.fields[0].as_str())).collect();
    assert_eq!(places, [(3, 3, "A\r\nB"), (5, 6, "C"), (6, 7, "D")]);
    let bytes = |row: &Row| &file[row.span.start as usize..row.span.end as usize];
    assert_eq!(bytes(&rows[0]), b"\"A\r\nB\",a@example.com");
    assert_eq!(bytes(&rows[1]), b"C,c@example.com");
    assert_eq!(bytes(&rows[2]), b"D");
}

#[test]
fn a_cell_of_any_length_is_one_cell_and_none_of_its_lines_is_a_row() {
    for lines in [900, 60_000] {
        let note: String =
            (0..lines).map(|n| format!("On day {n} Kay wrote, as ever, \"\"hm\"\".\r\n")).collect();
        let file = format!(
            "name,email,note\r\nAnn,ann@example.com,\"{note}Cid,cid@example.com\r\nend\"\r\nBob,bob@example.com,ok\r\n"
        );
        let head = Head::detect(&file.as_bytes()[..1000], false, &known).unwrap();
        let (rows, _) = in_windows(&head.dialect, head.data, file.as_bytes(), &[WINDOW_BYTES], ALL);
        let found: Vec<_> = rows.iter().map(|row| (row.number, row.fields[0].as_str(), &row.fault)).collect();
        assert_eq!(found, [(2, "Ann", &None), (3, "Bob", &None)]);
        assert!(rows[0].fields[2].len() > 30 * lines && rows[0].fields[2].ends_with("\r\nend"));
        assert_eq!((rows[0].warning.as_ref(), rows[1].line), (None, lines as u64 + 4));
    }
    let line = "x".repeat(1_000_000);
    let file = format!("{line},a\nB,b\n");
    let (rows, read) = in_windows(&dialect(b',', 2), start(), file.as_bytes(), &[64], ALL);
    assert_eq!((rows[0].fields[0].len(), rows[1].number), (line.len(), 2));
    assert!(read < 5 * file.len(), "{read}");
}

#[test]
fn a_row_with_more_cells_than_columns_or_with_nul_is_rejected() {
    let file = b"A,a,,\nB,b,x,\nC\nD,\0\n";
    let batch = read_rows(&dialect(b',', 2), start(), file, true, ALL);
    let faults: Vec<_> = batch.rows.into_iter().map(|row| row.fault).collect();
    let too_many = RowFault::TooManyCells { found: 3, expected: 2 };
    assert_eq!(faults, [None, Some(too_many), None, Some(RowFault::NulByte)]);
}

#[test]
fn a_step_stops_at_its_limits_and_the_next_one_continues() {
    let file = b"A,a\nB,b\n\nC,c\n";
    let read = |cursor: Cursor, limits| {
        let window = &file[cursor.offset as usize..];
        read_rows(&dialect(b',', 2), cursor, window, true, limits)
    };
    let first = read(start(), Limits { rows: 2, bytes: usize::MAX });
    assert_eq!((first.rows.len(), first.consumed, first.finished), (2, 8, false));
    let second = read(first.next, ALL);
    assert_eq!((second.rows[0].number, second.finished), (4, true));
    assert_eq!(read(start(), Limits { rows: 9, bytes: 5 }).consumed, 8);
    assert_eq!(read(start(), Limits { rows: 0, bytes: 0 }).consumed, 4);
}

#[test]
fn a_row_cut_by_the_window_is_left_for_the_next_call() {
    for (window, consumed) in [
        (&b"A,a\r\nB"[..], 5),
        (b"A,a\r\n", 5),
        (b"A,a\r", 0),
        (b"A,a", 0),
        (b"A,\"a\"", 0),
        (b"A,\"a\"\"", 0),
    ] {
        let batch = read_rows(&dialect(b',', 2), start(), window, false, ALL);
        let found = (batch.consumed, batch.finished, batch.stalled);
        assert_eq!(found, (consumed, false, consumed == 0), "{window:?}");
    }
}

#[test]
fn a_stored_position_of_an_earlier_version_is_read() {
    let stored = r#"{"offset":12,"row":3,"line":4,"skipping":false}"#;
    let cursor: Cursor = serde_json::from_str(stored).unwrap();
    assert_eq!(cursor, Cursor { offset: 12, row: 3, line: 4, marks: Marks::Unknown });
    let stored = r#"{"dialect":{"delimiter":44,"encoding":"utf8","bomLen":0,"columns":1},"headers":["a"],
        "data":{"offset":2,"row":2,"line":2,"skipping":false}}"#;
    let head: Head = serde_json::from_str(stored).unwrap();
    assert!(head.headers_likely && !head.dialect.escape);
    assert_eq!((head.header, head.without_header().headers.len()), (start(), 1));
    let inside = Cursor { marks: Marks::Inside { first: 2, last: 9 }, ..cursor };
    let stored = serde_json::to_string(&inside).unwrap();
    assert_eq!(serde_json::from_str::<Cursor>(&stored).unwrap(), inside);
}

#[test]
fn real_exports_are_read() {
    let (head, rows) = rows_of(fixture!("contacts.csv"));
    assert_eq!((head.headers.len(), rows.len(), rows[35].number), (12, 36, 37));
    assert_eq!(rows[1].fields[2], "Thibodeaux, Landry & Co");
    assert_eq!(rows[8].fields[2], "Fairweather \"Fine\" Paper");

    let (head, rows) = rows_of(fixture!("contacts-semicolon-windows-1252.csv"));
    assert_eq!(head.dialect.encoding, Encoding::Windows1252);
    assert_eq!((rows.len(), rows[2].fields[0].as_str()), (12, "Carmen Villaseñor"));
    assert_eq!(rows[2].fields[5], "Called twice;\r\nprefers mail");

    let (head, rows) = rows_of(fixture!("contacts-tab-bom.csv"));
    assert_eq!(head.headers, ["E-Mail", "surname", "Given Name", "ST"]);
    assert_eq!((rows.len(), rows[6].fields[1].as_str()), (12, "Østergaard"));

    let (_, rows) = rows_of(fixture!("contacts-with-mistakes.csv"));
    let faults: Vec<_> = rows.iter().filter_map(|row| Some((row.number, row.fault.clone()?))).collect();
    let too_many = RowFault::TooManyCells { found: 13, expected: 12 };
    assert_eq!(faults, [(5, RowFault::OpenQuote), (8, too_many)]);
}

fn delimiters() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![b',', b';', b'\t', b'|'])
}

/// Writes a table as the `csv` crate does, and returns the rows that should be read.
fn written(
    table: &[Vec<String>],
    delimiter: u8,
    crlf: bool,
    quote_all: bool,
) -> (Vec<u8>, Vec<(u64, Vec<String>)>) {
    let ending = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let style = if quote_all { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(ending)
        .quote_style(style)
        .flexible(true)
        .from_writer(Vec::new());
    for cells in table {
        writer.write_record(cells).unwrap();
    }
    let rows = (1_u64..).zip(table).map(|(number, cells)| {
        (number, cells.iter().map(|cell| decode(cell.as_bytes())).collect::<Vec<_>>())
    });
    let rows = rows.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    (writer.into_inner().unwrap(), rows.collect())
}

fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    prop::collection::vec(prop::collection::vec("[^\0]{0,12}|[a\"\n\r,; é]{0,6}", 1..5), 0..12)
}

proptest! {
    // A failure prints its input, so a regression file is not needed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_table_is_read_back_in_windows_of_any_size(
        table in tables(),
        delimiter in delimiters(),
        crlf: bool,
        quote_all: bool,
        utf16: bool,
        sizes in prop::collection::vec(1_usize..60, 1..5),
        per_step in 1_usize..6,
    ) {
        let (file, expected) = written(&table, delimiter, crlf, quote_all);
        let mut dialect = dialect(delimiter, 5);
        let mut bytes = file;
        if utf16 {
            dialect.encoding = Encoding::Utf16Le;
            bytes = String::from_utf8(bytes).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        let limits = Limits { rows: per_step, bytes: usize::MAX };
        let (rows, _) = in_windows(&dialect, start(), &bytes, &sizes, limits);
        let found: Vec<_> = rows.iter().map(|row| (row.number, row.fields.clone())).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(rows.iter().all(|row| row.fault.is_none()));
    }

    #[test]
    fn windows_give_the_same_rows_as_one_read(
        pieces in prop::collection::vec(prop::sample::select(vec![
            &b"a"[..], b"bcd", b",", b"\"", b"\"\"", b"\n", b"\r", b"\r\n", b" ", b"\t", b"\0", b"\\", b"\\\"",
            b"\xe9", b"\xc3\xa9", UTF8_BOM, b"x\"y,\"z\n", b"n,\"say \"yes\" ok\n", b" bye\"\n",
        ]), 0..80),
        encoding in prop::sample::select(vec![Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be]),
        escape: bool,
        sizes in prop::collection::vec(1_usize..60, 1..5),
        per_step in 1_usize..6,
    ) {
        let file = pieces.concat();
        let dialect = Dialect { encoding, escape, ..dialect(b',', 3) };
        let whole = read_rows(&dialect, start(), &file, true, ALL);
        prop_assert!(whole.finished);
        let limits = Limits { rows: per_step, bytes: usize::MAX };
        prop_assert_eq!(&in_windows(&dialect, start(), &file, &sizes, limits).0, &whole.rows);
        let mut end = 0;
        for row in whole.rows {
            prop_assert!(row.span.start >= end && row.span.end <= file.len() as u64);
            end = row.span.end;
            // A row can be read again from its own position.
            let window = &file[row.span.start as usize..];
            let one = Limits { rows: 1, bytes: usize::MAX };
            let again = read_rows(&dialect, row.cursor(), window, true, one);
            prop_assert_eq!(again.rows, [row]);
        }
    }
}
