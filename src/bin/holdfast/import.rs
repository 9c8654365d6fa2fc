//! `holdfast import`: files from the shell.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use holdfast::leads::domain::Actor;
use holdfast::leads::import::run::{Progress, Report, run_file};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::ImportLeads;
use crate::failure::Failure;
use crate::table::Opened;
use crate::{ACTOR, say};

/// How many rejected rows are told on the terminal.
const TOLD: usize = 20;

/// Imports leads from a CSV file, with a progress bar where a person watches, and tells what became of its rows.
///
/// # Errors
/// [`Failure::Import`] in words for a file that cannot be imported; any failure of the files or the table.
pub async fn leads(options: ImportLeads) -> Result<(), Failure> {
    let bytes = fs::read(&options.file).map_err(Failure::file("read", &options.file))?;
    let opened = Opened::open(&options.table).await?;
    let bar = bar();
    let imported = run_file(&opened.app, &Actor::new(ACTOR), &bytes, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    opened.close().await;
    tell(&imported?, options.rejected.as_deref())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    // A template that is not understood would leave the plain bar.
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}%  {msg}  {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    let counts = progress.counts;
    bar.set_length(progress.size);
    bar.set_position(progress.done);
    bar.set_message(format!(
        "{} created, {} skipped, {} rejected",
        counts.created, counts.skipped, counts.rejected
    ));
}

fn tell(report: &Report, rejected: Option<&Path>) -> Result<(), Failure> {
    let counts = report.counts;
    say(&format!("Read {} rows.", counts.total()));
    say(&format!("  {:>7} created", counts.created));
    say(&format!("  {:>7} skipped, for a lead has their e-mail address already", counts.skipped));
    say(&format!("  {:>7} rejected", counts.rejected));
    if report.rejections.is_empty() {
        return Ok(());
    }
    if let Some(path) = rejected {
        let csv = report.rejected_csv().map_err(|error| Failure::file("write", path)(error.into()))?;
        // A file that is there may be the one just imported, and is not written over.
        let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(csv.as_bytes())).map_err(Failure::file("write", path))?;
        say(&format!("The rejected rows are in {}; correct them and import that file.", path.display()));
        return Ok(());
    }
    for rejection in report.rejections.iter().take(TOLD) {
        say(&format!("  row {}: {}", rejection.row, rejection.reason));
    }
    let more = report.rejections.len().saturating_sub(TOLD);
    if more > 0 {
        say(&format!("  and {more} more"));
    }
    say(
        "With --rejected FILE they are written to a file, to be corrected and imported again; the same file twice does no harm.",
    );
    Ok(())
}
