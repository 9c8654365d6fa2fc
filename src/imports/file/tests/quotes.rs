//! Tests of quotation marks that are open, not doubled or escaped.

use super::*;

/// What should become of a row: its number, its first cell, and its fault or warning in short.
type Expected<'a> = (u64, &'a str, &'static str);

/// The outcome of each row.
fn found(file: &str) -> Vec<(u64, String, &'static str)> {
    let (head, rows) = rows_of(file.as_bytes());
    for size in [1, 10, 100] {
        assert_eq!(
            in_windows(&head.dialect, head.data, file.as_bytes(), &[size], ALL).0,
            rows,
            "{size}: {file}"
        );
    }
    let kind = |row: &Row| match (&row.fault, &row.warning) {
        (Some(RowFault::OpenQuote), _) => "open",
        (Some(RowFault::UndoubledQuote { .. }), _) => "undoubled",
        (Some(RowFault::InNote { .. }), _) => "in note",
        (Some(_), _) => "other",
        (None, Some(RowWarning::UndoubledQuote { .. })) => "warned",
        (None, Some(RowWarning::RowsInCell { .. })) => "rows inside",
        (None, None) => "",
    };
    rows.iter().map(|row| (row.number, row.fields[0].clone(), kind(row))).collect()
}

fn expected(rows: &[Expected<'_>]) -> Vec<(u64, String, &'static str)> {
    rows.iter().map(|(number, name, kind)| (*number, (*name).to_owned(), *kind)).collect()
}

#[test]
fn an_open_quotation_mark_rejects_only_its_own_line() {
    let cases: [(&str, &[Expected<'_>]); 6] = [
        // Nothing closes it.
        ("n,e\nA,\"a\nB,b\nC,c\n", &[(2, "A", "open"), (3, "B", ""), (4, "C", "")]),
        // The opening quotation mark of a later row would close it.
        ("n,e\nA,\"a\nB,b\nC,\"c\"\nD,d\n", &[(2, "A", "open"), (3, "B", ""), (4, "C", ""), (5, "D", "")]),
        ("n,e\nA,\"a", &[(2, "A", "open")]),
        ("n,e\nA,\"a\nB,\"b\nC,\"c\n", &[(2, "A", "open"), (3, "B", "open"), (4, "C", "open")]),
        // The cells of several lines before it belong to its row.
        ("n,e,f\n\"A\nx\",a,\"b\nC,c\n", &[(2, "A\nx", "open"), (3, "C", "")]),
        // These are valid: quoted cells of several lines, also with spaces after them.
        ("n,e\nA,\"a\nb\" \nB,b\n", &[(2, "A", ""), (3, "B", "")]),
    ];
    for (file, rows) in cases {
        assert_eq!(found(file), expected(rows), "{file}");
    }
}

#[test]
fn an_undoubled_mark_in_one_line_is_kept_and_reported() {
    let cases = [
        ("\"A\" x,5\" pipe", "\"A\" x", "warned"),
        ("\"Zoe \"Zo\" Lind\",a", "Zoe \"Zo\" Lind", "warned"),
        ("\"Lind \"Roofing, Inc\" Co\",a", "Lind \"Roofing, Inc\" Co", "warned"),
        ("\"27\" monitor\",a", "27\" monitor", "warned"),
        ("\"The Rock\" Johnson,\"a\"", "\"The Rock\" Johnson", "warned"),
        ("Zoe \"Zo\" Lind,a", "Zoe \"Zo\" Lind", ""),
        ("27\" monitor,a", "27\" monitor", ""),
        ("\"a\"b,c,d\"", "a\"b,c,d", "warned"),
        ("\"a\"b,c,d", "\"a\"b", "undoubled"),
    ];
    for (row, name, kind) in cases {
        let file = format!("n,e\n{row}\nB,b\n");
        assert_eq!(found(&file), expected(&[(2, name, kind), (3, "B", "")]), "{row}");
    }
    let (_, rows) = rows_of(b"n,e\n\"x\ny\",\"A \"B\" C\"\n");
    let warning = rows[0].warning.clone().unwrap();
    assert_eq!(warning, RowWarning::UndoubledQuote { line: 3 });
    assert!(warning.to_string().contains("isn't doubled (line 3)"));
}

#[test]
fn no_line_of_a_note_with_undoubled_marks_becomes_a_row_without_fault() {
    // The first line of the note, and its last one.
    let notes = [
        ("\"She said \"yes, please\" on the phone", "and left\""),
        ("\"She said \"yes\"", "and left\""),
        ("\"She said \"yes", "please\" and left\""),
        ("\"She said \"yes\" and \"no\", so", "she left\""),
        ("\"She said: \"call me\", then", "left\""),
        ("\"She said", "\"yes\" and left\""),
        ("\"She said", "\"yes\" and left\nfor good\""),
        ("\"She said on", "the phone: \"yes\" and left\""),
        ("\"She said \"yes\"", "\""),
        ("\"She said \"yes\"", "and, well,\""),
        ("\"She said \"yes\"", "and \"bye\"\""),
        ("\"She said \"yes\"", "and \"bye\",left\""),
        ("\"She said \"yes\"", "\"bye\" was all\""),
        ("\"She said \"yes\"", "and left\" "),
        ("\"\"\"Yes\"\" she said, \"maybe", "not\" and left\""),
        ("\"«She said \"yes\"»", "and left.\""),
    ];
    for (first, last) in notes {
        let file = format!(
            "n,e,x\nAnn,ann@example.com,{first}\nDana,dana@example.com,ok\n\nDan,dan@example.com\n{last}\nBob,bob@example.com,\"ok\"\n"
        );
        let rows = found(&file);
        let kinds: Vec<_> = rows.iter().map(|(_, name, kind)| (name.as_str(), *kind)).collect();
        assert!(matches!(kinds[0], ("Ann", "undoubled" | "open")), "{kinds:?}");
        assert_eq!(kinds[1..3], [("Dana", "in note"), ("Dan", "in note")], "{file}");
        assert_eq!(kinds.last(), Some(&("Bob", "")), "{file}");
        assert!(kinds[3..kinds.len() - 1].iter().all(|(_, kind)| *kind == "in note"), "{kinds:?}");
    }
}

#[test]
fn a_fault_of_marks_names_the_line() {
    let file = b"n,e\nAnn,\"She\nsaid \"yes\" and\nDana,d\nleft\"\nBob,b\n";
    let (_, rows) = rows_of(file);
    let faults: Vec<_> = rows.iter().map(|row| (row.line, row.fault.clone())).collect();
    let fault = RowFault::InNote { first: 2, last: 5 };
    assert!(fault.to_string().contains("(line 2)"));
    let inside = Some(fault);
    let undoubled = Some(RowFault::UndoubledQuote { line: 3 });
    let rows = [(2, undoubled), (3, inside.clone()), (4, inside.clone()), (5, inside), (6, None)];
    assert_eq!(faults, rows);
}

#[test]
fn rows_between_two_open_marks_are_read() {
    let people: String = (0..300).map(|n| format!("P{n},\"p{n}\"\n")).collect();
    let file = format!("n,e\nA,\"a\n{people}B,\"b\n{people}C,\"The 5\" pipe\n");
    let faults: Vec<_> = found(&file).into_iter().filter(|(_, _, kind)| !kind.is_empty()).collect();
    assert_eq!(faults, expected(&[(2, "A", "open"), (303, "B", "open"), (604, "C", "warned")]));
}

#[test]
fn lines_in_a_cell_that_look_like_rows_are_reported() {
    let cell = |lines: &str| format!("n,e\nA,\"a\n{lines}Z,z\"\nB,b\n");
    for (lines, kind) in [
        ("X,x@example.com\n", "rows inside"),
        ("X,x@example.com\n\nY,y@example.com\n", "rows inside"),
        ("X,x@example.com\nas she wrote, and then, left\n", ""),
        ("x@example.com\n", ""),
        ("", ""),
    ] {
        assert_eq!(found(&cell(lines)), expected(&[(2, "A", kind), (3, "B", "")]), "{lines}");
    }
    let (_, rows) = rows_of(cell("X,x@example.com\n").as_bytes());
    assert_eq!(rows[0].warning, Some(RowWarning::RowsInCell { first: 2, last: 4 }));
}

#[test]
fn backslashes_escape_marks_only_in_files_that_use_them() {
    let (head, rows) =
        rows_of(b"n,e\n\"Zoe \\\"Zo\\\", Lind\",\"a\\\\\"\nKim,\"say \\\"\nhi\\\", ok\"\nC:\\x,\"\"\n");
    assert!(head.dialect.escape);
    assert_eq!(
        texts(&rows),
        [vec!["Zoe \"Zo\", Lind", "a\\"], vec!["Kim", "say \"\nhi\", ok"], vec!["C:\\x", ""]]
    );
    assert!(rows.iter().all(|row| row.fault.is_none() && row.warning.is_none()));
    let others: [&[u8]; 4] = [
        b"n,e\n\"C:\\dir\\\",a\nB,b\n",
        b"n,e\n\"Zoe \"\"Zo\"\" Lind\",a\n\"x\\\"\"y\",b\n",
        b"n,e\nZoe \\\"Zo\\\",a\n",
        b"n,e\n\"C:\\a\\\",\"D:\\b\\\"\n\"E:\\\",\"\"\n",
    ];
    for file in others {
        let (head, rows) = rows_of(file);
        assert!(!head.dialect.escape && rows.iter().all(|row| row.fault.is_none()), "{rows:?}");
    }
}

#[test]
fn open_marks_cost_time_and_windows_in_proportion_to_the_file() {
    let (header, end) = ("n,e\n", "and left\"\n");
    let plain = "Zoe Lind,zoe@example.com\n".repeat(2_000);
    let files = [
        // Nothing closes the mark of the first row, or of any row.
        format!("{header}A,\"a\n{}", plain.repeat(10)),
        format!("{header}{}", "A,\"open\n".repeat(40_000)),
        format!("{header}{}", format!("A,\"open\n{plain}").repeat(10)),
        // Every row could be a part of a note that ends with the file.
        format!("{header}{}{end}", "A,\"say \"yes\n".repeat(40_000)),
        format!("{header}{}", format!("A,\"say \"yes\n{plain}{end}").repeat(10)),
        // Doubled marks never close a cell.
        format!("{header}A,\"a\n{}", "B,\"\"\n".repeat(40_000)),
    ];
    for file in files {
        let limits = Limits { rows: 200, bytes: usize::MAX };
        let (rows, read) = in_windows(&dialect(b',', 2), start(), file.as_bytes(), &[WINDOW_BYTES], limits);
        assert!(rows[1].fault.is_some() && rows.len() as u64 == rows.last().unwrap().number);
        let steps = WINDOW_BYTES * (rows.len() / 200 + 1);
        assert!(read < 8 * file.len() + 2 * steps, "{read} of {}", file.len());
    }
}
