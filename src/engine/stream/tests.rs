use std::collections::HashMap;

use super::super::storage::Memory;
use super::*;
use aws_sdk_dynamodb::types::AttributeValue;

fn change(table: u16, value: u8) -> LoggedChange {
    let item = HashMap::from([("pk".to_owned(), AttributeValue::S(value.to_string()))]);
    LoggedChange { table, old: None, new: Some(codec::encode_item(&item).unwrap()), by_service: false }
}

/// A catalog with a table whose number is 7.
fn catalog() -> Catalog {
    let table = super::super::tables::tests::table();
    HashMap::from([("things".to_owned(), std::sync::Arc::new(table))])
}

fn log(rows: u8) -> (Memory, LogEnd) {
    let (mut memory, mut end) = (Memory::default(), LogEnd::default());
    for row in 0..rows {
        let mut batch = Batch::default();
        end.append(&[change(7, row), change(8, row)], Timestamp::UNIX_EPOCH, &mut batch);
        memory.apply(batch);
    }
    (memory, end)
}

fn rows(memory: &Memory) -> usize {
    let mut rows = 0;
    let _ = memory.scan(Space::Log, &Range::all(), Order::Forward, &mut |_, _| {
        rows += 1;
        ControlFlow::Continue(())
    });
    rows
}

#[test]
fn the_end_of_the_log_is_loaded_from_storage() {
    let (memory, end) = log(5);
    assert_eq!(LogEnd::load(&memory).unwrap(), end);
    assert_eq!(end.row, 5);
}

#[test]
fn the_log_is_read_in_pages_per_table() {
    let (memory, _) = log(5);
    let catalog = catalog();
    let page = |after, limit| {
        let filter = RecordFilter { table: "things", after, keys: &|_| true };
        read(&memory, &catalog, &filter, limit).unwrap()
    };
    let first = page(0, 2);
    assert_eq!(first.records.len(), 2);
    let rest = page(first.last, 100);
    assert_eq!(rest.records.len(), 3);
    assert!(rest.records.iter().all(|record| record.sequence > first.last));
    assert_eq!(page(rest.last, 100).records, []);
    assert_eq!(rest.last, 5 << 8 | 1, "records of another table are skipped");
}

#[test]
fn a_page_contains_only_records_with_matching_keys() {
    let (memory, _) = log(5);
    let catalog = catalog();
    let keys =
        |keys: &Attributes| ["1", "3"].iter().any(|key| keys["pk"] == AttributeValue::S((*key).to_owned()));
    let page = |after, limit| {
        let filter = RecordFilter { table: "things", after, keys: &keys };
        let page = read(&memory, &catalog, &filter, limit).unwrap();
        (page.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), page.last)
    };
    assert_eq!(page(0, 1), (vec![2 << 8], 2 << 8 | 1), "whole rows are read");
    assert_eq!(page(2 << 8 | 1, 9), (vec![4 << 8], 5 << 8 | 1));
}

#[test]
fn a_page_of_large_rows_is_bounded_even_for_rows_of_other_tables() {
    let (mut memory, mut end) = (Memory::default(), LogEnd::default());
    for row in 0..80 {
        let mut batch = Batch::default();
        let new = HashMap::from([("pk".to_owned(), AttributeValue::S("x".repeat(1 << 20)))]);
        let new = Some(codec::encode_item(&new).unwrap());
        let change = LoggedChange { table: 7 + row / 40, old: None, new, by_service: false };
        end.append(&[change], Timestamp::UNIX_EPOCH, &mut batch);
        memory.apply(batch);
    }
    let catalog = catalog();
    let page = |after| {
        let filter = RecordFilter { table: "things", after, keys: &|_| true };
        read(&memory, &catalog, &filter, usize::MAX).unwrap()
    };
    let first = page(0);
    assert!(matches!(first.records.len(), 15..=17));
    let foreign = page(41 << 8);
    assert!(foreign.records.is_empty() && (55 << 8..59 << 8).contains(&foreign.last));
    assert_eq!(page(80 << 8).last, 80 << 8);
}

#[test]
fn rows_are_trimmed_when_read_old_or_over_the_limit_but_the_newest_stays() {
    let now = Timestamp::UNIX_EPOCH;
    let trimmed = |acknowledged, now, max_bytes, limit| {
        let (mut memory, end) = log(5);
        let mut batch = Batch::default();
        trim(&memory, end, acknowledged, now, max_bytes, limit, &mut batch).unwrap();
        memory.apply(batch);
        5 - rows(&memory)
    };
    assert_eq!(trimmed(None, now, MAX_BYTES, 100), 0, "no readers, and the rows are new");
    assert_eq!(trimmed(Some(2 << 8), now, MAX_BYTES, 100), 1, "only half of the second row is acknowledged");
    assert_eq!(trimmed(Some(2 << 8 | 1), now, MAX_BYTES, 100), 2);
    assert_eq!(trimmed(Some(u64::MAX), now, MAX_BYTES, 100), 4, "the newest row stays");
    assert_eq!(trimmed(Some(u64::MAX), now, MAX_BYTES, 3), 3, "the limit of one step");
    assert_eq!(trimmed(None, now + SignedDuration::from_hours(25), MAX_BYTES, 100), 4);
    let row = log(1).1.bytes;
    assert_eq!(trimmed(None, now, 3 * row, 100), 2, "the log keeps at most three rows of bytes");
}

/// Reads the table's page after a sequence number.
fn page_after(memory: &Memory, after: u64, limit: usize) -> StreamPage {
    let filter = RecordFilter { table: "things", after, keys: &|_| true };
    read(memory, &catalog(), &filter, limit).unwrap()
}

#[test]
fn a_page_says_whether_rows_before_it_were_trimmed() {
    let (mut memory, end) = log(5);
    assert!(!page_after(&Memory::default(), 0, 100).has_gap, "nothing was ever logged");
    assert!(!page_after(&memory, 0, 100).has_gap);
    let (mut batch, row) = (Batch::default(), log(1).1.bytes);
    let trimmed = trim(&memory, end, Some(0), Timestamp::UNIX_EPOCH, 3 * row, 100, &mut batch);
    assert_eq!(trimmed.unwrap(), 2, "the reader is too far behind");
    memory.apply(batch);
    for (after, has_gap) in [(0, true), (1 << 8 | 1, true), (2 << 8 | 1, false), (3 << 8 | 1, false)] {
        assert_eq!(page_after(&memory, after, 100).has_gap, has_gap, "after {after}");
    }
    let first = page_after(&memory, 0, 1);
    assert!(first.has_gap && !page_after(&memory, first.last, 1).has_gap, "a gap is reported once");
}

/// A log of five rows, of which the one with this number is damaged.
fn damaged_log(row: u64) -> (Memory, LogEnd) {
    let (mut memory, end) = log(5);
    let mut batch = Batch::default();
    batch.put(Space::Log, row.to_be_bytes().to_vec(), vec![0; 70]);
    memory.apply(batch);
    (memory, end)
}

#[test]
fn a_damaged_row_is_reported_once_and_later_rows_are_read() {
    let (memory, _) = damaged_log(3);
    let whole = page_after(&memory, 0, 100);
    let rows = |page: &StreamPage| page.records.iter().map(|record| record.sequence >> 8).collect::<Vec<_>>();
    assert_eq!((rows(&whole), &whole.damaged[..], whole.last), (vec![1, 2, 4, 5], &[3 << 8][..], 5 << 8 | 1));
    assert!(!whole.has_gap);
    let only = page_after(&memory, 2 << 8 | 1, 1);
    assert_eq!((rows(&only), &only.damaged[..]), (vec![], &[3 << 8][..]));
    for after in [only.last, 3 << 8 | 1] {
        let rest = page_after(&memory, after, 100);
        assert_eq!((rows(&rest), &rest.damaged[..]), (vec![4, 5], &[][..]), "after {after}");
    }
}

#[test]
fn a_damaged_row_does_not_stop_trimming() {
    let trimmed = |row, acknowledged, max_bytes| {
        let (mut memory, end) = damaged_log(row);
        let mut batch = Batch::default();
        trim(&memory, end, acknowledged, Timestamp::UNIX_EPOCH, max_bytes, 100, &mut batch).unwrap();
        memory.apply(batch);
        5 - rows(&memory)
    };
    assert_eq!(trimmed(2, Some(2 << 8 | 1), MAX_BYTES), 1, "perhaps it has more records");
    assert_eq!(trimmed(2, Some(2 << 8 | 255), MAX_BYTES), 2, "the reader has reported it");
    assert_eq!(trimmed(2, Some(3 << 8 | 1), MAX_BYTES), 3);
    let row = log(1).1.bytes;
    assert_eq!(trimmed(1, Some(0), 3 * row), 2, "the log keeps at most three rows of bytes");
    assert_eq!(trimmed(2, Some(0), 3 * row), 1, "the row after it is within the limit");
}
