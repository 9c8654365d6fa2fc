//! The steps that turn rows into leads.
//!
//! Invariants: the source of a lead names the import (or the run) and the row. So if this or another process
//! repeats a step, completely or in part, it creates nothing twice and counts the same.

use std::collections::HashMap;
use std::ops::ControlFlow;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::ImportError;
use super::domain::{Import, Rejection, Step};
use super::file::{Batch, Cursor, Head, Limits, Row, WINDOW_BYTES, csv_of, read_rows};
use super::mapping::{Field, Mapping, find_score, find_status, is_known_header, rejected_csv};
use super::outcome::{Counts, RowOutcome, RowResult};
use super::owners::Owners;
use super::rows::{ParsedRow, lead_of};
use crate::base::identity::Actor;
use crate::imports::Imports;
use crate::imports::domain::Phase;
use crate::imports::limits::MAX_COLUMNS;
use crate::leads::LeadError;
use crate::leads::import::{ImportRow, KnownEmails, RowSource};
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::numbers::counted;

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
        if import.phase != Phase::Running {
            return match import.phase {
                Phase::Uploading | Phase::Ready => Err(ImportError::NotStarted),
                _ => Ok(import.clone()),
            };
        }
        let (Some(head), Some(mapping), Some(cursor)) = (&import.head, &import.mapping, import.cursor) else {
            return Err(ImportError::NotStarted);
        };
        let limits = Limits { rows: STEP_ROWS, bytes: usize::MAX };
        let batch = self.read_batch(import, &head.dialect, cursor, limits).await?;
        let runner = StepRunner {
            imports: self,
            by,
            mapping,
            source: source_of(import),
            began: import.created_at,
            known: import.known,
            concurrency: CONCURRENCY,
        };
        let step = runner.step(batch, &mut Owners::default()).await?;
        self.advance(import, &step).await
    }
}

/// Returns the name of an import in the sources of its leads and of their changes.
pub(super) fn source_of(import: &Import) -> String {
    format!("import:{}", import.id)
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

/// A step of a file's import. The rows are not kept after it, so that the memory does not depend on their number.
#[derive(Debug)]
pub struct FileStep<'a> {
    /// The format and the header of the file.
    pub head: &'a Head,
    /// The outcome of each row of the step, in the order of the file.
    pub outcomes: &'a [RowOutcome],
    /// The rejected rows of the step, in the order of the file.
    pub rejections: &'a [Rejection],
    /// The progress after the step.
    pub progress: Progress,
}

/// The result of importing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The numbers of rows, by result.
    pub counts: Counts,
    /// The meaning of each column.
    pub mapping: Mapping,
}

/// Returns rejected rows as a file that can be corrected and imported again.
///
/// # Errors
/// The same as [`rejected_csv`]: none in practice.
pub fn rejected_file(head: &Head, rejections: &[Rejection]) -> Result<String, csv::Error> {
    let rows = rejections.iter().map(|one| (one.row, one.reason.as_str(), one.fields.as_slice()));
    rejected_csv(head.dialect.delimiter, &head.headers, rows)
}

/// How a file is imported.
pub struct FileOptions<'a> {
    /// Completes the mapping that was guessed from the headers.
    pub map: &'a dyn Fn(Mapping) -> Result<Mapping, ImportError>,
    /// What happens with rows whose email address a lead has already.
    pub known: KnownEmails,
    /// Whether the file has no header row.
    pub no_header: bool,
    /// Whether the rows are only read.
    pub dry_run: bool,
    /// The file's name, for the audit log.
    pub file_name: &'a str,
}

impl Default for FileOptions<'_> {
    fn default() -> Self {
        Self { map: &Ok, known: KnownEmails::Skip, no_header: false, dry_run: false, file_name: "A file" }
    }
}

impl Imports {
    /// Imports a whole file, and gives each step to `each`, which may end the import. If it is repeated after a
    /// failure, it reads all rows again. Rows that the first run created are skipped, because their email addresses
    /// exist.
    ///
    /// # Errors
    /// What is wrong with the file or its columns, or [`ImportError::Store`] if the store failed.
    pub async fn run_file(
        &self,
        by: &Actor,
        bytes: &[u8],
        options: &FileOptions<'_>,
        each: impl FnMut(FileStep<'_>) -> ControlFlow<()>,
    ) -> Result<Report, ImportError> {
        let csv = csv_of(bytes)?;
        let head = head_of(&csv, options)?;
        let mapping = (options.map)(Mapping::guess(&head.headers))?;
        mapping.check()?;
        if !options.dry_run {
            self.record_file(options.file_name, csv.len()).await?;
        }
        let runner = StepRunner {
            imports: self,
            by,
            mapping: &mapping,
            source: format!("file:{}", self.rng.uuid()),
            began: self.clock.now(),
            known: options.known,
            concurrency: CONCURRENCY_FROM_SHELL,
        };
        let counts = runner.run(&csv, &head, options.dry_run, each).await?;
        Ok(Report { counts, mapping })
    }

    /// Writes the audit entry of the import of a file from a shell, before the first row is written.
    async fn record_file(&self, name: &str, bytes: usize) -> Result<(), ImportError> {
        let (by, kind) = (AuditActor::command(), AuditKind::Import);
        let size = counted(bytes, "byte", "bytes");
        let detail = format!("Import of a file of {size} started from the command line.");
        let entry = AuditEntry::new(&self.rng, self.clock.now(), &by, kind, name, detail);
        Ok(self.dynamo.write_audit(&entry).await?)
    }
}

fn head_of(csv: &[u8], options: &FileOptions<'_>) -> Result<Head, ImportError> {
    let head = Head::detect(csv, true, &is_known_header)?;
    let head = match (options.no_header, head.headers_likely) {
        (true, _) => head.without_header(),
        (false, true) => head,
        (false, false) => return Err(ImportError::NoHeader(head.headers.iter().take(5).cloned().collect())),
    };
    match head.dialect.columns > MAX_COLUMNS {
        true => Err(ImportError::TooManyColumns(head.dialect.columns)),
        false => Ok(head),
    }
}

/// Reads the next rows of a file in memory.
fn batch_of(bytes: &[u8], head: &Head, cursor: Cursor) -> Batch {
    let rest = usize::try_from(cursor.offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let limits = Limits { rows: STEP_ROWS, bytes: usize::MAX };
    let mut wanted = WINDOW_BYTES * 4;
    loop {
        let window = rest.get(..wanted).unwrap_or(rest);
        let batch = read_rows(&head.dialect, cursor, window, window.len() == rest.len(), limits);
        if !batch.stalled || window.len() == rest.len() {
            return batch;
        }
        wanted *= 2;
    }
}

/// The values that all steps of one import share.
struct StepRunner<'a> {
    imports: &'a Imports,
    by: &'a Actor,
    mapping: &'a Mapping,
    source: String,
    began: Timestamp,
    known: KnownEmails,
    concurrency: usize,
}

impl StepRunner<'_> {
    /// Runs the steps of a file in memory until its end or until `each` ends them. Returns the numbers of rows.
    async fn run(
        &self,
        csv: &[u8],
        head: &Head,
        dry_run: bool,
        mut each: impl FnMut(FileStep<'_>) -> ControlFlow<()>,
    ) -> Result<Counts, ImportError> {
        let (mut owners, mut cursor, mut counts) = (Owners::default(), head.data, Counts::default());
        loop {
            let batch = batch_of(csv, head, cursor);
            let step = match dry_run {
                true => self.judge(batch),
                false => self.step(batch, &mut owners).await?,
            };
            step.outcomes.iter().for_each(|outcome| counts.add(outcome));
            cursor = step.next;
            let progress = Progress { done: cursor.offset, size: csv.len() as u64, counts };
            let (outcomes, rejections) = (&step.outcomes, &step.rejections);
            let ends = each(FileStep { head, outcomes, rejections, progress }).is_break();
            if step.finished || ends {
                return Ok(counts);
            }
        }
    }

    /// Creates and changes leads from the rows that were read.
    async fn step(&self, batch: Batch, owners: &mut Owners) -> Result<Step, ImportError> {
        let until = self.imports.clock.now().saturating_add(STEP_TIME).unwrap_or(Timestamp::MAX);
        let mut step = Step::new(batch.next, batch.finished);
        for (number, rows) in batch.rows.chunks(BATCH_ROWS).enumerate() {
            if let Some(row) = rows.first().filter(|_| number > 0 && self.imports.clock.now() >= until) {
                (step.next, step.finished) = (row.cursor(), false);
                break;
            }
            self.import_rows(rows, owners, &mut step).await?;
        }
        step.outcomes.sort_by_key(|outcome| outcome.row);
        Ok(step)
    }

    /// Says what the rows would become, without looking at the leads.
    fn judge(&self, batch: Batch) -> Step {
        let mut step = Step::new(batch.next, batch.finished);
        for row in &batch.rows {
            match lead_of(row, self.mapping) {
                Err(reason) => step.reject(row, reason),
                Ok(parsed) => step.outcomes.push(RowOutcome {
                    row: row.number,
                    result: RowResult::Created,
                    lead: None,
                    version: None,
                    notes: notes_of(row, parsed.warnings),
                }),
            }
        }
        step
    }

    /// Writes some rows. Rows with the same email address are written one after the other, so that the first row of the
    /// file comes first.
    async fn import_rows(
        &self,
        rows: &[Row],
        owners: &mut Owners,
        step: &mut Step,
    ) -> Result<(), ImportError> {
        let mut occurrences: HashMap<String, usize> = HashMap::new();
        let mut rounds: Vec<Vec<(&Row, ParsedRow)>> = Vec::new();
        for row in rows {
            let parsed = match lead_of(row, self.mapping) {
                Ok(parsed) => self.imports.with_owner(parsed, owners).await?,
                Err(reason) => {
                    step.reject(row, reason);
                    continue;
                }
            };
            let earlier = occurrences.entry(parsed.lead.email.key()).or_default();
            if rounds.len() <= *earlier {
                rounds.push(Vec::new());
            }
            rounds[*earlier].push((row, parsed));
            *earlier += 1;
        }
        for round in rounds {
            self.import_round(round, step).await?;
        }
        step.rejections.sort_by_key(|rejection| rejection.row);
        Ok(())
    }

    /// Writes rows with different email addresses.
    async fn import_round(&self, round: Vec<(&Row, ParsedRow)>, step: &mut Step) -> Result<(), ImportError> {
        let writes: Vec<_> = round.into_iter().map(|(row, parsed)| self.import_row(row, parsed)).collect();
        let written: Vec<_> = stream::iter(writes).buffer_unordered(self.concurrency).try_collect().await?;
        for (row, outcome) in written {
            match outcome {
                Ok(outcome) => step.outcomes.push(outcome),
                Err(reason) => step.reject(row, reason),
            }
        }
        Ok(())
    }

    async fn import_row<'r>(
        &self,
        row: &'r Row,
        parsed: ParsedRow,
    ) -> Result<(&'r Row, Result<RowOutcome, String>), ImportError> {
        let mut notes = notes_of(row, parsed.warnings);
        let written = ImportRow {
            new: parsed.lead,
            has_name: parsed.has_name,
            has_status: self.has_own(row, Field::Status, |text| find_status(text).is_ok()),
            has_score: self.has_own(row, Field::LeadScore, |text| find_score(text).is_ok()),
            conversion: parsed.conversion,
            source: RowSource { import: self.source.clone(), began: self.began, row: row.number },
        };
        let outcome = match self.imports.leads.import(&written, self.known, self.by).await {
            Ok(done) => {
                let untrue = written.conversion.filter(|_| !done.lacks_score).map(|one| one.warning);
                notes.retain(|note| Some(note) != untrue.as_ref());
                notes.extend(done.unsaved);
                Ok(RowOutcome::of(row.number, done.imported, notes))
            }
            Err(LeadError::RuleViolation(rule)) => Err(rule.words().to_owned()),
            Err(LeadError::Invalid(_, invalid)) => Err(invalid.to_string()),
            Err(LeadError::Conflict(_) | LeadError::NotFound(_)) => {
                Err("Others kept changing the lead with this email. Import the row again.".to_owned())
            }
            Err(error) => return Err(error.into()),
        };
        Ok((row, outcome))
    }

    /// Whether a row has a value of its own for a field, and not only the default of a new lead.
    fn has_own(&self, row: &Row, field: Field, is_value: impl Fn(&str) -> bool) -> bool {
        let cells = self.mapping.columns_of(field).filter_map(|(at, _)| row.fields.get(at));
        let mut texts = cells.map(|cell| cell.trim());
        texts.any(|text| self.mapping.value_of(field, text).is_some() || is_value(text))
    }
}

/// Returns the notes of a row that can be read.
pub(super) fn notes_of(row: &Row, warnings: Vec<String>) -> Vec<String> {
    row.warning.iter().map(ToString::to_string).chain(warnings).collect()
}
