//! Tests of the format and the header.

use super::*;

#[test]
fn the_dialect_is_detected_from_the_first_rows() {
    let cases: [(&[u8], u8, usize, &[&str]); 12] = [
        (b"name,email\nA,a@example.com\n", b',', 0, &["name", "email"]),
        (b"name;email\r\nA;a@example.com\r\n", b';', 0, &["name", "email"]),
        (b"name\temail\rA\ta@example.com\r", b'\t', 0, &["name", "email"]),
        (b"name|email\nA|a@example.com", b'|', 0, &["name", "email"]),
        (b"\xef\xbb\xbfname;email\nA;a@example.com", b';', 3, &["name", "email"]),
        (b"\"a,b,c\";email\nA;a@example.com", b';', 0, &["a,b,c", "email"]),
        (b"\"first\nname\",email\nA;;;,a@example.com", b',', 0, &["first\nname", "email"]),
        (b"email\na;b;c@example.com", b',', 0, &["email"]),
        (b"\n\r\n name ,\xa0email\xa0,\nA,b,\n", b',', 0, &["name", "email", ""]),
        // The header has another separator, as often as its own and more often.
        (b"Name (last, first);E-Mail\nLind Zoe;zoe@example.com\n", b';', 0, &["Name (last, first)", "E-Mail"]),
        (
            b"Name (last, first, title)|E-Mail\nLind, Zoe, Dr|zoe@example.com\nPark, Kim, Dr|kim@example.com\n",
            b'|',
            0,
            &["Name (last, first, title)", "E-Mail"],
        ),
        (b"Wer;Wo;Wert\nA;B;1,5\nC;D;2,5\n", b';', 0, &["Wer", "Wo", "Wert"]),
    ];
    for (file, delimiter, bom_len, headers) in cases {
        let head = detect(file).unwrap();
        assert_eq!((head.dialect.delimiter, head.dialect.bom_len), (delimiter, bom_len), "{head:?}");
        assert_eq!(head.headers, headers);
        assert_eq!(head.dialect.columns, headers.len());
        assert!(head.headers_likely);
    }
}

#[test]
fn a_file_that_cannot_be_imported_is_rejected_with_a_message() {
    let open = FileError::Header { line: 2, fault: RowFault::OpenQuote };
    let cases: [(&[u8], FileError, &str); 11] = [
        (b"", FileError::Empty, "empty"),
        (b"\xff\xfe", FileError::Empty, "empty"),
        (b"sep=;\r\n", FileError::Empty, "empty"),
        (b"\xef\xbb\xbf\r\n ,\t\n\n", FileError::Empty, "empty"),
        (b"name,email\r\n", FileError::HeaderOnly, "no rows"),
        (b"name,email\n\n,\n", FileError::HeaderOnly, "no rows"),
        (b"PK\x03\x04\x14\0", FileError::Workbook, "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", FileError::Workbook, "workbook"),
        (b"na\0me,email\n", FileError::NotText { at: 3 }, "byte 3"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", FileError::NotText { at: 9 }, "isn't plain text"),
        (b"\nname,\"email\nA,a@example.com\n", open, "line 2"),
    ];
    for (file, error, words) in cases {
        assert_eq!(detect(file), Err(error.clone()), "{file:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let endless = [b'a'; 5000];
    assert_eq!(Head::detect(&endless, false, &known), Err(FileError::EndlessHeader { line: 1 }));
    let unclosed = b"\nname,\"email\nA,a@example.com\n".repeat(20);
    assert_eq!(Head::detect(&unclosed[..200], false, &known), Err(FileError::EndlessHeader { line: 2 }));
}

#[test]
fn a_first_line_with_the_separator_is_no_row() {
    let body = "Name;E-Mail\r\nLind, Zoe;zoe@example.com\r\n";
    for line in ["sep=;", "SEP=;", "\"sep=;\"", "Sep=;;;", "sep=; ", "\u{feff}sep=;"] {
        let (head, rows) = rows_of(format!("{line}\r\n{body}").as_bytes());
        assert_eq!(head.headers, ["Name", "E-Mail"], "{line}");
        let first = (rows[0].number, rows[0].line, rows[0].fields[0].as_str());
        assert_eq!(first, (2, 3, "Lind, Zoe"), "{line}");
    }
    for (line, delimiter) in [("sep=,", b','), ("sep=\t", b'\t'), ("sep=\\t", b'\t'), ("sep=|", b'|')] {
        let body = body.replace(',', "").replace(';', &char::from(delimiter).to_string());
        let head = detect(format!("{line}\n{body}").as_bytes()).unwrap();
        assert_eq!((head.dialect.delimiter, head.headers.len()), (delimiter, 2), "{line:?}");
    }
    // The line is right even if the rows look otherwise.
    assert_eq!(detect(b"sep=|\nname,email\nA,a@example.com\n").unwrap().headers, ["name,email"]);
    // These lines are something else.
    for line in ["sep=", "separator", "sep=;x", "sep"] {
        assert_eq!(detect(format!("{line}\n{body}").as_bytes()).unwrap().data.row, 3, "{line}");
    }
}

#[test]
fn lines_above_the_header_are_skipped_and_counted() {
    let header = "First Name,Last Name,Email Address,Position\nZoe,Lind,zoe@example.com,CEO\n";
    let cases = [
        ("", 2),
        ("Notes:\n\"Some addresses may be missing, because people hide them.\"\n\n", 5),
        ("Contacts\n", 3),
        ("Export of 2026-03-01,,,\n,,,\nName: Zoe\n\n", 6),
        ("Made by,kim@example.com\n\n", 4),
        ("Made by,Kim,on,Monday\n", 3),
    ];
    for (above, row) in cases {
        let (head, rows) = rows_of(format!("{above}{header}").as_bytes());
        assert_eq!(head.headers, ["First Name", "Last Name", "Email Address", "Position"], "{above}");
        assert_eq!((rows.len(), rows[0].number, head.headers_likely), (1, row, true), "{above}");
    }
    // Also if no header is known.
    let (head, rows) =
        rows_of(b"Meine Liste\n\nWer,Wo,Was\nZoe,Rom,zoe@example.com\nKim,Ulm,kim@example.com\n");
    assert_eq!((&*head.headers[0], rows.len()), ("Wer", 2));
}

#[test]
fn a_data_row_is_never_taken_for_the_header() {
    let cases: [(&[u8], &str, usize); 4] = [
        // A cell below the header is a known header.
        (b"who,where,mail\nState,Ohio,s@example.com\nName,Company,n@example.com\n", "who", 2),
        // The header is shorter than the rows.
        (b"Name\nZoe,zoe@example.com\nKim,kim@example.com\n", "Name", 2),
        // Rows of joined files.
        (b"name,email\nZoe,zoe@example.com\nname,email\nKim,kim@example.com\n", "name", 3),
        (b"a,b,c\n1,,\n2,3,4\n", "a", 2),
    ];
    for (file, first, rows) in cases {
        let (head, found) = rows_of(file);
        assert_eq!((&*head.headers[0], found.len()), (first, rows), "{head:?}");
    }
}

#[test]
fn a_file_without_header_is_recognized_and_its_first_row_is_data() {
    let cases: [(&[u8], bool); 9] = [
        (b"Zoe Lind,zoe@example.com,CA\nKim Park,kim@example.com,NY\n", false),
        (b"Zoe Lind,zoe@example.com,CA\n", false),
        (b"Zoe Lind,,555-0100\nKim Park,kim@example.com,\n", false),
        (b"Zoe Lind,,CA\nKim Park,kim@example.com,NY\n", false),
        (b"0,1,2\nKim,kim@example.com,NY\n", false),
        (b"zoe@example.com\nkim@example.com\n", false),
        (b"who,where,reach\nKim,NY,kim@example.com\n", true),
        (b"Name,2024\nKim,9\n", true),
        (b"a,b\nc,d\n", true),
    ];
    for (file, likely) in cases {
        let head = detect(file).unwrap();
        assert_eq!(head.headers_likely, likely, "{head:?}");
        let bare = head.without_header();
        let rows = data_rows(&bare, file);
        assert_eq!((bare.dialect.columns, &*bare.headers[0]), (head.headers.len(), "Column 1"));
        assert_eq!((rows[0].number, &rows[0].fields), (1, &head.headers));
        assert_eq!(rows.len(), data_rows(&head, file).len() + 1);
        assert_eq!(bare.without_header(), bare);
    }
    let wider = detect(b"Zoe,zoe@example.com\nKim,kim@example.com,NY\n").unwrap().without_header();
    assert_eq!(wider.headers, ["Column 1", "Column 2", "Column 3"]);
}
