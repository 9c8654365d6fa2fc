//! The stream: a log with one row for each transaction that changed items of tables with a stream.
//!
//! Invariants: rows are numbered without gaps in the order of the transactions; the newest row is never trimmed, so no
//! number is used twice. Each row knows how many bytes were logged before it, so the log's size is known from its two
//! ends.

use std::fmt;
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use super::codec::{
    self, Attributes, Damaged, ItemRef, ValueRef, put_attribute, put_bytes, put_length, take_bytes,
    take_length,
};
use super::storage::{Batch, Order, Range, Read, Space, StorageError};
use super::tables::Catalog;

/// The most bytes of the log.
pub const MAX_BYTES: u64 = 1 << 30;
/// How long a record is kept at most.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
/// Bytes of rows that one page reads at least, if there are so many and few enough records.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Bits of a sequence number that count the records of one row.
const RECORD_BITS: u32 = 8;

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Insert,
    /// It was changed.
    Modify,
    /// It was deleted.
    Remove,
}

/// One change of one item. `Debug` shows no contents.
#[derive(Clone, PartialEq)]
pub struct StreamRecord {
    /// The place of the record in the stream: greater is later.
    pub sequence: u64,
    /// When the change happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The item's key attributes.
    pub keys: Attributes,
    /// The item before; none if it was created.
    pub old_image: Option<Attributes>,
    /// The item after; none if it was deleted.
    pub new_image: Option<Attributes>,
    /// Whether time to live deleted the item, and no request.
    pub by_service: bool,
}

impl fmt::Debug for StreamRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = formatter.debug_struct("StreamRecord");
        record.field("sequence", &self.sequence).field("at", &self.at).field("kind", &self.kind);
        record.field("by_service", &self.by_service).finish_non_exhaustive()
    }
}

/// Some records of a stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamPage {
    /// The records in order.
    pub records: Vec<StreamRecord>,
    /// Everything up to here was looked at. Read on from here, and acknowledge it once the records are handled.
    pub last: u64,
}

/// A change that goes into the log. Images are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// The table's number.
    pub table: u16,
    /// The item before.
    pub old: Option<Vec<u8>>,
    /// The item after.
    pub new: Option<Vec<u8>>,
    /// Whether time to live deleted the item.
    pub by_service: bool,
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The number of the newest row; 0 if there was none yet.
    pub row: u64,
    /// All bytes that were ever logged.
    pub bytes: u64,
}

impl LogEnd {
    /// The last place that a record of the log can have.
    pub fn last_place(self) -> u64 {
        self.row << RECORD_BITS | ((1 << RECORD_BITS) - 1)
    }
}

struct Row<'a> {
    /// Bytes that were logged before the row.
    offset: u64,
    at: Timestamp,
    count: u64,
    changes: &'a [u8],
}

impl LogEnd {
    /// Finds the end of the stored log.
    ///
    /// # Errors
    /// [`StorageError`] if the newest row cannot be read.
    pub fn load(read: &dyn Read) -> Result<Self, StorageError> {
        let mut end = Ok(Self::default());
        read.scan(Space::Log, &Range::all(), Order::Backward, &mut |key, value| {
            end = decode_row(key, value)
                .map(|(row, header)| Self { row, bytes: header.offset.saturating_add(value.len() as u64) })
                .map_err(|_| StorageError::Damaged);
            ControlFlow::Break(())
        })?;
        end
    }

    /// Adds the changes of one transaction to a batch, as the next row.
    pub fn append(&mut self, changes: &[LoggedChange], at: Timestamp, batch: &mut Batch) {
        if changes.is_empty() {
            return;
        }
        self.row += 1;
        let images = changes.iter().flat_map(|change| [&change.old, &change.new]).flatten();
        let mut row = Vec::with_capacity(64 + images.map(Vec::len).sum::<usize>());
        row.extend_from_slice(&self.bytes.to_be_bytes());
        row.extend_from_slice(&at.as_millisecond().to_be_bytes());
        put_length(changes.len(), &mut row);
        for change in changes {
            put_change(change, &mut row);
        }
        let key = self.row.to_be_bytes().to_vec();
        let value = codec::seal(&key, &row);
        self.bytes += value.len() as u64;
        batch.put(Space::Log, key, value);
    }
}

fn put_change(change: &LoggedChange, into: &mut Vec<u8>) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    into.extend_from_slice(&change.table.to_be_bytes());
    into.push(flag(old.is_some(), 1) | flag(new.is_some(), 2) | flag(change.by_service, 4));
    match (old, new) {
        (Some(old), Some(new)) => {
            put_bytes(old, into);
            put_bytes(&delta(ItemRef(old), ItemRef(new)), into);
        }
        (one, other) => put_bytes(one.or(other).unwrap_or_default(), into),
    }
}

fn take_change(bytes: &mut &[u8]) -> Option<LoggedChange> {
    let (head, rest) = bytes.split_first_chunk::<3>()?;
    *bytes = rest;
    let [high, low, flags] = *head;
    let (table, by_service) = (u16::from_be_bytes([high, low]), flags & 4 != 0);
    let image = take_bytes(bytes)?.to_vec();
    let (old, new) = match flags & 3 {
        1 => (Some(image), None),
        2 => (None, Some(image)),
        _ => {
            let new = patch(ItemRef(&image), take_bytes(bytes)?)?;
            (Some(image), Some(new))
        }
    };
    Some(LoggedChange { table, old, new, by_service })
}

/// What turns one item into another: changed attributes with their values, and removed ones without.
fn delta(old: ItemRef<'_>, new: ItemRef<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut olds, mut news) = (old.attributes().peekable(), new.attributes().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return bytes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        match (old, new) {
            (Some((_, old)), Some((_, new))) if old == new => {}
            (_, Some((name, value))) => put_attribute(name, value, &mut bytes),
            (Some((name, _)), None) => put_attribute(name, ValueRef(&[]), &mut bytes),
            (None, None) => return bytes,
        }
    }
}

fn patch(old: ItemRef<'_>, delta: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(old.0.len() + delta.len());
    let (mut olds, mut news) = (old.attributes().peekable(), ItemRef(delta).attributes().peekable());
    loop {
        match (olds.peek(), news.peek()) {
            (None, None) => return Some(bytes),
            (Some((old, value)), new) if new.is_none_or(|(new, _)| old < new) => {
                put_attribute(old, *value, &mut bytes);
                olds.next();
            }
            (old, Some((new, value))) => {
                if !value.0.is_empty() {
                    put_attribute(new, *value, &mut bytes);
                }
                if old.is_some_and(|(old, _)| old == new) {
                    olds.next();
                }
                news.next();
            }
            (Some(_), None) => return None,
        }
    }
}

fn decode_row<'a>(key: &[u8], sealed: &'a [u8]) -> Result<(u64, Row<'a>), Damaged> {
    let number = u64::from_be_bytes(key.try_into().map_err(|_| Damaged)?);
    let value = codec::unseal(key, sealed)?;
    let (offset, value) = value.split_first_chunk::<8>().ok_or(Damaged)?;
    let (at, mut changes) = value.split_first_chunk::<8>().ok_or(Damaged)?;
    let at = Timestamp::from_millisecond(i64::from_be_bytes(*at)).map_err(|_| Damaged)?;
    let count = take_length(&mut changes).ok_or(Damaged)? as u64;
    Ok((number, Row { offset: u64::from_be_bytes(*offset), at, count, changes }))
}

/// Which row of the log it is, and which of all logged bytes it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowExtent {
    /// Its number.
    pub number: u64,
    start: u64,
    end: u64,
}

impl RowExtent {
    /// Whether the other row is the next one.
    pub fn is_before(&self, other: &Self) -> bool {
        self.number + 1 == other.number && self.end == other.start
    }
}

/// Reads a row and all its changes.
///
/// # Errors
/// [`Damaged`] if it is not what was written.
pub fn extent(key: &[u8], sealed: &[u8]) -> Result<RowExtent, Damaged> {
    let (number, row) = decode_row(key, sealed)?;
    let mut changes = row.changes;
    for _ in 0..row.count {
        let change = take_change(&mut changes).ok_or(Damaged)?;
        for image in [change.old, change.new].into_iter().flatten() {
            ItemRef(&image).decode()?;
        }
    }
    let (start, end) = (row.offset, row.offset.saturating_add(sealed.len() as u64));
    if changes.is_empty() { Ok(RowExtent { number, start, end }) } else { Err(Damaged) }
}

/// Reads records of one table after a place in the stream: whole rows until there are `limit` records, or the rows are
/// large.
///
/// # Errors
/// [`StorageError`] if the log cannot be read.
pub fn read(
    read: &dyn Read,
    catalog: &Catalog,
    table: &str,
    after: u64,
    limit: usize,
) -> Result<StreamPage, StorageError> {
    let mut page = StreamPage { records: Vec::new(), last: after };
    let (mut problem, mut bytes) = (None, 0);
    let range = Range { start: (after >> RECORD_BITS).to_be_bytes().to_vec(), end: Vec::new() };
    read.scan(Space::Log, &range, Order::Forward, &mut |key, value| {
        match row_records(catalog, table, key, value, after) {
            Ok((records, last)) => {
                page.records.extend(records);
                page.last = page.last.max(last);
            }
            Err(Damaged) => problem = Some(StorageError::Damaged),
        }
        bytes += value.len();
        let is_full = page.records.len() >= limit || (bytes >= PAGE_BYTES && page.last > after);
        if problem.is_some() || is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match problem {
        Some(problem) => Err(problem),
        None => Ok(page),
    }
}

fn row_records(
    catalog: &Catalog,
    table: &str,
    key: &[u8],
    value: &[u8],
    after: u64,
) -> Result<(Vec<StreamRecord>, u64), Damaged> {
    let (number, row) = decode_row(key, value)?;
    let table = catalog.get(table);
    let mut rest = row.changes;
    let mut records = Vec::new();
    let first = number << RECORD_BITS;
    for sequence in (0..row.count).map(|place| first | place) {
        let change = take_change(&mut rest).ok_or(Damaged)?;
        let Some(table) = table.filter(|table| table.id == change.table && sequence > after) else {
            continue;
        };
        let decode =
            |image: &Option<Vec<u8>>| image.as_deref().map(|image| ItemRef(image).decode()).transpose();
        let image = change.new.as_deref().or(change.old.as_deref()).unwrap_or_default();
        let kind = match (&change.old, &change.new) {
            (None, _) => ChangeKind::Insert,
            (Some(_), Some(_)) => ChangeKind::Modify,
            (Some(_), None) => ChangeKind::Remove,
        };
        records.push(StreamRecord {
            sequence,
            at: row.at,
            kind,
            keys: ItemRef(&table.key_attributes(ItemRef(image))).decode()?,
            old_image: decode(&change.old)?,
            new_image: decode(&change.new)?,
            by_service: change.by_service,
        });
    }
    Ok((records, first | row.count.saturating_sub(1)))
}

/// Adds to a batch the removal of up to `limit` rows that no reader needs, and returns how many. A row goes when every
/// reader acknowledged it, when it is older than a day, and when the log is larger than `max_bytes`. `acknowledged` is
/// the least place that all readers acknowledged; none if there are no readers.
///
/// # Errors
/// [`StorageError`] if the log cannot be read.
pub fn trim(
    read: &dyn Read,
    end: LogEnd,
    acknowledged: Option<u64>,
    now: Timestamp,
    max_bytes: u64,
    limit: usize,
    batch: &mut Batch,
) -> Result<usize, StorageError> {
    let oldest = now.checked_sub(MAX_AGE).unwrap_or(Timestamp::MIN);
    let mut trimmed = 0;
    let mut problem = None;
    read.scan(Space::Log, &Range::all(), Order::Forward, &mut |key, value| {
        let (number, row) = match decode_row(key, value) {
            Ok(row) => row,
            Err(Damaged) => {
                problem = Some(StorageError::Damaged);
                return ControlFlow::Break(());
            }
        };
        let last = number << RECORD_BITS | row.count.saturating_sub(1);
        let is_read = acknowledged.is_some_and(|acknowledged| last <= acknowledged);
        let is_surplus = end.bytes.saturating_sub(row.offset) > max_bytes;
        if number >= end.row || trimmed >= limit || !(is_read || is_surplus || row.at < oldest) {
            return ControlFlow::Break(());
        }
        batch.delete(Space::Log, key.to_vec());
        trimmed += 1;
        ControlFlow::Continue(())
    })?;
    match problem {
        Some(problem) => Err(problem),
        None => Ok(trimmed),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::storage::Memory;
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;

    fn item() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::hash_map("[a-e]", 0..3_u8, 0..5).prop_map(|map| {
            let text = |(name, value): (String, u8)| (name, AttributeValue::S(value.to_string()));
            codec::encode_item(&map.into_iter().map(text).collect()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_delta_turns_the_old_item_into_the_new_one(old in item(), new in item()) {
            let delta = delta(ItemRef(&old), ItemRef(&new));
            prop_assert_eq!(patch(ItemRef(&old), &delta), Some(new));
        }
    }

    fn change(table: u16, value: u8) -> LoggedChange {
        let item = HashMap::from([("pk".to_owned(), AttributeValue::S(value.to_string()))]);
        LoggedChange { table, old: None, new: Some(codec::encode_item(&item).unwrap()), by_service: false }
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
    fn the_end_of_the_log_is_found_again() {
        let (memory, end) = log(5);
        assert_eq!(LogEnd::load(&memory).unwrap(), end);
        assert_eq!(end.row, 5);
    }

    #[test]
    fn a_log_is_read_in_pages_for_each_table() {
        let (memory, _) = log(5);
        let table = super::super::tables::tests::table();
        let catalog: Catalog = HashMap::from([("things".to_owned(), std::sync::Arc::new(table))]);
        let first = read(&memory, &catalog, "things", 0, 2).unwrap();
        assert_eq!(first.records.len(), 2);
        let rest = read(&memory, &catalog, "things", first.last, 100).unwrap();
        assert_eq!(rest.records.len(), 3);
        assert!(rest.records.iter().all(|record| record.sequence > first.last));
        assert_eq!(read(&memory, &catalog, "things", rest.last, 100).unwrap().records, []);
        assert_eq!(rest.last, 5 << 8 | 1, "records of another table are passed over");
    }

    #[test]
    fn a_page_of_large_rows_is_bounded_also_if_they_are_another_tables() {
        let (mut memory, mut end) = (Memory::default(), LogEnd::default());
        for row in 0..20 {
            let mut batch = Batch::default();
            let new = HashMap::from([("pk".to_owned(), AttributeValue::S("x".repeat(1 << 20)))]);
            let new = Some(codec::encode_item(&new).unwrap());
            let change = LoggedChange { table: 7 + row / 10, old: None, new, by_service: false };
            end.append(&[change], Timestamp::UNIX_EPOCH, &mut batch);
            memory.apply(batch);
        }
        let table = super::super::tables::tests::table();
        let catalog: Catalog = HashMap::from([("things".to_owned(), std::sync::Arc::new(table))]);
        let page = |after| read(&memory, &catalog, "things", after, usize::MAX).unwrap();
        let first = page(0);
        assert!(matches!(first.records.len(), 3..=5));
        let foreign = page(11 << 8);
        assert!(foreign.records.is_empty() && (13 << 8..17 << 8).contains(&foreign.last));
        assert_eq!(page(20 << 8).last, 20 << 8);
    }

    #[test]
    fn rows_go_when_they_are_read_old_or_too_many_and_the_newest_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let trimmed = |acknowledged, now, max_bytes, limit| {
            let (mut memory, end) = log(5);
            let mut batch = Batch::default();
            trim(&memory, end, acknowledged, now, max_bytes, limit, &mut batch).unwrap();
            memory.apply(batch);
            5 - rows(&memory)
        };
        assert_eq!(trimmed(None, now, MAX_BYTES, 100), 0, "no reader, and young");
        assert_eq!(trimmed(Some(2 << 8), now, MAX_BYTES, 100), 1, "half of the second row is read");
        assert_eq!(trimmed(Some(2 << 8 | 1), now, MAX_BYTES, 100), 2);
        assert_eq!(trimmed(Some(u64::MAX), now, MAX_BYTES, 100), 4, "the newest stays");
        assert_eq!(trimmed(Some(u64::MAX), now, MAX_BYTES, 3), 3, "in steps");
        assert_eq!(trimmed(None, now + SignedDuration::from_hours(25), MAX_BYTES, 100), 4);
        let row = log(1).1.bytes;
        assert_eq!(trimmed(None, now, 3 * row, 100), 2, "at most three rows' bytes");
    }
}
