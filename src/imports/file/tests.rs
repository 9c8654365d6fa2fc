//! Tests of reading files: reading in pieces gives the same rows as reading in one go.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

const ALL: Limits = Limits { rows: usize::MAX, bytes: usize::MAX };
const START: Cursor = Cursor { offset: 0, row: 1, line: 1, skipping: false };

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/leads/", $name))
    };
}

fn dialect(delimiter: u8, columns: usize) -> Dialect {
    Dialect { delimiter, encoding: Encoding::Utf8, bom_len: 0, columns }
}

/// Reads all data rows of a file in one go.
fn rows_of(file: &[u8]) -> (Head, Vec<Row>) {
    let head = Head::detect(file, true).unwrap();
    let window = &file[head.data.offset as usize..];
    let batch = read_rows(&head.dialect, head.data, window, true, ALL);
    assert!(batch.finished);
    (head, batch.rows)
}

/// Reads as an import does: in windows of the given sizes, in turn. A window grows only while it gives
/// nothing.
fn in_windows(row_bytes: usize, dialect: &Dialect, file: &[u8], sizes: &[usize], limits: Limits) -> Vec<Row> {
    let (mut cursor, mut rows, mut grown) = (START, Vec::new(), 0);
    for size in sizes.iter().cycle() {
        let from = cursor.offset as usize;
        let to = file.len().min(from + size + grown);
        let at_end = to == file.len();
        let window = &file[from..to];
        let batch = read_rows_up_to(row_bytes, dialect, cursor, window, at_end, limits);
        assert_eq!(batch.next.offset, cursor.offset + batch.consumed as u64);
        let suffices = at_end || window.len() >= row_bytes + PAST_ROW;
        assert!(batch.consumed > 0 || window.is_empty() || !suffices, "no progress at {cursor:?}");
        grown = if batch.consumed == 0 { grown + 1 } else { 0 };
        rows.extend(batch.rows);
        if batch.finished {
            break;
        }
        cursor = batch.next;
    }
    rows
}

fn texts(rows: &[Row]) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.fields.iter().map(String::as_str).collect()).collect()
}

#[test]
fn the_dialect_is_detected_from_the_header_line() {
    let cases: [(&[u8], u8, usize, &[&str]); 9] = [
        (b"name,email\nA,a@example.com\n", b',', 0, &["name", "email"]),
        (b"name;email\r\nA;a@example.com\r\n", b';', 0, &["name", "email"]),
        (b"name\temail\rA\ta@example.com\r", b'\t', 0, &["name", "email"]),
        (b"name|email\nA|a@example.com", b'|', 0, &["name", "email"]),
        (b"\xef\xbb\xbfname;email\nA;a@example.com", b';', 3, &["name", "email"]),
        (b"\"a,b,c\";email\nA;a@example.com", b';', 0, &["a,b,c", "email"]),
        (b"\"first\nname\",email\nA;;;,a@example.com", b',', 0, &["first\nname", "email"]),
        (b"email\na;b;c@example.com", b',', 0, &["email"]),
        (b"\n\r\n name ,\xa0email\xa0,\nA,b,\n", b',', 0, &["name", "email", ""]),
    ];
    for (file, delimiter, bom_len, headers) in cases {
        let head = Head::detect(file, true).unwrap();
        assert_eq!((head.dialect.delimiter, head.dialect.bom_len), (delimiter, bom_len), "{head:?}");
        assert_eq!(head.headers, headers);
        assert_eq!(head.dialect.columns, headers.len());
    }
}

#[test]
fn a_file_that_cannot_be_imported_is_rejected_with_a_message() {
    let cases: [(&[u8], FileError, &str); 10] = [
        (b"", FileError::Empty, "empty"),
        (b"\xef\xbb\xbf\r\n ,\t\n\n", FileError::Empty, "empty"),
        (b"name,email\r\n", FileError::HeaderOnly, "no rows"),
        (b"name,email\n\n,\n", FileError::HeaderOnly, "no rows"),
        (b"\xff\xfen\0a\0", FileError::Utf16, "Save it as “CSV UTF-8”"),
        (b"\xfe\xff\0n\0a", FileError::Utf16, "Save it as “CSV UTF-8”"),
        (b"PK\x03\x04\x14\0", FileError::Workbook, "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", FileError::Workbook, "workbook"),
        (b"na\0me,email\n", FileError::NotText { at: 3 }, "byte 3"),
        (
            b"\nname,\"email\nA,a@example.com\n",
            FileError::Header { line: 2, fault: RowFault::OpenQuote },
            "line 2",
        ),
    ];
    for (file, error, words) in cases {
        assert_eq!(Head::detect(file, true), Err(error.clone()), "{file:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let endless = [b'a'; HEAD_BYTES];
    let too_long = FileError::Header { line: 1, fault: RowFault::TooLong };
    assert_eq!(Head::detect(&endless, false), Err(too_long));
}

#[test]
fn every_cell_is_decoded_separately() {
    let file = b"name,city,email\nZo\xeb,Z\xc3\xbcrich,z@example.com\n\xa0Ann \xa0,\xe2\x80\x8b\xc2\xa0,a@example.com\n";
    let (head, rows) = rows_of(file);
    assert_eq!(head.dialect.encoding, Encoding::Windows1252);
    assert_eq!(texts(&rows), [vec!["Zoë", "Zürich", "z@example.com"], vec!["Ann", "", "a@example.com"]]);
    // A head that ends within a character is still UTF-8. A whole file that does is not.
    let cut = b"name,email\nZo\xc3";
    assert_eq!(Head::detect(cut, false).unwrap().dialect.encoding, Encoding::Utf8);
    assert_eq!(Head::detect(cut, true).unwrap().dialect.encoding, Encoding::Windows1252);
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
fn an_open_quotation_mark_rejects_only_its_own_line() {
    type ExpectedRow<'a> = (u64, &'a str, bool);
    let cases: [(&[u8], &[ExpectedRow<'_>]); 5] = [
        // Nothing closes it.
        (b"n,e\nA,\"a\nB,b\nC,c\n", &[(2, "A", true), (3, "B", false), (4, "C", false)]),
        // The opening quotation mark of a later row would close it.
        (
            b"n,e\nA,\"a\nB,b\nC,\"c\"\nD,d\n",
            &[(2, "A", true), (3, "B", false), (4, "C", false), (5, "D", false)],
        ),
        (b"n,e\nA,\"a", &[(2, "A", true)]),
        // These are valid: quoted cells of several lines, also with spaces after them, and stray marks inside
        // a line.
        (b"n,e\nA,\"a\nb\" \nB,b\n", &[(2, "A", false), (3, "B", false)]),
        (b"n,e\n\"A\" x,5\" pipe\nB,b\n", &[(2, "A x", false), (3, "B", false)]),
    ];
    for (file, expected) in cases {
        let (_, rows) = rows_of(file);
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.number, row.fields[0].as_str(), row.fault == Some(RowFault::OpenQuote)))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_row_over_64_kib_is_rejected_and_the_next_line_is_read() {
    let at_limit = format!("A,{}", "x".repeat(MAX_ROW_BYTES - 2));
    let over = format!("B,{}", "é".repeat(MAX_ROW_BYTES));
    let file = format!("n,e\n{at_limit}\r\n{over}\r\n\"C\n{at_limit}\nD,d\n");
    let read = |sizes: &[usize]| in_windows(MAX_ROW_BYTES, &dialect(b',', 2), file.as_bytes(), sizes, ALL);
    let rows = read(&[usize::MAX / 4]);
    let found: Vec<_> = rows.iter().map(|row| (row.number, row.line, row.fault.clone())).collect();
    let expected = [
        (1, 1, None),
        (2, 2, None),
        (3, 3, Some(RowFault::TooLong)),
        (4, 4, Some(RowFault::TooLong)),
        (5, 5, None),
        (6, 6, None),
    ];
    assert_eq!(found, expected);
    assert_eq!(rows[2].fields[1].len(), FAULT_BYTES - 2);
    assert!(rows[2].fields[1].chars().all(|c| c == 'é'));
    assert_eq!(rows[3].fields, ["C"]);
    assert_eq!(read(&[MIN_WINDOW_BYTES]), rows);
    assert_eq!(read(&[1000, 70_000]), rows);
}

#[test]
fn a_row_with_more_cells_than_columns_or_with_nul_is_rejected() {
    let file = b"A,a,,\nB,b,x,\nC\nD,\0\n";
    let batch = read_rows(&dialect(b',', 2), START, file, true, ALL);
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
    let first = read(START, Limits { rows: 2, bytes: usize::MAX });
    assert_eq!((first.rows.len(), first.consumed, first.finished), (2, 8, false));
    let second = read(first.next, ALL);
    assert_eq!((second.rows[0].number, second.finished), (4, true));
    assert_eq!(read(START, Limits { rows: 9, bytes: 5 }).consumed, 8);
    assert_eq!(read(START, Limits { rows: 0, bytes: 0 }).consumed, 4);
}

#[test]
fn a_row_cut_by_the_window_is_left_for_the_next_call() {
    for (window, consumed) in [(&b"A,a\r\nB"[..], 5), (b"A,a\r\n", 5), (b"A,a\r", 0), (b"A,a", 0)] {
        let batch = read_rows(&dialect(b',', 2), START, window, false, ALL);
        assert_eq!((batch.consumed, batch.finished), (consumed, false), "{window:?}");
    }
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

proptest! {
    // A failure prints its input, so a regression file is not needed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_table_is_read_back_in_windows_of_any_size(
        table in prop::collection::vec(prop::collection::vec("[^\0]{0,12}|[a\"\n\r,; é]{0,6}", 1..5), 0..12),
        delimiter in delimiters(),
        crlf: bool,
        quote_all: bool,
        sizes in prop::collection::vec(1_usize..60, 1..5),
        per_step in 1_usize..6,
    ) {
        let ending = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let style = if quote_all { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter).terminator(ending).quote_style(style).flexible(true)
            .from_writer(Vec::new());
        for cells in &table {
            writer.write_record(cells).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let limits = Limits { rows: per_step, bytes: usize::MAX };
        let rows = in_windows(MAX_ROW_BYTES, &dialect(delimiter, 5), &file, &sizes, limits);
        let expected: Vec<_> = (1_u64..).zip(&table)
            .map(|(number, cells)| (number, cells.iter().map(|cell| decode(cell.as_bytes())).collect::<Vec<_>>()))
            .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
            .collect();
        let found: Vec<_> = rows.iter().map(|row| (row.number, row.fields.clone())).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(rows.iter().all(|row| row.fault.is_none()));
    }

    #[test]
    fn windows_give_the_same_rows_as_one_read(
        pieces in prop::collection::vec(prop::sample::select(vec![
            &b"a"[..], b"bcd", b",", b"\"", b"\"\"", b"\n", b"\r", b"\r\n", b" ", b"\t", b"\0",
            b"\xe9", b"\xc3\xa9", UTF8_BOM, b"x\"y,\"z\n",
        ]), 0..80),
        row_bytes in 1_usize..40,
        sizes in prop::collection::vec(1_usize..60, 1..5),
        per_step in 1_usize..6,
    ) {
        let file = pieces.concat();
        let dialect = dialect(b',', 3);
        let whole = read_rows_up_to(row_bytes, &dialect, START, &file, true, ALL);
        prop_assert!(whole.finished);
        let limits = Limits { rows: per_step, bytes: usize::MAX };
        prop_assert_eq!(&in_windows(row_bytes, &dialect, &file, &sizes, limits), &whole.rows);
        let mut end = 0;
        for row in whole.rows {
            prop_assert!(row.span.start >= end && row.span.end <= file.len() as u64);
            end = row.span.end;
            // A row can be read again from its own position.
            let window = &file[row.span.start as usize..];
            let one = Limits { rows: 1, bytes: usize::MAX };
            let again = read_rows_up_to(row_bytes, &dialect, row.cursor(), window, true, one);
            prop_assert_eq!(again.rows, [row]);
        }
    }
}
