//! `holdfast backup` and `holdfast restore`: copy the local data to a file and back.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use holdfast::base::clock::Clock;
use holdfast::base::rng::Rng;
use holdfast::engine::Engine;
use holdfast::shared::numbers::counted;
use tokio::task::spawn_blocking;

use crate::cli::{Backup, Restore};
use crate::console::{Console, Progress};
use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::files::{private_file, sync_name};
use crate::table::{Host, Local};
use crate::takeover;

/// Writes a consistent copy of the local data to a new file. Works while a server changes the data.
pub async fn backup(options: Backup, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    host.expect_data(&options.data)?;
    let opened = host.open_local(&options.data).await?;
    let copied = match &opened.local {
        Some(local) => copy(local, &options.file, console).await,
        None => Err(Failure::Backup("there is no local data".to_owned())),
    };
    opened.close().await;
    let bytes = copied?;
    console.print(&format!("Wrote {} ({}).", options.file.display(), size(bytes)));
    Ok(())
}

/// Copies the data. The engine writes the copy next to its own file, and the command then streams it to the
/// destination: the engine may run in a server process that has another working directory and other file permissions.
async fn copy(local: &Local, to: &Path, console: &dyn Console) -> Result<u64, Failure> {
    let mut file = console.create_private(to).map_err(Failure::file("write", to))?;
    let copy = Temporary(local.data.copy(&Rng::of_system()));
    let (engine, path) = (local.engine.clone(), copy.0.clone());
    let failed = |error: &dyn std::fmt::Display| Failure::Backup(error.to_string());
    // The blocking task owns the file, so the file is removed even if the command is canceled.
    let copied = spawn_blocking(move || engine.backup(&path).map(|()| copy)).await;
    let copy = copied.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let mut copied = fs::File::open(&copy.0).map_err(Failure::file("read", &copy.0))?;
    let written = io::copy(&mut copied, &mut file).and_then(|bytes| file.flush().map(|()| bytes));
    written.map_err(Failure::file("write", to))
}

/// A file that is removed when this value is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // The file may not exist.
        let _ = fs::remove_file(&self.0);
    }
}

/// Restores a backup into a data directory without data. The directory gets a new cookie key, so all sessions
/// end. It keeps a data key that is there already.
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
    takeover::remove_siblings(&data.database())
        .map_err(Failure::file("remove the files next to", data.database()))?;
    let named = fs::rename(&part, data.database()).and_then(|()| sync_name(&data.database()));
    named.map_err(Failure::file("write", data.database()))?;
    takeover::remove(&part).map_err(Failure::file("remove", &part))?;
    drop(lock);
    let items = counted(items, "item", "items");
    console.print(&format!("Restored {items} to {}. Everyone must sign in again.", data.path().display()));
    if !data.data_key().exists() {
        console.print("If people use two-factor sign-in, copy data.key of the former directory there.");
    }
    Ok(())
}

/// Copies a backup to `part` and checks the whole copy. Returns the number of items.
async fn restore_to(part: &Path, from: &Path, console: &dyn Console) -> Result<u64, Failure> {
    takeover::remove(part).map_err(Failure::file("remove", part))?;
    let mut backup = console.open(from).map_err(Failure::file("read", from))?;
    let file = private_file().create_new(true).open(part);
    let mut file = file.map_err(Failure::file("write", part))?;
    let copied = io::copy(&mut backup, &mut file).and_then(|bytes| file.sync_all().map(|()| bytes));
    if copied.map_err(Failure::file("write", part))? == 0 {
        return Err(Failure::Engine(format!("{}: the file is empty, so it is not a backup", from.display())));
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
    // Dropping the last clone waits for the file's threads.
    let closed = spawn_blocking(move || drop(engine)).await;
    closed.map_err(|error| named(error.to_string()))?;
    if takeover::has_log(part) {
        return Err(named(format!("{}: the restored data could not be closed", part.display())));
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

/// Checks everything that an engine has stored, and shows progress. Damaged data is part of the report, not a failure.
pub async fn check(engine: &Engine, console: &dyn Console) -> Result<holdfast::engine::CheckReport, Failure> {
    let engine = engine.clone();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    // The check stops if the command is canceled.
    let checking = spawn_blocking(move || engine.check(&mut |read| sender.send(read).is_ok()));
    while let Some(read) = receiver.recv().await {
        console.progress(&Progress::of_words(format!("{} checked", counted(read, "value", "values"))));
    }
    console.end_progress();
    checking.await.map_err(Failure::engine)?.map_err(Failure::engine)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        bytes => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}
