//! Storage in a SQLite file.
//!
//! Layout and settings are the fastest of those measured with our transaction that lose nothing: items and entries of
//! indexes in tables without rowids, where each key is stored once, one log row for each transaction; write-ahead log
//! with `synchronous=FULL`, so a commit is on disk when it returns; pages of 4096 bytes; `auto_vacuum=INCREMENTAL`, so
//! that a trimmed log can give its pages back. Checkpoints are made by another connection than the writer's.
//!
//! SQLite has no checksums of pages: each value carries a CRC-32, which the engine puts there.

use std::ops::ControlFlow;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, ToSql, params};

use super::{Batch, Order, Range, Read, Space, StorageError, Visit};

/// Parts of a collection between which values are looked at when the file is opened.
const SAMPLES: u8 = 8;
/// The ends of the log. Asked for both at once, SQLite would read the whole log.
const LOG_ENDS: [&str; 2] = ["SELECT min(key) FROM log", "SELECT max(key) FROM log"];
/// The largest value that is looked at then.
const SAMPLE_BYTES: u32 = 64 * 1024;
/// Free pages that are kept at least.
const FREE_PAGES: u32 = 1024;
/// Pages that are given back at once.
const GIVE_BACK: u32 = 512;

/// SQLITE_IOERR_SHMSIZE: the file beside the write-ahead log cannot grow, for want of room.
const NO_ROOM_BESIDE_LOG: i32 = 4874;

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error().is_some_and(|error| error.extended_code == NO_ROOM_BESIDE_LOG) {
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

/// The number of a log row.
fn row(key: &[u8]) -> i64 {
    let number = key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first log row at or after a bound. A longer key than a row's own, as between two steps, comes after that row.
fn bound(key: &[u8]) -> i64 {
    row(key).saturating_add(i64::from(key.len() > 8))
}

/// Reads what a connection sees. Each call sees one state.
pub struct SqliteRead<'a>(pub &'a Connection);

impl Read for SqliteRead<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let sql = match space {
            Space::Meta => "SELECT value FROM meta WHERE key = ?1",
            Space::Items => "SELECT value FROM items WHERE key = ?1",
            Space::Index => "SELECT value FROM entries WHERE key = ?1",
            Space::Log => "SELECT value FROM log WHERE key = ?1",
        };
        let mut statement = self.0.prepare_cached(sql)?;
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

/// Gives some free pages back to the file system, if there are many: a small step inside the connection's transaction.
/// Some stay, because what is written next needs them.
///
/// # Errors
/// [`StorageError`] if SQLite fails; then the transaction must be rolled back.
pub fn give_back(connection: &Connection) -> Result<(), StorageError> {
    let free: u32 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if free > FREE_PAGES.max(pages / 8) {
        // It gives back one page for each row that is asked for.
        let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({GIVE_BACK})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// What is wrong with the file by SQLite's own check; nothing if it is sound.
///
/// # Errors
/// [`StorageError`] if it cannot be checked.
pub fn integrity(connection: &Connection) -> Result<Vec<String>, StorageError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut found = Vec::new();
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        match line.map_err(StorageError::from) {
            Ok(line) if line == "ok" => {}
            Ok(line) => found.push(line),
            // So damaged that the check itself ends there.
            Err(StorageError::Damaged) => found.push("it cannot be read to its end".to_owned()),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

/// Shows some keys and values to `is_sound`: the first and the last of each collection, and some between. They are as
/// many however much is stored, and large values are left out.
///
/// # Errors
/// [`StorageError::Damaged`] if one is not sound, another if they cannot be read.
pub fn sample(
    connection: &Connection,
    is_sound: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> Result<(), StorageError> {
    for space in [Space::Meta, Space::Items, Space::Index] {
        let Some(first) = look(connection, space, "ORDER BY key LIMIT 1", &[], is_sound)? else { continue };
        let last = look(connection, space, "ORDER BY key DESC LIMIT 1", &[], is_sound)?.unwrap_or_default();
        for place in 1..SAMPLES {
            let from = between(&first, &last, place);
            look(connection, space, "WHERE key >= ?1 ORDER BY key LIMIT 1", &[&from], is_sound)?;
        }
    }
    let end = |sql| connection.query_row(sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?.unwrap_or(0)));
    let [first, last] = LOG_ENDS;
    let (first, last) = (end(first)?, end(last)?);
    let step = last.saturating_sub(first) / i64::from(SAMPLES);
    for place in 0..=SAMPLES {
        let from = if place == SAMPLES { last } else { first.saturating_add(step * i64::from(place)) };
        look(connection, Space::Log, "WHERE key >= ?1 ORDER BY key LIMIT 1", &[&from], is_sound)?;
    }
    Ok(())
}

/// Shows one key and its value, and returns the key.
fn look(
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

/// A key at `place` / [`SAMPLES`] of the way from `first` to `last`.
fn between(first: &[u8], last: &[u8], place: u8) -> Vec<u8> {
    let same = first.iter().zip(last).take_while(|(one, other)| one == other).count();
    let number = |key: &[u8]| {
        let bytes = key.iter().skip(same).chain(std::iter::repeat(&0)).take(6);
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (from, to) = (number(first), number(last));
    let number = from + to.saturating_sub(from) * u64::from(place) / u64::from(SAMPLES);
    first.iter().take(same).chain(number.to_be_bytes().iter().skip(2)).copied().collect()
}

/// Does all changes of a batch inside the connection's transaction.
///
/// # Errors
/// [`StorageError`] if SQLite fails; then the transaction must be rolled back.
pub fn apply(connection: &Connection, batch: &Batch) -> Result<(), StorageError> {
    for (space, key, value) in &batch.changes {
        let sql = match (space, value.is_some()) {
            (Space::Meta, true) => "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            (Space::Items, true) => "INSERT INTO items VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            (Space::Index, true) => {
                "INSERT INTO entries VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2"
            }
            (Space::Log, true) => "INSERT INTO log VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            (Space::Meta, false) => "DELETE FROM meta WHERE key = ?1",
            (Space::Items, false) => "DELETE FROM items WHERE key = ?1",
            (Space::Index, false) => "DELETE FROM entries WHERE key = ?1",
            (Space::Log, false) => "DELETE FROM log WHERE key = ?1",
        };
        let mut statement = connection.prepare_cached(sql)?;
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
    fn the_ends_of_the_log_are_found_without_reading_it() {
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
            (1..SAMPLES).map(|place| between(first, last, place)).collect()
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
