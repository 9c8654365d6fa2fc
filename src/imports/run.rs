//! Steps: rows become leads.
//!
//! What always holds: a row's lead is created under a source that names the import (or the run) and the row,
//! so a step that is repeated, wholly or in part, by this process or another, creates nothing twice and counts the same.

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

/// The most rows of one step.
pub const STEP_ROWS: usize = 200;
/// After this time a step ends where it is: a request to Lambda has 30 s, and a slow store must not take them all.
const STEP_TIME: SignedDuration = SignedDuration::from_secs(8);
/// Rows between two looks at the clock.
const CHUNK_ROWS: usize = 40;
/// Leads created at the same time by a step, which is a request among others.
const AT_ONCE: usize = 8;
/// Leads created at the same time from the shell: on local data they share commits.
const AT_ONCE_FROM_SHELL: usize = 32;

impl Imports {
    /// Does the next step of an import that is running; of one that is not, nothing.
    ///
    /// # Errors
    /// [`ImportError::NotStarted`] if the columns were not mapped, [`ImportError::Store`] if the store failed; the same
    /// step again is safe then.
    pub async fn step(&self, import: &Import, by: &Actor) -> Result<Import, ImportError> {
        if import.stage == Phase::Done {
            return Ok(import.clone());
        }
        let (Some(head), Some(mapping), Some(cursor)) = (&import.head, &import.mapping, import.cursor) else {
            return Err(ImportError::NotStarted);
        };
        let (window, at_end) = self.window(import, cursor).await?;
        let work =
            Work { imports: self, by, mapping, source: format!("import:{}", import.id), at_once: AT_ONCE };
        let step = work.step(head, cursor, &window, at_end).await?;
        self.advance(import, &step).await
    }
}

/// How far the import of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that are done.
    pub done: u64,
    /// The file's bytes.
    pub size: u64,
    /// What became of the rows so far.
    pub counts: Counts,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What became of its rows.
    pub counts: Counts,
    /// The rejected rows, in the file's order.
    pub rejections: Vec<Rejection>,
    head: Head,
}

impl Report {
    /// The rejected rows as a file to correct and to import again.
    ///
    /// # Errors
    /// As [`rejected_csv`]: none in practice.
    pub fn rejected_csv(&self) -> Result<String, csv::Error> {
        rejected_file(&self.head, &self.rejections)
    }
}

/// Rejected rows as a file to correct and to import again.
///
/// # Errors
/// As [`rejected_csv`]: none in practice.
pub fn rejected_file(head: &Head, rejections: &[Rejection]) -> Result<String, csv::Error> {
    let rows = rejections.iter().map(|one| (one.row, one.reason.as_str(), one.fields.as_slice()));
    rejected_csv(head.dialect.delimiter, &head.headers, rows)
}

impl Imports {
    /// Imports a file that is at hand, columns mapped by their headers. Repeated after a failure, it goes through the
    /// rows again: those that the first run created are skipped, for their e-mail addresses are there.
    ///
    /// # Errors
    /// What is wrong with the file or its columns, in words; [`ImportError::Store`] if the store failed.
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
        let work = Work { imports: self, by, mapping: &mapping, source, at_once: AT_ONCE_FROM_SHELL };
        let (mut counts, mut rejections, mut cursor) = (Counts::default(), Vec::new(), head.data);
        loop {
            let rest = usize::try_from(cursor.offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let step = work.step(&head, cursor, rest, true).await?;
            counts += step.counts;
            rejections.extend(step.rejections);
            cursor = step.next;
            progress(Progress { done: cursor.offset, size: bytes.len() as u64, counts });
            if step.finished {
                return Ok(Report { counts, rejections, head });
            }
        }
    }

    /// Creates leads, each under its source, several at the same time.
    ///
    /// # Errors
    /// The first failure; the same leads again under the same sources are counted the same.
    pub async fn create_all(&self, by: &Actor, leads: Vec<(String, NewLead)>) -> Result<Counts, LeadError> {
        self.create_some(by, leads, AT_ONCE).await
    }

    async fn create_some(
        &self,
        by: &Actor,
        leads: Vec<(String, NewLead)>,
        at_once: usize,
    ) -> Result<Counts, LeadError> {
        let creations: Vec<_> = leads
            .into_iter()
            .map(|(source, new)| async move { self.leads.create_imported(new, by, &source).await })
            .collect();
        let outcomes: Vec<Imported> = stream::iter(creations).buffer_unordered(at_once).try_collect().await?;
        let created = outcomes.iter().filter(|outcome| **outcome == Imported::Created).count() as u64;
        Ok(Counts { created, skipped: outcomes.len() as u64 - created, rejected: 0 })
    }
}

/// What all steps of one import share.
struct Work<'a> {
    imports: &'a Imports,
    by: &'a Actor,
    mapping: &'a Mapping,
    source: String,
    at_once: usize,
}

impl Work<'_> {
    /// Reads rows from a window of the file that begins at `cursor`, and makes leads of them.
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
        for (number, rows) in batch.rows.chunks(CHUNK_ROWS).enumerate() {
            if let Some(row) = rows.first().filter(|_| number > 0 && self.imports.clock.now() >= until) {
                (step.next, step.finished) = (row.cursor(), false);
                break;
            }
            step.counts += self.take(rows, &mut step.rejections).await?;
        }
        Ok(step)
    }

    /// Makes leads of some rows. Of two with one e-mail address the first in the file wins, so the others are not
    /// even tried beside it.
    async fn take(&self, rows: &[Row], rejections: &mut Vec<Rejection>) -> Result<Counts, ImportError> {
        let mut counts = Counts::default();
        let mut leads = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            match lead_of(row, self.mapping) {
                Err(reason) => {
                    counts.rejected += 1;
                    rejections.push(Rejection::of(row, reason));
                }
                Ok(new) if !seen.insert(new.email.key()) => counts.skipped += 1,
                Ok(new) => leads.push((format!("{}:{}", self.source, row.number), new)),
            }
        }
        counts += self.imports.create_some(self.by, leads, self.at_once).await?;
        Ok(counts)
    }
}
