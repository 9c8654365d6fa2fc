//! Imports the data of the engine that earlier versions used: dynoxide, an SQLite file `holdfast.db` with items as
//! JSON.
//!
//! Invariants: the former file is not changed; an interrupted import starts again the next time, because the new
//! file gets its name only when it is complete.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::accounts::sign_up::SignUp;
use holdfast::base::clock::Clock;
use holdfast::engine::Engine;
use holdfast::hosts::process;
use holdfast::store::schema::create_table;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row};
use tokio::task::spawn_blocking;

use crate::data::DataDirectory;
use crate::failure::{Failure, system};
use crate::files::{remove_if_exists, sync_name};
use crate::local::{CONSUMER, TABLE, no_cookies};

/// The number of items in one write.
const BATCH_SIZE: usize = 200;

type Item = HashMap<String, AttributeValue>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Imports the data that the former engine has left in this directory, unless the current engine has a file there
/// already.
pub async fn take_over(data: &DataDirectory) -> Result<(), Failure> {
    let (former, store) = (data.former_database(), data.database());
    // If the log of a store exists without the store, opening it reports the problem.
    if store.exists() || has_log(&store) || !former.exists() {
        return Ok(());
    }
    let failed = |cause: BoxError| Failure::Former { path: former.clone(), cause: describe(&*cause) };
    let part = store.with_extension("part");
    remove(&part).map_err(|error| failed(error.into()))?;
    let engine = {
        let part = part.clone();
        let clock = Clock::of_system();
        let opened = spawn_blocking(move || Engine::open(&part, move || clock.now())).await;
        opened.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?
    };
    let line =
        holdfast::store::line::Line::to(holdfast::store::Embedded::new(engine.clone(), process::blocking()));
    create_table(&process::app(line, TABLE, no_cookies(), SignUp::Off).dynamo).await?;
    let from = former.clone();
    let copied = spawn_blocking(move || -> Result<Copied, BoxError> {
        let copied = copy(&from, &engine)?;
        let whole = store.with_extension("whole");
        remove(&whole)?;
        engine.backup(&whole)?;
        drop(engine);
        remove_siblings(&store)?;
        fs::rename(&whole, &store)?;
        // The former file must not be imported again after a crash: later changes would be lost.
        sync_name(&store)?;
        remove(&part)?;
        Ok(copied)
    });
    let Copied { items, unread } = copied.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
    tracing::info!(items, unread, "took over {}, which stays as it is", former.display());
    Ok(())
}

/// Describes an error without the names of a library's types.
fn describe(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    if let Some(error) = cause.downcast_ref::<rusqlite::Error>() {
        return match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => "file is not a database".to_owned(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                "another program has it open".to_owned()
            }
            Some(rusqlite::ErrorCode::DiskFull) => "the disk is full".to_owned(),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => "it is damaged".to_owned(),
            _ => "it does not contain data of that version".to_owned(),
        };
    }
    if cause.is::<serde_json::Error>() || cause.is::<std::num::ParseIntError>() {
        return "an item in it is invalid".to_owned();
    }
    cause.downcast_ref::<io::Error>().map_or_else(|| cause.to_string(), system)
}

/// Returns whether SQLite has left a log next to a file, which may contain changes.
pub fn has_log(path: &Path) -> bool {
    fs::metadata(sibling(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Removes the empty files that SQLite has left next to a file that does not exist.
pub fn remove_siblings(path: &Path) -> io::Result<()> {
    if has_log(path) {
        return Err(io::Error::other("a log exists without its file"));
    }
    remove_all(path, &["-wal", "-shm"])
}

/// Removes a file of the engine and the files that SQLite keeps next to it, if they exist.
pub fn remove(path: &Path) -> io::Result<()> {
    remove_all(path, &["", "-wal", "-shm"])
}

fn remove_all(path: &Path, endings: &[&str]) -> io::Result<()> {
    endings.iter().try_for_each(|ending| remove_if_exists(&sibling(path, ending)))
}

struct Copied {
    items: usize,
    /// Changes that the stream reader had not handled.
    unread: usize,
}

fn copy(from: &Path, engine: &Engine) -> Result<Copied, BoxError> {
    let former = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let items = copy_items(&former, engine)?;
    let unread = copy_unread(&former, engine)?;
    Ok(Copied { items, unread })
}

/// Copies all items except the readers' checkpoints, which the engine keeps itself.
fn copy_items(former: &Connection, engine: &Engine) -> Result<usize, BoxError> {
    let sql = format!("SELECT item_json FROM \"{TABLE}\" WHERE pk NOT LIKE 'S:STREAM#%' ORDER BY pk, sk");
    let mut select = former.prepare(&sql)?;
    let mut rows = select.query([])?;
    let (mut all, mut batch) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        batch.push(item(&row.get::<_, String>(0)?)?);
        all += 1;
        if batch.len() == BATCH_SIZE {
            engine.load(TABLE, std::mem::take(&mut batch))?;
        }
    }
    if !batch.is_empty() {
        engine.load(TABLE, batch)?;
    }
    Ok(all)
}

/// Copies the changes that no reader has handled yet.
fn copy_unread(former: &Connection, engine: &Engine) -> Result<usize, BoxError> {
    let checkpoint = format!("SELECT item_json FROM \"{TABLE}\" WHERE pk = 'S:STREAM#holdfast'");
    let mut select = former.prepare(&checkpoint)?;
    let mut read = 0_i64;
    for json in select.query_map([], |row| row.get::<_, String>(0))? {
        let item = item(&json?)?;
        let sequence = item.get("sequence").and_then(|value| value.as_s().ok());
        // The former engine wrote its sequence numbers as a 1 followed by 20 digits.
        let digits = sequence.and_then(|digits| digits.get(digits.len().checked_sub(20)?..));
        read = read.max(digits.ok_or("a checkpoint has no sequence number")?.parse()?);
    }
    // From now on, the engine keeps changes for this reader.
    engine.register_reader(CONSUMER)?;
    let mut select = former.prepare(
        "SELECT old_image, new_image, created_at FROM _stream_records WHERE table_name = ?1 \
         AND CAST(sequence_number AS INTEGER) > ?2 ORDER BY id",
    )?;
    let mut rows = select.query(rusqlite::params![TABLE, read])?;
    let mut all = 0;
    while let Some(row) = rows.next()? {
        let (old, new) = (image(row, 0)?, image(row, 1)?);
        engine.log_change(TABLE, Timestamp::from_second(row.get(2)?)?, old.as_ref(), new.as_ref())?;
        all += 1;
    }
    Ok(all)
}

fn image(row: &Row<'_>, column: usize) -> Result<Option<Item>, BoxError> {
    row.get::<_, Option<String>>(column)?.map(|json| item(&json)).transpose()
}

fn item(json: &str) -> Result<Item, BoxError> {
    let item: HashMap<String, serde_dynamo::AttributeValue> = serde_json::from_str(json)?;
    Ok(item.into_iter().map(|(name, value)| (name, value.into())).collect())
}
