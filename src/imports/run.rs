//! The steps that turn rows into leads.
//!
//! Invariants: the source of a lead names the import (or the run) and the row. So if this or another process
//! repeats a step, completely or in part, it creates nothing twice and counts the same.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::ImportError;
use super::domain::{Counts, Import, Rejection, Step};
use super::file::{Cursor, Head, Limits, Row, read_rows};
use super::mapping::{Mapping, rejected_csv};
use super::rows::lead_of;
use crate::base::identity::Actor;
use crate::imports::Imports;
use crate::imports::domain::Phase;
use crate::imports::limits::MAX_COLUMNS;
use crate::leads::LeadError;
use crate::leads::domain::NewLead;
use crate::leads::store::Imported;

/// The most rows in one step.
pub const STEP_ROWS: usize = 200;
/// A step ends after this time: a request to Lambda has 30 s, and a slow store must not use them all.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(8);
/// The number of rows between two checks of the time.
const BATCH_ROWS: usize = 40;
/// The number of leads that a step creates at the same time. Other requests run beside it.
const CONCURRENCY: usize = 8;
/// The number of leads that the command line creates at the same time. On local data they share commits.
const CONCURRENCY_FROM_SHELL: usize = 32;

impl Imports {
    /// Runs the next step of an import. Does nothing if the import is done.
    ///
    /// # Errors
    /// [`ImportError::NotStarted`] if the columns are not mapped, or [`ImportError::Store`] if the store
    /// failed. It is then safe to repeat the step.
    pub async fn step(&self, import: &Import, by: &Actor) -> Result<Import, ImportError> {
        if import.stage == Phase::Done {
            return Ok(import.clone());
        }
        let (Some(head), Some(mapping), Some(cursor)) = (&import.head, &import.mapping, import.cursor) else {
            return Err(ImportError::NotStarted);
        };
        let (window, at_end) = self.window(import, cursor).await?;
        let runner = StepRunner {
            imports: self,
            by,
            mapping,
            source: format!("import:{}", import.id),
            concurrency: CONCURRENCY,
        };
        let step = runner.step(head, cursor, &window, at_end).await?;
        self.advance(import, &step).await
    }
}

/// The progress of a file's import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The number of bytes processed.
    pub done: u64,
    /// The number of bytes in the file.
    pub size: u64,
    /// The numbers of rows processed so far.
    pub counts: Counts,
}

/// The result of importing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The numbers of rows, by result.
    pub counts: Counts,
    /// The rejected rows, in the order of the file.
    pub rejections: Vec<Rejection>,
    head: Head,
}

impl Report {
    /// Returns the rejected rows as a file that can be corrected and imported again.
    ///
    /// # Errors
    /// The same as [`rejected_csv`]: none in practice.
    pub fn rejected_csv(&self) -> Result<String, csv::Error> {
        rejected_file(&self.head, &self.rejections)
    }
}

/// Returns rejected rows as a file that can be corrected and imported again.
///
/// # Errors
/// The same as [`rejected_csv`]: none in practice.
pub fn rejected_file(head: &Head, rejections: &[Rejection]) -> Result<String, csv::Error> {
    let rows = rejections.iter().map(|one| (one.row, one.reason.as_str(), one.fields.as_slice()));
    rejected_csv(head.dialect.delimiter, &head.headers, rows)
}

impl Imports {
    /// Imports a whole file, with its columns mapped by their headers. If it is repeated after a failure, it
    /// reads all rows again. Rows that the first run created are skipped, because their email addresses
    /// exist.
    ///
    /// # Errors
    /// What is wrong with the file or its columns, or [`ImportError::Store`] if the store failed.
    pub async fn run_file(
        &self,
        by: &Actor,
        bytes: &[u8],
        progress: impl Fn(Progress),
    ) -> Result<Report, ImportError> {
        let head = Head::detect(bytes, true)?;
        if head.dialect.columns > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns(head.dialect.columns));
        }
        let mapping = Mapping::guess(&head.headers);
        mapping.check()?;
        let source = format!("file:{}", self.rng.uuid());
        let runner =
            StepRunner { imports: self, by, mapping: &mapping, source, concurrency: CONCURRENCY_FROM_SHELL };
        let (mut counts, mut rejections, mut cursor) = (Counts::default(), Vec::new(), head.data);
        loop {
            let rest = usize::try_from(cursor.offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let step = runner.step(&head, cursor, rest, true).await?;
            counts += step.counts;
            rejections.extend(step.rejections);
            cursor = step.next;
            progress(Progress { done: cursor.offset, size: bytes.len() as u64, counts });
            if step.finished {
                return Ok(Report { counts, rejections, head });
            }
        }
    }

    /// Creates leads, several at the same time, each with its source.
    ///
    /// # Errors
    /// The first failure. Repeating the call with the same sources gives the same counts.
    pub async fn create_all(&self, by: &Actor, leads: Vec<(String, NewLead)>) -> Result<Counts, LeadError> {
        self.create_concurrently(by, leads, CONCURRENCY).await
    }

    async fn create_concurrently(
        &self,
        by: &Actor,
        leads: Vec<(String, NewLead)>,
        concurrency: usize,
    ) -> Result<Counts, LeadError> {
        let creations: Vec<_> = leads
            .into_iter()
            .map(|(source, new)| async move { self.leads.create_imported(new, by, &source).await })
            .collect();
        let outcomes: Vec<Imported> =
            stream::iter(creations).buffer_unordered(concurrency).try_collect().await?;
        let created = outcomes.iter().filter(|outcome| **outcome == Imported::Created).count() as u64;
        Ok(Counts { created, skipped: outcomes.len() as u64 - created, rejected: 0 })
    }
}

/// The values that all steps of one import share.
struct StepRunner<'a> {
    imports: &'a Imports,
    by: &'a Actor,
    mapping: &'a Mapping,
    source: String,
    concurrency: usize,
}

impl StepRunner<'_> {
    /// Reads rows from a window of the file that begins at `cursor`, and creates leads from them.
    async fn step(
        &self,
        head: &Head,
        cursor: Cursor,
        window: &[u8],
        at_end: bool,
    ) -> Result<Step, ImportError> {
        let limits = Limits { rows: STEP_ROWS, bytes: usize::MAX };
        let batch = read_rows(&head.dialect, cursor, window, at_end, limits);
        let until = self.imports.clock.now().saturating_add(STEP_TIME).unwrap_or(Timestamp::MAX);
        let (counts, rejections) = (Counts::default(), Vec::new());
        let mut step = Step { counts, rejections, next: batch.next, finished: batch.finished };
        for (number, rows) in batch.rows.chunks(BATCH_ROWS).enumerate() {
            if let Some(row) = rows.first().filter(|_| number > 0 && self.imports.clock.now() >= until) {
                (step.next, step.finished) = (row.cursor(), false);
                break;
            }
            step.counts += self.import_rows(rows, &mut step.rejections).await?;
        }
        Ok(step)
    }

    /// Creates leads from some rows. If two rows have the same email address, only the first in the file is
    /// tried.
    async fn import_rows(
        &self,
        rows: &[Row],
        rejections: &mut Vec<Rejection>,
    ) -> Result<Counts, ImportError> {
        let mut counts = Counts::default();
        let mut leads = Vec::new();
        let mut emails = HashSet::new();
        for row in rows {
            match lead_of(row, self.mapping) {
                Err(reason) => {
                    counts.rejected += 1;
                    rejections.push(Rejection::of(row, reason));
                }
                Ok(new) if !emails.insert(new.email.key()) => counts.skipped += 1,
                Ok(new) => leads.push((format!("{}:{}", self.source, row.number), new)),
            }
        }
        counts += self.imports.create_concurrently(self.by, leads, self.concurrency).await?;
        Ok(counts)
    }
}
