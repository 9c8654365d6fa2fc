//! Storage in a SQLite file.
//!
//! Of the layouts and settings that lose no data, these were the fastest with our transaction: items and index entries
//! in tables without rowids, where each key is stored once; one log row for each transaction; a write-ahead log with
//! `synchronous=FULL`, so a commit is on disk when it returns; pages of 4096 bytes; `auto_vacuum=INCREMENTAL`, so that
//! a trimmed log can release its pages. A separate connection makes the checkpoints.
//!
//! SQLite does not checksum pages, so the engine stores a CRC-32 with each value.

use std::ops::ControlFlow;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, ToSql, params};

use super::{Batch, Order, Range, Read, Space, StorageError, Visit};

/// The number of sections of a collection. One value is sampled in each when the file is opened.
const SAMPLES: u8 = 8;
/// Queries for the first and the last row of the log. A single query for both would read the whole log.
const LOG_ENDS: [&str; 2] = ["SELECT min(key) FROM log", "SELECT max(key) FROM log"];
const SAMPLE_BYTES: u32 = 64 * 1024;
const FREE_PAGES: u32 = 1024;
const RELEASED_PAGES: u32 = 512;

/// SQLITE_IOERR_SHMSIZE: the shared-memory file of the write-ahead log cannot grow because the disk is full.
const SHM_FILE_FULL: i32 = 4874;

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error().is_some_and(|error| error.extended_code == SHM_FILE_FULL) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Failed(error.to_string()),
        }
    }
}

fn table(space: Space) -> &'static str {
    match space {
        Space::Meta => "meta",
        Space::Items => "items",
        Space::Index => "entries",
        Space::Log => "log",
    }
}

fn row(key: &[u8]) -> i64 {
    let number = key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the first log row at or after a bound. A bound longer than a row key, such as the start of a later
/// step, comes after that row.
fn bound(key: &[u8]) -> i64 {
    row(key).saturating_add(i64::from(key.len() > 8))
}

/// Reads the state that a connection sees. Each call reads one snapshot.
pub struct SqliteRead<'a>(pub &'a Connection);

impl Read for SqliteRead<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let sql = format!("SELECT value FROM {} WHERE key = ?1", table(space));
        let mut statement = self.0.prepare_cached(&sql)?;
        let found = match space {
            Space::Log => statement.query_row([row(key)], |row| row.get(0)),
            _ => statement.query_row([key], |row| row.get(0)),
        };
        Ok(found.optional()?)
    }

    fn scan(&self, space: Space, range: &Range, order: Order, visit: Visit<'_>) -> Result<(), StorageError> {
        if range.is_empty() {
            return Ok(());
        }
        let direction = if order == Order::Backward { " DESC" } else { "" };
        let end = if range.end.is_empty() { "" } else { " AND key < ?2" };
        let sql =
            format!("SELECT key, value FROM {} WHERE key >= ?1{end} ORDER BY key{direction}", table(space));
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = match (space, range.end.is_empty()) {
            (Space::Log, true) => statement.query([bound(&range.start)])?,
            (Space::Log, false) => statement.query([bound(&range.start), bound(&range.end)])?,
            (_, true) => statement.query([&range.start])?,
            (_, false) => statement.query([&range.start, &range.end])?,
        };
        while let Some(found) = rows.next()? {
            let value = found.get_ref(1)?.as_blob().map_err(|_| StorageError::Damaged)?;
            let flow = if space == Space::Log {
                let number = u64::try_from(found.get::<_, i64>(0)?).map_err(|_| StorageError::Damaged)?;
                visit(&number.to_be_bytes(), value)
            } else {
                visit(found.get_ref(0)?.as_blob().map_err(|_| StorageError::Damaged)?, value)
            };
            if flow == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

/// Releases some free pages to the file system if there are many. This is a small step inside the connection's
/// transaction, which must be rolled back if it fails. Some free pages remain, because later writes need them.
pub fn release_free_pages(connection: &Connection) -> Result<(), StorageError> {
    let free: u32 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if free > FREE_PAGES.max(pages / 8) {
        // SQLite releases one page for each row that the statement returns.
        let mut statement =
            connection.prepare_cached(&format!("PRAGMA incremental_vacuum({RELEASED_PAGES})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// Returns the problems that SQLite's integrity check finds.
pub fn integrity(connection: &Connection) -> Result<Vec<String>, StorageError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut found = Vec::new();
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        match line.map_err(StorageError::from) {
            Ok(line) if line == "ok" => {}
            Ok(line) => found.push(line),
            // The damage is so severe that the check itself stops there.
            Err(StorageError::Damaged) => found.push("the check stopped at a damaged page".to_owned()),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

/// Passes a sample of keys and values to `is_sound`: the first and the last of each collection, and some between. The
/// sample has the same size for any amount of data, and large values are skipped. Returns [`StorageError::Damaged`] if a
/// value is not sound.
pub fn sample(
    connection: &Connection,
    is_sound: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> Result<(), StorageError> {
    for space in [Space::Meta, Space::Items, Space::Index] {
        let Some(first) = check_row(connection, space, "ORDER BY key LIMIT 1", &[], is_sound)? else {
            continue;
        };
        let last =
            check_row(connection, space, "ORDER BY key DESC LIMIT 1", &[], is_sound)?.unwrap_or_default();
        for position in 1..SAMPLES {
            let from = key_between(&first, &last, position);
            check_row(connection, space, "WHERE key >= ?1 ORDER BY key LIMIT 1", &[&from], is_sound)?;
        }
    }
    let end = |sql| connection.query_row(sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(0)));
    let [first, last] = LOG_ENDS;
    let (first, last) = (end(first)?, end(last)?);
    let step = last.saturating_sub(first) / i64::from(SAMPLES);
    for position in 0..=SAMPLES {
        let from = if position == SAMPLES { last } else { first.saturating_add(step * i64::from(position)) };
        check_row(connection, Space::Log, "WHERE key >= ?1 ORDER BY key LIMIT 1", &[&from], is_sound)?;
    }
    Ok(())
}

/// Passes one key and its value to `is_sound`, and returns the key.
fn check_row(
    connection: &Connection,
    space: Space,
    which: &str,
    parameters: &[&dyn ToSql],
    is_sound: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> Result<Option<Vec<u8>>, StorageError> {
    let value = format!("CASE WHEN length(value) <= {SAMPLE_BYTES} THEN value END");
    let sql = format!("SELECT key, {value} FROM {} {which}", table(space));
    let found = connection.query_row(&sql, parameters, |row| {
        let key = match space {
            Space::Log => row.get::<_, i64>(0)?.to_be_bytes().to_vec(),
            _ => row.get(0)?,
        };
        Ok((key, row.get::<_, Option<Vec<u8>>>(1)?))
    });
    match found.optional()? {
        Some((key, Some(value))) if !is_sound(&key, &value) => Err(StorageError::Damaged),
        found => Ok(found.map(|(key, _)| key)),
    }
}

/// Returns a key at `position` / [`SAMPLES`] of the way from `first` to `last`.
fn key_between(first: &[u8], last: &[u8], position: u8) -> Vec<u8> {
    let same = first.iter().zip(last).take_while(|(one, other)| one == other).count();
    let number = |key: &[u8]| {
        let bytes = key.iter().skip(same).chain(std::iter::repeat(&0)).take(6);
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (from, to) = (number(first), number(last));
    let number = from + to.saturating_sub(from) * u64::from(position) / u64::from(SAMPLES);
    first.iter().take(same).chain(number.to_be_bytes().iter().skip(2)).copied().collect()
}

/// Applies all changes of a batch in the connection's transaction, which must be rolled back if this fails.
pub fn apply(connection: &Connection, batch: &Batch) -> Result<(), StorageError> {
    for (space, key, value) in &batch.changes {
        let table = table(*space);
        let sql = match value {
            Some(_) => format!("INSERT INTO {table} VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2"),
            None => format!("DELETE FROM {table} WHERE key = ?1"),
        };
        let mut statement = connection.prepare_cached(&sql)?;
        match (space, value) {
            (Space::Log, Some(value)) => statement.execute(params![row(key), value])?,
            (Space::Log, None) => statement.execute([row(key)])?,
            (_, Some(value)) => statement.execute(params![key, value])?,
            (_, None) => statement.execute([key])?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_last_log_rows_are_found_without_a_scan() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE log(key INTEGER PRIMARY KEY, value BLOB NOT NULL)").unwrap();
        for sql in LOG_ENDS {
            let plan =
                connection.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |row| row.get::<_, String>(3));
            assert_eq!(plan.unwrap(), "SEARCH log");
        }
    }

    #[test]
    fn sample_keys_are_evenly_spaced() {
        let parts = |first: &[u8], last: &[u8]| -> Vec<Vec<u8>> {
            (1..SAMPLES).map(|position| key_between(first, last, position)).collect()
        };
        for (first, last) in
            [(&b"t/a"[..], &b"t/z"[..]), (b"a", b"zz"), (b"\x00", b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF")]
        {
            let parts = parts(first, last);
            assert!(parts.is_sorted() && first < &parts[0][..] && &parts[6][..] < last, "{parts:?}");
        }
        assert!(parts(b"same", b"same").iter().all(|part| part.starts_with(b"same")));
    }
}
