//! Tests of files in UTF-16.

use super::*;

fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
    let unit = if encoding == Encoding::Utf16Be { u16::to_be_bytes } else { u16::to_le_bytes };
    text.encode_utf16().flat_map(unit).collect()
}

const TEXT: &str = "id\tfull_name\temail\tstate\r\n\
    l:1\tZoë 🦀 Lind\tzoe@example.com\tCA\r\n\r\n\
    l:2\t\"Kim\r\nPark\"\tkim@example.com\tNY\r\n\
    l:3\t王芳\twang@example.com\tTX";

#[test]
fn utf16_is_read_both_ways_with_and_without_mark_in_windows_of_any_size() {
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        for mark in ["\u{feff}", ""] {
            let file = encoded(&format!("{mark}{TEXT}"), encoding);
            let (head, rows) = rows_of(&file);
            assert_eq!((head.dialect.encoding, head.dialect.delimiter), (encoding, b'\t'));
            assert_eq!(
                (head.dialect.bom_len, head.dialect.encoding.label()),
                (2 * mark.chars().count(), "UTF-16")
            );
            assert_eq!(head.headers, ["id", "full_name", "email", "state"]);
            let found: Vec<_> = rows.iter().map(|row| (row.number, row.line, &*row.fields[1])).collect();
            assert_eq!(found, [(2, 2, "Zoë 🦀 Lind"), (4, 4, "Kim\r\nPark"), (5, 6, "王芳")]);
            let last = &file[rows[2].span.start as usize..rows[2].span.end as usize];
            assert_eq!(last, encoded("l:3\t王芳\twang@example.com\tTX", encoding));
            for size in [1, 2, 3, 7, 50, 1000] {
                assert_eq!(in_windows(&head.dialect, head.data, &file, &[size], ALL).0, rows, "{size}");
            }
        }
    }
}

#[test]
fn utf16_without_mark_needs_zero_bytes_in_one_place_and_a_separator() {
    let chinese = encoded("姓名,邮箱\n王芳,wang@example.com\n", Encoding::Utf16Le);
    assert_eq!(detect(&chinese).unwrap().headers, ["姓名", "邮箱"]);
    for file in [&b"na\0me,email\nA,a@example.com\n"[..], b"name,email\nA\0\0,a@example.com\n", b"\0\0\0\0"] {
        assert!(matches!(detect(file), Err(FileError::NotText { .. })), "{file:?}");
    }
}

#[test]
fn utf16_without_mark_may_have_letters_with_a_zero_byte_in_the_other_place() {
    let rows = "Ann Lee,ann@example.com,Reno\n".repeat(4);
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        for name in ["Āris Lee", "一", "王一 (一)", "Ȁ\u{3000}Ѐ"] {
            let file = encoded(&format!("name,email,city\n{name},a@example.com,Elko\n{rows}"), encoding);
            let head = detect(&file).unwrap();
            assert_eq!((head.dialect.encoding, head.headers.len()), (encoding, 3), "{name}");
            assert_eq!(rows_of(&file).1[0].fields[0], name);
        }
        let nul = encoded(&format!("name,email,city\nA\0nn,a@example.com,Elko\n{rows}"), encoding);
        assert!(matches!(detect(&nul), Err(FileError::NotText { .. })));
    }
    // As many zero bytes in one place as in the other are no text.
    assert!(matches!(detect(&b"\0a,\0a,\0b\0\n".repeat(20)), Err(FileError::NotText { .. })));
}

#[test]
fn half_characters_in_utf16_neither_fail_nor_move_positions() {
    let mut file = encoded("\u{feff}name\temail\nA\ta@example.com\nB", Encoding::Utf16Le);
    file.extend(b"\x00\xd8x\0\t\0b\0\n\0C\0\t\0c\0\n");
    let (head, rows) = rows_of(&file);
    assert_eq!(texts(&rows)[1..], [vec!["B\u{fffd}x", "b"], vec!["C", "c"]]);
    assert_eq!(&file[rows[2].span.start as usize..][..2], b"C\0");
    assert_eq!(in_windows(&head.dialect, head.data, &file, &[5], ALL).0, rows);
}

#[test]
fn a_long_file_in_utf16_is_not_decoded_again_for_each_step() {
    let row = "A\ta@example.com\n";
    let file = encoded(&format!("\u{feff}name\temail\n{}", row.repeat(40_000)), Encoding::Utf16Le);
    let head = detect(&file).unwrap();
    let (mut cursor, mut rows) = (head.data, 0);
    loop {
        let limits = Limits { rows: 200, bytes: usize::MAX };
        let batch = read_rows(&head.dialect, cursor, &file[cursor.offset as usize..], true, limits);
        rows += batch.rows.len();
        cursor = batch.next;
        if batch.finished {
            break;
        }
    }
    assert_eq!(rows, 40_000);
}
