//! The files with the results and with the rejected rows, written as the steps end, and the rows that are printed. No
//! more rows than those are kept in memory.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use holdfast::imports::outcome::{RowOutcome, RowResult};
use holdfast::imports::report::report_csv;
use holdfast::imports::run::{FileStep, rejected_file};

use crate::cli::ImportLeads;
use crate::console::Console;
use crate::failure::Failure;

/// The maximum number of rejected rows, and of rows with notes, to print.
const MAX_PRINTED: usize = 20;

/// The first rows of a kind, and how many there are.
#[derive(Default)]
struct First {
    rows: Vec<RowOutcome>,
    more: u64,
}

impl First {
    fn add(&mut self, outcome: &RowOutcome) {
        match self.rows.len() < MAX_PRINTED {
            true => self.rows.push(outcome.clone()),
            false => self.more += 1,
        }
    }

    fn print(&self, console: &dyn Console) {
        for outcome in &self.rows {
            console.print(&format!("  row {}: {}", outcome.row, outcome.notes.join(" ")));
        }
        if self.more > 0 {
            console.print(&format!("  and {} more", self.more));
        }
    }
}

/// The files of a report.
pub struct ReportFiles<'a> {
    options: &'a ImportLeads,
    console: &'a dyn Console,
    report: Option<Box<dyn Write + 'a>>,
    rejected: Option<Box<dyn Write + 'a>>,
    rejections: First,
    notes: First,
    failure: Option<Failure>,
}

impl<'a> ReportFiles<'a> {
    /// Creates no file yet.
    pub fn new(options: &'a ImportLeads, console: &'a dyn Console) -> Self {
        let (rejections, notes) = (First::default(), First::default());
        Self { options, console, report: None, rejected: None, rejections, notes, failure: None }
    }

    /// Adds the rows of a step. Ends the import if a file cannot be written.
    pub fn add(&mut self, step: &FileStep<'_>) -> ControlFlow<()> {
        for outcome in step.outcomes {
            match outcome.result {
                RowResult::Rejected => self.rejections.add(outcome),
                _ if !outcome.notes.is_empty() => self.notes.add(outcome),
                _ => {}
            }
        }
        match self.write(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn write(&mut self, step: &FileStep<'_>) -> Result<(), Failure> {
        let console = self.console;
        if let Some(path) = &self.options.report {
            let csv = |rows: &[RowOutcome]| report_csv(rows, |lead| format!("/leads/{lead}"));
            append(&mut self.report, console, path, csv(&[]), csv(step.outcomes))?;
        }
        match &self.options.rejected {
            Some(path) if !step.rejections.is_empty() => {
                let csv = |rows| rejected_file(step.head, rows);
                append(&mut self.rejected, console, path, csv(&[]), csv(step.rejections))
            }
            _ => Ok(()),
        }
    }

    /// Prints the first rejected rows, then the first rows of which something was kept instead of understood, and where
    /// the files are.
    pub fn finish(self) -> Result<(), Failure> {
        let console = self.console;
        self.rejections.print(console);
        self.notes.print(console);
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if let Some(path) = &self.options.report {
            console.print(&format!("The result of each row is in {}.", path.display()));
        }
        match &self.options.rejected {
            Some(path) if self.rejected.is_some() => {
                let path = path.display();
                console.print(&format!("The rejected rows are in {path}; correct them and import that file."));
            }
            None if !self.rejections.rows.is_empty() => console.print(
                "Use --rejected FILE to write them to a file, then correct and import that file. Importing a file twice does no harm.",
            ),
            _ => {}
        }
        Ok(())
    }
}

/// Adds rows to a file. The first rows create it, with their header. An existing file may be the imported one, so it is
/// not overwritten.
fn append<'a>(
    file: &mut Option<Box<dyn Write + 'a>>,
    console: &'a dyn Console,
    path: &Path,
    header: Result<String, csv::Error>,
    rows: Result<String, csv::Error>,
) -> Result<(), Failure> {
    let written = header.and_then(|header| Ok((header, rows?))).map_err(io::Error::from);
    let written = written.and_then(|(header, rows)| {
        let begins = file.is_none();
        let file = match file {
            Some(file) => file,
            None => file.insert(console.create(path)?),
        };
        let rows = if begins { &rows[..] } else { rows.strip_prefix(&header).unwrap_or(&rows) };
        file.write_all(rows.as_bytes())
    });
    written.map_err(Failure::file("write", path))
}
