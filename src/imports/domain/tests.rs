//! Tests of imports.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::step::KEPT_ROW_BYTES;
use super::*;
use crate::imports::file::Row;

fn import(size: u64) -> Import {
    let owner = serde_json::from_value(serde_json::json!(uuid::Uuid::nil())).unwrap();
    let id = ImportId::new(Timestamp::UNIX_EPOCH, &[7; 10]);
    Import::begin(id, "C:\\mine\\a.csv", size, owner, Timestamp::UNIX_EPOCH).unwrap()
}

fn file(bytes: usize) -> Vec<u8> {
    let rows = "Ann,ann@example.com\n".bytes().cycle();
    "name,email\n".bytes().chain(rows).take(bytes).collect()
}

#[test]
fn parts_arrive_in_order_and_the_last_makes_the_import_ready() {
    let bytes = file(PART_BYTES as usize + 9);
    let (first, second) = bytes.split_at(PART_BYTES as usize);
    let before = import(bytes.len() as u64);
    assert!(matches!(before.with_part(1, second), Err(ImportError::PartOutOfOrder { expected: 0 })));
    assert!(matches!(before.with_part(0, second), Err(ImportError::PartLength { found: 9, .. })));
    let half = before.with_part(0, first).unwrap();
    assert_eq!((half.phase, half.parts, half.version.get()), (Phase::Uploading, 1, 2));
    assert!(half.is_estimated() && half.expected_rows == 16_000, "{}", half.expected_rows);
    assert!(matches!(half.with_part(0, first), Err(ImportError::PartOutOfOrder { expected: 1 })));
    let whole = half.with_part(1, second).unwrap();
    assert_eq!(whole.phase, Phase::Ready);
    assert!(matches!(whole.with_part(2, b""), Err(ImportError::PartOutOfOrder { .. })));
}

/// The beginning of a workbook.
fn file_of_zip(bytes: usize) -> Vec<u8> {
    b"PK\x03\x04".iter().copied().chain(std::iter::repeat(0)).take(bytes).collect()
}

#[test]
fn a_workbook_is_converted_when_its_last_part_arrives() {
    let workbook = file_of_zip(PART_BYTES as usize + 9);
    let (first, second) = workbook.split_at(PART_BYTES as usize);
    let half = import(workbook.len() as u64).with_part(0, first).unwrap();
    assert!((half.phase, half.is_unconverted()) == (Phase::Uploading, false) && half.head.is_none());
    let whole = half.with_part(1, second).unwrap();
    assert!((whole.phase, whole.is_unconverted()) == (Phase::Uploading, true));
    let csv = file(3 * PART_BYTES as usize);
    let ready = whole.converted(&csv).unwrap();
    assert_eq!((ready.phase, ready.parts, ready.size), (Phase::Ready, 3, csv.len() as u64));
    assert!(!ready.is_unconverted() && ready.head.is_some() && ready.version == whole.version);
    assert_eq!(ready.sheet, whole.converted(&csv).unwrap().sheet);
    assert_ne!(ready.sheet, whole.converted(&csv[1..]).unwrap().sheet);
    let refusal = whole.converted(b"sep=,\r\nname,email\r\n").unwrap_err();
    assert!(refusal.to_string().contains("no rows"), "{refusal}");
    // Imports of earlier versions have no such attribute.
    let mut stored = serde_json::to_value(&half).unwrap();
    assert_eq!(stored.as_object_mut().unwrap().remove("sheet"), None);
    assert_eq!(serde_json::from_value::<Import>(stored).unwrap(), half);
}

#[test]
fn a_file_that_cannot_be_imported_is_rejected_at_its_first_part() {
    let old_workbook = b"\xd0\xcf\x11\xe0....";
    let refusal = import(8).with_part(0, old_workbook).unwrap_err();
    assert!(refusal.to_string().contains("workbook"), "{refusal}");
    let workbook = file_of_zip(PART_BYTES as usize);
    let refusal = import(MAX_WORKBOOK_BYTES as u64 + 1).with_part(0, &workbook).unwrap_err();
    assert!(refusal.to_string().contains("at most 4 MB"), "{refusal}");
    let wide = format!("{}\n1\n", "a,".repeat(MAX_COLUMNS));
    let refusal = import(wide.len() as u64).with_part(0, wide.as_bytes()).unwrap_err();
    assert!(refusal.to_string().contains("501 columns"), "{refusal}");
}

#[test]
fn an_import_starts_once_and_only_with_a_valid_mapping() {
    let bytes = file(51);
    let slugs = ["full-name", "email"].map(str::to_owned);
    let before = import(51);
    assert!(matches!(before.started(&with(&slugs)), Err(ImportError::NotStarted)));
    let ready = before.with_part(0, &bytes).unwrap();
    assert_eq!((ready.expected_rows, ready.is_estimated()), (2, false));
    assert!(matches!(ready.started(&with(&slugs[..1])), Err(ImportError::Mapping(_))));
    let running = ready.started(&with(&slugs)).unwrap();
    assert_eq!((running.phase, running.cursor.map(|cursor| cursor.offset)), (Phase::Running, Some(11)));
    assert_eq!(running.started(&Start::default()).unwrap(), running);
}

#[test]
fn rejected_rows_are_split_into_files_that_fit_a_response() {
    let fields = vec!["x".repeat(100_000), "y".repeat(5)];
    let row = Row { number: 2, line: 2, span: 0..1, fields, ..Row::default() };
    let rejection = Rejection::of(&row, "No.".to_owned());
    assert_eq!(rejection.fields.iter().map(String::len).collect::<Vec<_>>(), [KEPT_ROW_BYTES, 0]);
    let rejections: Vec<Rejection> = (2..40).map(|row| Rejection { row, ..rejection.clone() }).collect();
    let next = Cursor { offset: 1, row: 40, line: 40, ..Cursor::default() };
    let step = Step { rejections, ..Step::new(next, true) };
    let after = import(1).advanced(&step);
    assert_eq!(after.rejected_files, [17, 32]);
    assert!(after.rejected_bytes <= REJECTED_FILE_BYTES);
}

#[test]
fn estimates_are_rounded_to_two_digits() {
    let rounded: Vec<u64> = [0, 7, 99, 104, 105, 2_987, 50_400].map(rounded).to_vec();
    assert_eq!(rounded, [0, 7, 99, 100, 110, 3_000, 50_000]);
}

#[test]
fn a_file_name_is_shown_without_folders_or_control_characters() {
    assert_eq!(import(1).file_name, "a.csv");
    assert_eq!(shown_name("/tmp/\u{7}"), "contacts.csv");
    assert_eq!(shown_name(&"é".repeat(300)).chars().count(), 100);
}

fn with(slugs: &[String]) -> Start {
    Start { slugs: slugs.to_vec(), ..Start::default() }
}
