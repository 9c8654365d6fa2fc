//! The page of one import in its current phase: its steps, its report, and its rejected rows as a file.

use super::preview::{Chosen, preview};
use super::upload::ImportUpload;
use crate::imports::domain::{Import, ImportId, Phase, Rejection, Undo};
use crate::imports::outcome::{Counts, end_of_file};
use crate::imports::report::report_csv;
use crate::imports::{ImportError, Imports, run};
use crate::shared::audit_log::AuditActor;
use crate::shared::numbers::grouped;
use crate::shared::pages::*;
use crate::web::respond::csv_part;

pub(super) fn routes() -> Routes<Imports> {
    Routes::default()
        .get("/leads/imports/{id}", Access::Agent, show)
        .post("/leads/imports/{id}/step", Access::Agent, step)
        .post("/leads/imports/{id}/undo", Access::Agent, undo)
        .get("/leads/imports/{id}/report.csv", Access::Agent, download_report)
        .get("/leads/imports/{id}/rejected.csv", Access::Agent, download_rejected)
}

/// Shows an import in its current phase.
async fn show(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    Path(id): Path<ImportId>,
) -> PageAnswer {
    let import = imports.find(id, &who).await?;
    match import.phase {
        Phase::Uploading => html(StatusCode::OK, &ImportUpload::cut_off(context, &import)),
        Phase::Ready => html(StatusCode::OK, &preview(&imports, context, &import, Chosen::default()).await?),
        _ => html(StatusCode::OK, &progress(&imports, context, &import).await?),
    }
}

async fn progress(imports: &Imports, context: PageContext, import: &Import) -> Result<ImportRun, Problem> {
    let is_done = !matches!(import.phase, Phase::Running);
    let listed = match is_done && import.counts.rejected > 0 {
        true => imports.rejections(import.id, 0, u64::MAX, LISTED_REJECTIONS).await?,
        false => Vec::new(),
    };
    Ok(ImportRun::new(context, import, listed))
}

/// Runs the next step. The fragment requests the step after it.
async fn step(
    State(imports): State<Imports>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<ImportId>,
) -> PageAnswer {
    let import = imports.find(id, &who).await?;
    let import = match import.phase {
        Phase::Undoing => imports.undo_step(&import, &who).await?,
        _ => imports.step(&import, &who.actor()).await?,
    };
    if !target.fragment {
        return Ok(target.redirect(&import.path()));
    }
    html(StatusCode::OK, &progress(&imports, target.context, &import).await?.as_progress())
}

/// Starts to undo an import. The page then runs the steps.
async fn undo(
    State(imports): State<Imports>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<ImportId>,
) -> PageAnswer {
    let import = imports.find(id, &who).await?;
    imports.start_undo(&import, &AuditActor::from(&who)).await?;
    Ok(see_other(&context, &import.path(), false))
}

/// The report as a file: a row of the report for each row of the file.
async fn download_report(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    Path(id): Path<ImportId>,
    Query(After { after }): Query<After>,
) -> PageAnswer {
    let import = imports.find(id, &who).await?;
    let first = after.saturating_add(1);
    let outcomes = imports.outcomes(id, first, import.report.end_of(first)).await?;
    let csv = report_csv(&outcomes, |lead| context.url(&format!("/leads/{lead}")))
        .map_err(|error| WebError::Internal(format!("a report cannot be written: {error}")))?;
    download(&imports, &import, &who, RowFile { title: "Report", name: "report", first, csv }).await
}

/// The rejected rows as a file that can be corrected and imported again.
async fn download_rejected(
    State(imports): State<Imports>,
    who: SignedIn,
    Path(id): Path<ImportId>,
    Query(After { after }): Query<After>,
) -> PageAnswer {
    let import = imports.find(id, &who).await?;
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let first = after.saturating_add(1);
    let last = end_of_file(&import.rejected_files, first);
    let rejections = imports.rejections(id, first, last, u16::MAX).await?;
    let csv = run::rejected_file(head, &rejections)
        .map_err(|error| WebError::Internal(format!("rejected rows cannot be written: {error}")))?;
    download(&imports, &import, &who, RowFile { title: "Rejected rows", name: "rejected", first, csv }).await
}

/// A file with rows of an import.
struct RowFile {
    /// What the rows are, for the audit entry.
    title: &'static str,
    /// What the rows are, in the name of the file.
    name: &'static str,
    first: u64,
    csv: String,
}

/// Writes the audit entry of a download, then answers with the file. Each file has an entry, because people download
/// them one by one.
async fn download(imports: &Imports, import: &Import, who: &SignedIn, file: RowFile) -> PageAnswer {
    let RowFile { title, name, first, csv } = file;
    let (begins, suffix) = match first > 1 {
        true => (format!(" from row {first}"), format!("-from-row-{first}")),
        false => (String::new(), String::new()),
    };
    let detail = format!("{title} of the import{begins} exported.");
    imports.record_export(import, &AuditActor::from(who), detail).await?;
    Ok(csv_part(&format!("{}-{name}{suffix}.csv", plain_name(import)), csv, None))
}

/// Returns the name of an import's file without its ending, in characters that every header and file system accepts.
fn plain_name(import: &Import) -> String {
    let name = import.file_name.rsplit_once('.').map_or(&*import.file_name, |(stem, _)| stem);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
}

/// Selects a file of rejected rows: the one that begins after this row.
#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

/// The number of rejected rows in the report.
const LISTED_REJECTIONS: u16 = 100;

/// The progress of an import, and the report at its end.
#[derive(Template)]
#[template(path = "leads/import_run.html", config = "templates/askama.toml", blocks = ["progress"])]
struct ImportRun {
    context: PageContext,
    id: String,
    file_name: String,
    total: u64,
    estimated: bool,
    done: u64,
    counts: Counts,
    finished: bool,
    undo: Undo,
    can_undo: bool,
    undoing: bool,
    undone: bool,
    more_reports: Vec<MoreFile>,
    rejections: Vec<Rejection>,
    more_rejections: Option<String>,
    more_files: Vec<MoreFile>,
}

/// A link to another file of rejected rows.
struct MoreFile {
    number: usize,
    after: u64,
}

impl ImportRun {
    /// Creates the page. `rejections` are the first rejected rows.
    fn new(context: PageContext, import: &Import, rejections: Vec<Rejection>) -> Self {
        let counts = import.counts;
        let unlisted = counts.rejected.saturating_sub(rejections.len() as u64);
        let more = move |first: &u64, number| MoreFile { number, after: first.saturating_sub(1) };
        let more_files = import.rejected_files.iter().zip(2..).map(|(first, number)| more(first, number));
        let more_reports = import.report.later.iter().zip(2..).map(|(first, number)| more(first, number));
        let written = counts.created + counts.filled + counts.updated;
        Self {
            context,
            id: import.id.to_string(),
            file_name: import.file_name.clone(),
            total: import.all_rows(),
            estimated: import.is_estimated(),
            done: counts.total(),
            counts,
            finished: import.phase != Phase::Running,
            can_undo: import.phase == Phase::Done && written > 0,
            undoing: import.phase == Phase::Undoing,
            undone: import.phase == Phase::Undone,
            undo: import.undo.clone(),
            more_reports: more_reports.collect(),
            rejections,
            more_rejections: (unlisted > 0).then(|| format!("The download has {} more.", grouped(unlisted))),
            more_files: more_files.collect(),
        }
    }
}
