//! `holdfast import`: imports files from the shell.

use std::path::Path;

use holdfast::base::identity::Actor;
use holdfast::imports::ImportError;
use holdfast::imports::mapping::{Field, Mapping, MappingError, field_named};
use holdfast::imports::outcome::{Counts, RowOutcome, RowResult};
use holdfast::imports::report::report_csv;
use holdfast::imports::run::{self, FileOptions, Report};
use holdfast::shared::numbers::counted;

use crate::ACTOR;
use crate::cli::ImportLeads;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// The maximum number of rejected rows, and of rows with notes, to print.
const MAX_PRINTED: usize = 20;

/// Imports leads from a file, and prints progress and a report. Fails if rows were rejected or no row became a lead.
pub async fn leads(options: ImportLeads, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let read = console.open(&options.file).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(Failure::file("read", &options.file))?;
    let opened = host.open(&options.table).await?;
    let show = |progress: run::Progress| console.progress(&progress_of(&progress));
    let map = |guess| mapped(&options, guess);
    let (known, no_header, dry_run) = (options.known, options.no_header, options.dry_run);
    let name = options.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file_options = FileOptions { map: &map, known, no_header, dry_run, file_name: &name };
    let imported = opened.app.imports().run_file(&Actor::new(ACTOR), &bytes, &file_options, show).await;
    console.end_progress();
    opened.close().await;
    let report = imported?;
    print_report(&report, &options, console)?;
    check_outcome(report.counts, &options)
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

/// A file that was imported before counts as success; a file without any lead counts as failure.
fn check_outcome(counts: Counts, options: &ImportLeads) -> Result<(), Failure> {
    let written = counts.created + counts.filled + counts.updated;
    match (written, counts.skipped, counts.rejected) {
        (0, 0, 0) => Err(Failure::NothingCreated("the file has no rows under its header")),
        (0, 0, _) => Err(Failure::NothingCreated("all rows were rejected")),
        (0, _, 1..) => Err(Failure::NothingCreated("all other rows are existing leads")),
        (_, _, rejected @ 1..) if !options.allow_rejects => Err(Failure::RowsRejected(rejected)),
        _ => Ok(()),
    }
}

fn progress_of(progress: &run::Progress) -> Progress {
    let counts = progress.counts;
    let words =
        format!("{} created, {} skipped, {} rejected", counts.created, counts.skipped, counts.rejected);
    Progress { done: progress.done, of: progress.size, words }
}

fn print_report(report: &Report, options: &ImportLeads, console: &dyn Console) -> Result<(), Failure> {
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
    print_notes(&report.outcomes, console);
    if let Some(path) = &options.report {
        let csv = report_csv(&report.outcomes, |lead| format!("/leads/{lead}"));
        write_new(path, csv, console)?;
        console.print(&format!("The result of each row is in {}.", path.display()));
    }
    match &options.rejected {
        Some(path) if !report.rejections.is_empty() => {
            write_new(path, report.rejected_csv(), console)?;
            let path = path.display();
            console.print(&format!("The rejected rows are in {path}; correct them and import that file."));
        }
        None if !report.rejections.is_empty() => console.print(
            "Use --rejected FILE to write them to a file, then correct and import that file. Importing a file twice does no harm.",
        ),
        _ => {}
    }
    Ok(())
}

/// Prints the first rejected rows, and then the first rows of which something was kept instead of understood.
fn print_notes(outcomes: &[RowOutcome], console: &dyn Console) {
    let is_rejected = |outcome: &&RowOutcome| outcome.result == RowResult::Rejected;
    let rejected: Vec<_> = outcomes.iter().filter(is_rejected).collect();
    let has_notes =
        |outcome: &&RowOutcome| outcome.result != RowResult::Rejected && !outcome.notes.is_empty();
    let noted: Vec<_> = outcomes.iter().filter(has_notes).collect();
    for rows in [rejected, noted] {
        for outcome in rows.iter().take(MAX_PRINTED) {
            console.print(&format!("  row {}: {}", outcome.row, outcome.notes.join(" ")));
        }
        let more = rows.len().saturating_sub(MAX_PRINTED);
        if more > 0 {
            console.print(&format!("  and {more} more"));
        }
    }
}

/// Writes a new file. An existing file may be the imported one, so it is not overwritten.
fn write_new(path: &Path, csv: Result<String, csv::Error>, console: &dyn Console) -> Result<(), Failure> {
    let csv = csv.map_err(|error| Failure::file("write", path)(error.into()))?;
    let file = console.create(path);
    file.and_then(|mut file| file.write_all(csv.as_bytes())).map_err(Failure::file("write", path))
}
