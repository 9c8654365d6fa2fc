//! Taking over the data of the engine that Holdfast had before: dynoxide, an SQLite file `holdfast.db` with items as JSON.
//!
//! What always holds: the former file stays as it is; a start that is cut off begins anew the next time, for the new file
//! gets its name only when it is whole.

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

use crate::data::{DataDirectory, sync_name};
use crate::failure::{Failure, system};
use crate::serve::TABLE;
use crate::table::no_cookies;
use crate::workers::CONSUMER;

/// So many items are put in one write.
const AT_ONCE: usize = 200;

type Item = HashMap<String, AttributeValue>;
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Takes over what the former engine has left in this directory, unless the present one has a file there already.
///
/// # Errors
/// [`Failure::Former`].
pub async fn take_over(data: &DataDirectory) -> Result<(), Failure> {
    let (former, store) = (data.former_database(), data.database());
    // Where the log of a store lies without it, opening says what is wrong.
    if store.exists() || has_log(&store) || !former.exists() {
        return Ok(());
    }
    let failed = |cause: Cause| Failure::Former { path: former.clone(), cause: plain(&*cause) };
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
    let copied = spawn_blocking(move || -> Result<Copied, Cause> {
        let copied = copy(&from, &engine)?;
        let whole = store.with_extension("whole");
        remove(&whole)?;
        engine.backup(&whole)?;
        drop(engine);
        remove_beside(&store)?;
        fs::rename(&whole, &store)?;
        // The former file must not be taken over again after a crash: later changes would be lost.
        sync_name(&store)?;
        remove(&part)?;
        Ok(copied)
    });
    let Copied { items, unread } = copied.await.map_err(|error| failed(error.into()))?.map_err(failed)?;
    tracing::info!(items, unread, "took over {}, which stays as it is", former.display());
    Ok(())
}

/// What went wrong, without the words of a library's types.
fn plain(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    if let Some(error) = cause.downcast_ref::<rusqlite::Error>() {
        return match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => "file is not a database".to_owned(),
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                "another program has it open".to_owned()
            }
            Some(rusqlite::ErrorCode::DiskFull) => "the disk is full".to_owned(),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => "it is damaged".to_owned(),
            _ => "it does not hold what that version wrote".to_owned(),
        };
    }
    if cause.is::<serde_json::Error>() || cause.is::<std::num::ParseIntError>() {
        return "an item in it is not what that version wrote".to_owned();
    }
    cause.downcast_ref::<io::Error>().map_or_else(|| cause.to_string(), system)
}

/// Whether SQLite has left a log beside a file, in which changes may stand.
pub fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Removes what SQLite has left beside a file that is not there, and that holds no changes.
pub fn remove_beside(path: &Path) -> io::Result<()> {
    if has_log(path) {
        return Err(io::Error::other("there is a log without its file"));
    }
    remove_all(path, &["-wal", "-shm"])
}

/// Removes a file of the engine and what SQLite keeps beside it, if they are there.
pub fn remove(path: &Path) -> io::Result<()> {
    remove_all(path, &["", "-wal", "-shm"])
}

fn remove_all(path: &Path, endings: &[&str]) -> io::Result<()> {
    for ending in endings {
        match fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What was copied.
struct Copied {
    items: usize,
    /// Changes that the reader of the stream had not dealt with.
    unread: usize,
}

fn copy(from: &Path, engine: &Engine) -> Result<Copied, Cause> {
    let former = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let items = copy_items(&former, engine)?;
    let unread = copy_unread(&former, engine)?;
    Ok(Copied { items, unread })
}

/// Copies all items but the checkpoints of readers, for the engine keeps those itself.
fn copy_items(former: &Connection, engine: &Engine) -> Result<usize, Cause> {
    let sql = format!("SELECT item_json FROM \"{TABLE}\" WHERE pk NOT LIKE 'S:STREAM#%' ORDER BY pk, sk");
    let mut select = former.prepare(&sql)?;
    let mut rows = select.query([])?;
    let (mut all, mut some) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        some.push(item(&row.get::<_, String>(0)?)?);
        all += 1;
        if some.len() == AT_ONCE {
            engine.load(TABLE, std::mem::take(&mut some))?;
        }
    }
    if !some.is_empty() {
        engine.load(TABLE, some)?;
    }
    Ok(all)
}

/// Copies the changes that nobody has dealt with yet.
fn copy_unread(former: &Connection, engine: &Engine) -> Result<usize, Cause> {
    let checkpoint = format!("SELECT item_json FROM \"{TABLE}\" WHERE pk = 'S:STREAM#holdfast'");
    let mut select = former.prepare(&checkpoint)?;
    let mut read = 0_i64;
    for json in select.query_map([], |row| row.get::<_, String>(0))? {
        let item = item(&json?)?;
        let sequence = item.get("sequence").and_then(|value| value.as_s().ok());
        // The former engine gave its numbers out with a 1 before 20 digits.
        let digits = sequence.and_then(|digits| digits.get(digits.len().checked_sub(20)?..));
        read = read.max(digits.ok_or("a checkpoint has no sequence number")?.parse()?);
    }
    // From now on they are kept for it.
    engine.register_reader(CONSUMER)?;
    let mut select = former.prepare(
        "SELECT old_image, new_image, created_at FROM _stream_records WHERE table_name = ?1 \
         AND CAST(sequence_number AS INTEGER) > ?2 ORDER BY id",
    )?;
    let mut rows = select.query(rusqlite::params![TABLE, read])?;
    let mut all = 0;
    while let Some(row) = rows.next()? {
        let (old, new) = (image(row, 0)?, image(row, 1)?);
        engine.tell(TABLE, Timestamp::from_second(row.get(2)?)?, old.as_ref(), new.as_ref())?;
        all += 1;
    }
    Ok(all)
}

fn image(row: &Row<'_>, column: usize) -> Result<Option<Item>, Cause> {
    row.get::<_, Option<String>>(column)?.map(|json| item(&json)).transpose()
}

fn item(json: &str) -> Result<Item, Cause> {
    let item: HashMap<String, serde_dynamo::AttributeValue> = serde_json::from_str(json)?;
    Ok(item.into_iter().map(|(name, value)| (name, value.into())).collect())
}
