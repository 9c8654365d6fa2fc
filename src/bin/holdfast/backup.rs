//! `holdfast backup` and `holdfast restore`: the local data as one file, and back.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use holdfast::base::clock::Clock;
use holdfast::base::rng::Rng;
use holdfast::engine::Engine;
use tokio::task::spawn_blocking;

use crate::cli::{Backup, Restore};
use crate::console::{Console, Progress};
use crate::data::{DataDirectory, sync_name};
use crate::failure::Failure;
use crate::table::{Host, Local};
use crate::takeover;

/// Writes a consistent copy of the local data to a new file, also while a server changes them.
///
/// # Errors
/// [`Failure::Backup`], [`Failure::File`]; any failure of opening the data.
pub async fn backup(options: Backup, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    host.expect_data(&options.data)?;
    let opened = host.open_local(&options.data).await?;
    let copied = match &opened.local {
        Some(local) => copy(local, &options.file, console).await,
        None => Err(Failure::Backup("there are no local data".to_owned())),
    };
    opened.close().await;
    let bytes = copied?;
    console.say(&format!("Wrote {} ({}).", options.file.display(), size(bytes)));
    Ok(())
}

/// The engine copies beside its own file, and the command writes the copy to where the person wants it: beside a server
/// that is another process, whose files and paths are its own.
async fn copy(local: &Local, to: &Path, console: &dyn Console) -> Result<u64, Failure> {
    let mut file = console.create_private(to).map_err(Failure::file("write", to))?;
    let copy = Temporary(local.data.copy(&Rng::of_system()));
    let (engine, path) = (local.engine.clone(), copy.0.clone());
    let failed = |words: String| Failure::Backup(words);
    // The blocking task owns the file, so that it is removed even if the command was cancelled.
    let copied = spawn_blocking(move || engine.backup(&path).map(|()| copy)).await;
    let copied = copied.map_err(|error| failed(error.to_string()))?;
    let copy = copied.map_err(|error| failed(error.to_string()))?;
    let mut copied = fs::File::open(&copy.0).map_err(Failure::file("read", &copy.0))?;
    let written = io::copy(&mut copied, &mut file).and_then(|bytes| file.flush().map(|()| bytes));
    written.map_err(Failure::file("write", to))
}

/// A file that goes with its owner.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What was never made cannot be removed, which is what was wanted.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a backup the local data of an empty directory. Sessions end, for the directory gets a new cookie key.
///
/// # Errors
/// [`Failure::NotEmpty`] if there are data already, [`Failure::Engine`] for what is no backup, [`Failure::File`].
pub async fn restore(options: Restore, console: &dyn Console) -> Result<(), Failure> {
    let data = DataDirectory::at(&options.data.data_dir);
    let lock = data.lock_alone()?;
    if let Some(file) = data.files().into_iter().find(|file| file.exists()) {
        return Err(Failure::NotEmpty { directory: data.path().to_owned(), file });
    }
    let part = data.database().with_extension("part");
    let restored = restore_to(&part, &options.file, console).await;
    if restored.is_err() {
        takeover::remove(&part).map_err(Failure::file("remove", &part))?;
    }
    let items = restored?;
    takeover::remove_beside(&data.database())
        .map_err(Failure::file("remove what lies beside", data.database()))?;
    let named = fs::rename(&part, data.database()).and_then(|()| sync_name(&data.database()));
    named.map_err(Failure::file("write", data.database()))?;
    takeover::remove(&part).map_err(Failure::file("remove", &part))?;
    drop(lock);
    console
        .say(&format!("Restored {items} items to {}. Everybody signs in once more.", data.path().display()));
    Ok(())
}

/// Copies a backup to this file, and checks the copy as a whole before it counts. Gives the number of its items.
async fn restore_to(part: &Path, from: &Path, console: &dyn Console) -> Result<u64, Failure> {
    takeover::remove(part).map_err(Failure::file("remove", part))?;
    let mut backup = console.open(from).map_err(Failure::file("read", from))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(part).map_err(Failure::file("write", part))?;
    let copied = io::copy(&mut backup, &mut file).and_then(|bytes| file.sync_all().map(|()| bytes));
    if copied.map_err(Failure::file("write", part))? == 0 {
        return Err(Failure::Engine(format!("{}: this is no backup, for it is empty", from.display())));
    }
    drop(file);
    let path = part.to_owned();
    let opened = spawn_blocking(move || {
        let clock = Clock::of_system();
        Engine::open(&path, move || clock.now())
    });
    let named = |words: String| {
        let words = words.replace(&part.display().to_string(), &from.display().to_string());
        Failure::Engine(words.replace("restore it from a backup", "try another backup"))
    };
    let opened = opened.await.map_err(|error| named(error.to_string()))?;
    let engine = opened.map_err(|error| named(error.to_string()))?;
    let report = check(&engine, console).await;
    // The last clone waits for the threads of the file.
    let closed = spawn_blocking(move || drop(engine)).await;
    closed.map_err(|error| named(error.to_string()))?;
    if takeover::has_log(part) {
        return Err(named(format!("{}: what was restored could not be closed", part.display())));
    }
    let report = report?;
    if report.damaged > 0 {
        return Err(named(format!(
            "{}: the backup is damaged: {}",
            from.display(),
            report.findings.join("; ")
        )));
    }
    Ok(report.items)
}

/// Checks all that an engine has stored, and shows how far that is.
///
/// # Errors
/// [`Failure::Engine`] if the storage fails in another way than by being damaged.
pub async fn check(engine: &Engine, console: &dyn Console) -> Result<holdfast::engine::CheckReport, Failure> {
    let engine = engine.clone();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    // The check stops when the command was cancelled.
    let checking = spawn_blocking(move || engine.check(&mut |read| tell.send(read).is_ok()));
    while let Some(read) = told.recv().await {
        console.progress(&Progress { done: 0, of: 0, words: format!("{read} values checked") });
    }
    console.end_progress();
    let checked = checking.await.map_err(|error| Failure::Engine(error.to_string()))?;
    checked.map_err(|error| Failure::Engine(error.to_string()))
}

/// A number of bytes for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        bytes => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}
