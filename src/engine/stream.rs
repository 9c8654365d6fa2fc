//! The stream: a log with one row for each transaction that changes items of tables with a stream.
//!
//! Invariants: rows are numbered without gaps in the order of the transactions. The newest row is never
//! trimmed, so no number is used twice. Each row records how many bytes were logged before it, so the size of
//! the log follows from its first and last rows. A damaged row stops neither readers nor trimming: its key says
//! which row it is.

mod row;
#[cfg(test)]
mod tests;

pub use self::row::{ChangeKind, LoggedChange, RowExtent, extent};

use std::fmt;
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use self::row::{ChangeRef, Row, decode_row, encode_row, row_number};
use super::codec::{self, Attributes, Damaged, ItemRef};
use super::storage::{Batch, Order, Range, Read, Space, StorageError, try_scan};
use super::tables::{Catalog, Table};

/// The maximum size of the log in bytes.
pub const MAX_BYTES: u64 = 1 << 30;
/// The age from which a record is removed if there are no readers.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
/// The number of bytes after which a page can end before it has `limit` records.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// The number of bits in a sequence number that count the records of one row.
const RECORD_BITS: u32 = 8;

/// The maximum number of records in one row, and therefore in one write.
pub const MAX_RECORDS: usize = 1 << RECORD_BITS;

/// One change of one item. `Debug` shows no contents.
#[derive(Clone, PartialEq)]
pub struct StreamRecord {
    /// The position of the record in the stream. Later records have greater numbers.
    pub sequence: u64,
    /// When the change happened.
    pub at: Timestamp,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The item's key attributes.
    pub keys: Attributes,
    /// The item before the change, or `None` if it was created.
    pub old_image: Option<Attributes>,
    /// The item after the change, or `None` if it was deleted.
    pub new_image: Option<Attributes>,
    /// Whether time to live deleted the item, rather than a request.
    pub by_service: bool,
}

impl fmt::Debug for StreamRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = formatter.debug_struct("StreamRecord");
        record.field("sequence", &self.sequence).field("at", &self.at).field("kind", &self.kind);
        record.field("by_service", &self.by_service).finish_non_exhaustive()
    }
}

/// A page of a stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamPage {
    /// The records in order.
    pub records: Vec<StreamRecord>,
    /// The rows that are damaged, each as the sequence number of its first record. Nothing else is known about their
    /// records.
    pub damaged: Vec<u64>,
    /// Whether rows after the position of this read were trimmed before it.
    pub has_gap: bool,
    /// The last sequence number that was read. Continue from here, and acknowledge this number when the
    /// records are handled.
    pub last: u64,
}

/// Returns the sequence number of the last record of a row with this many records.
fn last_of(row: u64, records: u64) -> u64 {
    row << RECORD_BITS | records.saturating_sub(1)
}

/// Returns the highest sequence number that a record of a row can have.
fn last_possible(row: u64) -> u64 {
    row << RECORD_BITS | (MAX_RECORDS as u64 - 1)
}

/// The end of the log. Both numbers are 0 if nothing was ever logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The number of the newest row.
    pub row: u64,
    /// The total number of bytes ever logged.
    pub bytes: u64,
}

impl LogEnd {
    /// Returns the highest sequence number that a record of the log can have.
    pub fn last_sequence(self) -> u64 {
        last_possible(self.row)
    }

    /// Finds the end of the stored log.
    pub fn load(read: &dyn Read) -> Result<Self, StorageError> {
        let mut end = Self::default();
        try_scan::<StorageError>(read, Space::Log, &Range::all(), Order::Backward, &mut |key, value| {
            let (row, header) = decode_row(key, value)?;
            end = Self { row, bytes: header.offset.saturating_add(value.len() as u64) };
            Ok(ControlFlow::Break(()))
        })?;
        Ok(end)
    }

    /// Adds the changes of one transaction to a batch as the next row.
    pub fn append(&mut self, changes: &[LoggedChange], at: Timestamp, batch: &mut Batch) {
        if changes.is_empty() {
            return;
        }
        self.row += 1;
        let row = encode_row(changes, self.bytes, at);
        let key = self.row.to_be_bytes().to_vec();
        let value = codec::seal(&key, &row);
        self.bytes += value.len() as u64;
        batch.put(Space::Log, key, value);
    }
}

/// The records that a reader wants: those of a table, after a sequence number, of items with matching key attributes.
pub struct RecordFilter<'a> {
    pub table: &'a str,
    pub after: u64,
    pub keys: &'a dyn Fn(&Attributes) -> bool,
}

/// Reads the matching records. Reads whole rows until there are `limit` records or the page is large.
pub fn read(
    read: &dyn Read,
    catalog: &Catalog,
    filter: &RecordFilter<'_>,
    limit: usize,
) -> Result<StreamPage, StorageError> {
    let after = filter.after;
    let mut page = StreamPage { last: after, ..StreamPage::default() };
    let (mut bytes, mut next) = (0, (after >> RECORD_BITS) + 1);
    let range = Range { start: (after >> RECORD_BITS).to_be_bytes().to_vec(), end: Vec::new() };
    let table = catalog.get(filter.table).map(|table| &**table);
    try_scan::<StorageError>(read, Space::Log, &range, Order::Forward, &mut |key, value| {
        let number = row_number(key)?;
        page.has_gap |= number > next;
        let (first, is_new) = (number << RECORD_BITS, number >= next);
        next = number + 1;
        match row_records(table, filter, key, value) {
            Ok((records, last)) => {
                page.records.extend(records);
                page.last = page.last.max(last);
            }
            Err(Damaged) if is_new => {
                page.damaged.push(first);
                page.last = last_possible(number);
            }
            // Rows are read whole, so this one was read before it was damaged.
            Err(Damaged) => {}
        }
        bytes += value.len();
        let is_full =
            page.records.len() + page.damaged.len() >= limit || (bytes >= PAGE_BYTES && page.last > after);
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(page)
}

/// Returns the matching records of a row, and the sequence number of the row's last record. Does not decode the other
/// records.
fn row_records(
    table: Option<&Table>,
    filter: &RecordFilter<'_>,
    key: &[u8],
    value: &[u8],
) -> Result<(Vec<StreamRecord>, u64), Damaged> {
    let (number, row) = decode_row(key, value)?;
    let mut rest = row.changes;
    let mut records = Vec::new();
    let first = number << RECORD_BITS;
    for sequence in (0..row.count).map(|record| first | record) {
        let change = ChangeRef::take(&mut rest).ok_or(Damaged)?;
        let Some(table) = table.filter(|table| table.id == change.table && sequence > filter.after) else {
            continue;
        };
        let keys = ItemRef(&table.key_attributes(change.image)).decode()?;
        if !(filter.keys)(&keys) {
            continue;
        }
        let [old_image, new_image] = change.images()?;
        let (kind, by_service) = (change.kind, change.by_service);
        records.push(StreamRecord { sequence, at: row.at, kind, keys, old_image, new_image, by_service });
    }
    Ok((records, last_of(number, row.count)))
}

/// Adds the removal of up to `limit` rows to a batch, and returns how many. A row is removed if every reader has
/// acknowledged it, if there are no readers and it is older than a day, or if the log is larger than `max_bytes`.
/// `acknowledged` is the lowest acknowledged sequence number of all readers, or `None` if there are no readers.
///
/// A reader keeps its records longer than the day that DynamoDB keeps them: statistics and rules need every change, and
/// a computer may be off for days. So only the size of the log limits how far a reader may be behind.
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
    let is_read = |last: u64| acknowledged.is_some_and(|acknowledged| last <= acknowledged);
    let is_unneeded = |last: u64, row: &Row<'_>| {
        let is_surplus = end.bytes.saturating_sub(row.offset) > max_bytes;
        let is_old = acknowledged.is_none() && row.at < oldest;
        is_read(last) || is_surplus || is_old
    };
    let (mut keys, mut trimmed) = (Vec::new(), 0);
    try_scan::<StorageError>(read, Space::Log, &Range::all(), Order::Forward, &mut |key, value| {
        let number = row_number(key)?;
        if number >= end.row || keys.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let may_end_here = match decode_row(key, value) {
            Ok((_, row)) if is_unneeded(last_of(number, row.count), &row) => true,
            Ok(_) => return Ok(ControlFlow::Break(())),
            // Its size and time are unknown. If it is not read, it is removed together with the next readable row.
            Err(Damaged) => is_read(last_possible(number)),
        };
        keys.push(key.to_vec());
        if may_end_here {
            trimmed = keys.len();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for key in keys.into_iter().take(trimmed) {
        batch.delete(Space::Log, key);
    }
    Ok(trimmed)
}
