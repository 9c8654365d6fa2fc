//! `holdfast import`: imports files from the shell.

use std::path::Path;

use holdfast::base::identity::Actor;
use holdfast::imports::domain::Counts;
use holdfast::imports::run;
use holdfast::imports::run::Report;

use crate::ACTOR;
use crate::cli::ImportLeads;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// The maximum number of rejected rows to print.
const MAX_PRINTED: usize = 20;

/// Imports leads from a CSV file, and prints progress and a report.
///
/// # Errors
/// [`Failure::Import`] for a file that cannot be imported; [`Failure::NothingCreated`] if no row became a lead and
/// some could not; any failure of the files or the table.
pub async fn leads(options: ImportLeads, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let read = console.open(&options.file).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(Failure::file("read", &options.file))?;
    let opened = host.open(&options.table).await?;
    let show = |progress: run::Progress| console.progress(&progress_of(&progress));
    let imported = opened.app.imports().run_file(&Actor::new(ACTOR), &bytes, show).await;
    console.end_progress();
    opened.close().await;
    let report = imported?;
    print_report(&report, options.rejected.as_deref(), console)?;
    check_outcome(report.counts)
}

/// A file that was imported before counts as success; a file without any lead counts as failure.
fn check_outcome(counts: Counts) -> Result<(), Failure> {
    match counts {
        Counts { created: 1.., .. } | Counts { skipped: 1.., rejected: 0, .. } => Ok(()),
        Counts { skipped: 0, rejected: 0, .. } => {
            Err(Failure::NothingCreated("the file has no rows under its header"))
        }
        Counts { skipped: 0, .. } => Err(Failure::NothingCreated("all rows were rejected")),
        _ => Err(Failure::NothingCreated("all other rows are leads already")),
    }
}

fn progress_of(progress: &run::Progress) -> Progress {
    let counts = progress.counts;
    let words =
        format!("{} created, {} skipped, {} rejected", counts.created, counts.skipped, counts.rejected);
    Progress { done: progress.done, of: progress.size, words }
}

fn print_report(report: &Report, rejected: Option<&Path>, console: &dyn Console) -> Result<(), Failure> {
    let counts = report.counts;
    console.print(&format!("Read {} rows.", counts.total()));
    console.print(&format!("  {:>7} created", counts.created));
    console
        .print(&format!("  {:>7} skipped, because a lead has their email address already", counts.skipped));
    console.print(&format!("  {:>7} rejected", counts.rejected));
    if report.rejections.is_empty() {
        return Ok(());
    }
    if let Some(path) = rejected {
        let csv = report.rejected_csv().map_err(|error| Failure::file("write", path)(error.into()))?;
        // An existing file may be the imported one, so it is not overwritten.
        let file = console.create(path);
        file.and_then(|mut file| file.write_all(csv.as_bytes())).map_err(Failure::file("write", path))?;
        console.print(&format!(
            "The rejected rows are in {}; correct them and import that file.",
            path.display()
        ));
        return Ok(());
    }
    for rejection in report.rejections.iter().take(MAX_PRINTED) {
        console.print(&format!("  row {}: {}", rejection.row, rejection.reason));
    }
    let more = report.rejections.len().saturating_sub(MAX_PRINTED);
    if more > 0 {
        console.print(&format!("  and {more} more"));
    }
    console.print(
        "With --rejected FILE they are written to a file, to be corrected and imported again; the same file twice does no harm.",
    );
    Ok(())
}
