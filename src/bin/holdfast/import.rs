//! `holdfast import`: imports files from the shell.

use std::io::Read;

use holdfast::base::identity::Actor;
use holdfast::imports::ImportError;
use holdfast::imports::limits::MAX_SHELL_BYTES;
use holdfast::imports::mapping::{Field, Mapping, MappingError, field_named};
use holdfast::imports::outcome::Counts;
use holdfast::imports::run::{self, FileOptions, Report};
use holdfast::shared::numbers::counted;

use crate::ACTOR;
use crate::cli::ImportLeads;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;
use files::ReportFiles;

mod files;

/// Imports leads from a file, and prints progress and a report. Fails if rows were rejected or no row was written.
pub async fn leads(options: ImportLeads, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let bytes = read(&options, console)?;
    let opened = host.open(&options.table).await?;
    let mut files = ReportFiles::new(&options, console);
    let each = |step: run::FileStep<'_>| {
        console.progress(&progress_of(&step.progress));
        files.add(&step)
    };
    let map = |guess| mapped(&options, guess);
    let (known, no_header, dry_run) = (options.known, options.no_header, options.dry_run);
    let name = options.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file_options = FileOptions { map: &map, known, no_header, dry_run, file_name: &name };
    let imported = opened.app.imports().run_file(&Actor::new(ACTOR), &bytes, &file_options, each).await;
    console.end_progress();
    opened.close().await;
    let report = imported?;
    print_counts(&report, &options, console);
    files.finish()?;
    check_outcome(report.counts, &options)
}

/// Reads the whole file, up to the limit.
fn read(options: &ImportLeads, console: &dyn Console) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = console.open(&options.file);
    let read = file.and_then(|file| file.take(MAX_SHELL_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(Failure::file("read", &options.file))?;
    match bytes.len() as u64 > MAX_SHELL_BYTES {
        true => Err(Failure::LargeFile(MAX_SHELL_BYTES / 1024 / 1024)),
        false => Ok(bytes),
    }
}

/// Completes the guessed mapping by the options.
fn mapped(options: &ImportLeads, guess: Mapping) -> Result<Mapping, ImportError> {
    let columns = options
        .map
        .iter()
        .try_fold(guess, |mapping, (header, field)| mapping.with_column(header, field_named(field)?))?;
    let values = options.map_value.iter().try_fold(columns, |mapping, (text, value)| {
        let (field, text) = field_of_value(text)?;
        mapping.with_value(field, text, value)
    })?;
    Ok(values)
}

/// Splits `FIELD:TEXT`. Without a field, or if the text before the colon names none, it is a status.
fn field_of_value(text: &str) -> Result<(Field, &str), MappingError> {
    let named = text.split_once(':').and_then(|(field, text)| Some((field_named(field).ok()?, text)));
    Ok(named.unwrap_or((Field::Status, text)))
}

/// Fails if no row was written, because the file may be the wrong one. `--allow-rejects` accepts rejected rows, and a
/// file whose rows are all leads already, so that a script can import the same file again.
fn check_outcome(counts: Counts, options: &ImportLeads) -> Result<(), Failure> {
    let written = counts.created + counts.filled + counts.updated;
    let nothing = |why: String| Err(Failure::NothingCreated(why));
    match (written, counts.skipped, counts.rejected) {
        (0, 0, 0) => nothing("the file has no rows under its header".to_owned()),
        (0, 0, _) => nothing("all rows were rejected".to_owned()),
        _ if options.allow_rejects => Ok(()),
        (0, _, 1..) => nothing("all other rows are existing leads".to_owned()),
        (0, 1, 0) => nothing("the only row is a lead already; --allow-rejects accepts that".to_owned()),
        (0, rows, 0) => nothing(format!("all rows are leads already ({rows}); --allow-rejects accepts that")),
        (_, _, 0) => Ok(()),
        (_, _, rejected) => Err(Failure::RowsRejected(rejected)),
    }
}

fn progress_of(progress: &run::Progress) -> Progress {
    let counts = progress.counts;
    let words =
        format!("{} created, {} skipped, {} rejected", counts.created, counts.skipped, counts.rejected);
    Progress { done: progress.done, of: progress.size, words }
}

fn print_counts(report: &Report, options: &ImportLeads, console: &dyn Console) {
    let counts = report.counts;
    console.print(&format!(
        "Read {}.{}",
        counted(counts.total(), "row", "rows"),
        if options.dry_run { " Nothing was written." } else { "" }
    ));
    let created =
        if options.dry_run { "would be created, unless a lead already has the email" } else { "created" };
    console.print(&format!("  {:>7} {created}", counts.created));
    if counts.filled + counts.updated > 0 {
        console.print(&format!("  {:>7} filled empty fields of a lead", counts.filled));
        console.print(&format!("  {:>7} updated a lead", counts.updated));
    }
    console.print(&format!("  {:>7} skipped, because a lead already has the email", counts.skipped));
    console.print(&format!("  {:>7} rejected", counts.rejected));
    console.print(&format!("The file has {}.", report.mapping.summary()));
}
