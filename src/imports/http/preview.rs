//! The preview of an import: its first rows, what they would become, and the form that gives each column a meaning.

use super::values::{ValueGroup, accepted, chosen_values, value_groups};
use crate::base::values::UsState;
use crate::imports::domain::{Import, ImportId, Start};
use crate::imports::file::{Head, Limits, Row};
use crate::imports::mapping::{Field, Mapping, MappingError};
use crate::imports::rows::lead_of;
use crate::imports::run::notes_of;
use crate::imports::{ImportError, Imports};
use crate::leads::domain::NewLead;
use crate::leads::import::KnownEmails;
use crate::shared::audit_log::AuditActor;
use crate::shared::forms::RawForm;
use crate::shared::numbers::{counted, grouped};
use crate::shared::pages::*;
use crate::shared::shortened::Shortened;

pub(super) fn routes() -> Routes<Imports> {
    Routes::default().post("/leads/imports/{id}", Access::Agent, start)
}

/// What a person chose, and why it was not accepted.
#[derive(Default)]
pub(super) struct Chosen {
    start: Option<Start>,
    error: Option<String>,
}

pub(super) async fn preview(
    imports: &Imports,
    context: PageContext,
    import: &Import,
    chosen: Chosen,
) -> Result<ImportPreview, Problem> {
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let no_header = chosen.start.as_ref().map_or(!head.headers_likely, |start| start.no_header);
    let head = if no_header { head.without_header() } else { head.clone() };
    // The names of the columns of a file without a header say nothing about it.
    let saved = if no_header { None } else { imports.saved_mapping(&head.headers).await? };
    let limits = Limits { rows: JUDGED_ROWS, bytes: usize::MAX };
    let rows = imports.read_rows(import, &head, limits).await?;
    let saved_by = saved.as_ref().map(|saved| saved.saved_by.to_string());
    let guess = || saved.map_or_else(|| Mapping::guess(&head.headers), |saved| saved.mapping);
    let mapping = match &chosen.start {
        None => guess(),
        Some(start) => accepted(start, &head.headers).unwrap_or_else(guess),
    };
    let start = chosen.start.unwrap_or_default();
    let view = Preview { import, head: &head, mapping: &mapping, rows: &rows, no_header };
    Ok(ImportPreview::new(context, &view, &start, saved_by, chosen.error))
}

/// Reads the meaning of each column from `column.0`, `column.1` and so on, and starts the import. With `look`, it only
/// shows what the rows would become.
async fn start(
    State(imports): State<Imports>,
    target: RenderTarget,
    Path(id): Path<ImportId>,
    submission: Submission,
) -> PageAnswer {
    let import = imports.find(id, &submission.who).await?;
    let start = chosen_start(&import, &submission.form);
    if submission.form.get("look").is_some() {
        let error = wrong_value(&import, &start);
        let chosen = Chosen { start: Some(start), error };
        return html(StatusCode::OK, &preview(&imports, target.context, &import, chosen).await?);
    }
    match imports.start(&import, &start, &AuditActor::from(&submission.who)).await {
        Ok(started) => {
            save_mapping(&imports, &started, &start, &submission).await?;
            Ok(target.redirect(&import.path()))
        }
        Err(ImportError::Mapping(error)) => {
            let chosen = Chosen { start: Some(start), error: Some(error.to_string()) };
            let page = preview(&imports, target.context, &import, chosen).await?;
            html(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

/// Saves the mapping of an import that has started, if the person wants that.
async fn save_mapping(
    imports: &Imports,
    started: &Import,
    start: &Start,
    submission: &Submission,
) -> Result<(), ImportError> {
    let is_wanted = submission.form.get("save").is_some() && !start.no_header;
    match (&started.head, &started.mapping) {
        (Some(head), Some(mapping)) if is_wanted => {
            imports.save_mapping(&head.headers, mapping, &submission.who.actor()).await
        }
        _ => Ok(()),
    }
}

fn chosen_start(import: &Import, form: &RawForm) -> Start {
    let no_header = form.get("no_header").is_some();
    let known = form.get("known").and_then(|known| known.parse().ok()).unwrap_or_default();
    let start = Start { slugs: Vec::new(), values: chosen_values(form), known, no_header };
    let columns = import.head.as_ref().map_or(0, |head| start.head(head).headers.len());
    let slugs = (0..columns).map_while(|at| form.get(&format!("column.{at}")).map(str::to_owned)).collect();
    Start { slugs, ..start }
}

/// Returns what is wrong with the meaning that a person gave a text.
fn wrong_value(import: &Import, start: &Start) -> Option<String> {
    let head = start.head(import.head.as_ref()?);
    let error = start.mapping(&head.headers).err()?;
    matches!(error, MappingError::Value { .. } | MappingError::NoValues(_)).then(|| error.to_string())
}

/// The number of rows that the preview shows.
const PREVIEW_ROWS: usize = 10;
/// The number of rows that it judges.
const JUDGED_ROWS: usize = 1_000;
/// The number of different reasons that it lists.
const MOST_REASONS: usize = 5;
/// The number of rows with doubtful quotation marks that it lists.
const MOST_UNCERTAIN: usize = 5;
/// The number of characters of a cell in the preview.
const PREVIEW_CHARS: usize = 80;
/// The most characters of a cell that the page has at all.
const MOST_CHARS: usize = 2_000;

/// A file with the meaning of its columns and its first rows.
struct Preview<'a> {
    import: &'a Import,
    head: &'a Head,
    mapping: &'a Mapping,
    rows: &'a [Row],
    no_header: bool,
}

/// The preview: the first rows and the meaning of each column.
#[derive(Template)]
#[template(path = "leads/import_preview.html", config = "templates/askama.toml")]
pub(super) struct ImportPreview {
    context: PageContext,
    id: String,
    file_name: String,
    encoding: &'static str,
    delimiter: String,
    rows_text: String,
    summary: String,
    no_header: bool,
    columns: Vec<ColumnView>,
    rows: Vec<RowView>,
    values: Vec<ValueGroup>,
    judgment: Judgment,
    known: KnownEmails,
    saved_by: Option<String>,
    error: Option<String>,
}

/// A column and its meaning.
struct ColumnView {
    header: Shortened,
    meaning: &'static str,
}

/// A row and what it becomes.
struct RowView {
    cells: Vec<Shortened>,
    becomes: Result<Shortened, String>,
    notes: Vec<String>,
}

impl RowView {
    /// Returns the whole description of the lead, if only its beginning is shown.
    fn whole(&self) -> Option<&String> {
        self.becomes.as_ref().ok().and_then(|lead| lead.whole.as_ref())
    }
}

/// What the first rows would become.
#[derive(Default)]
struct Judgment {
    judged: String,
    whole: bool,
    rejected: usize,
    /// The number of rows with a value that is kept as a custom field.
    warned: usize,
    /// The number of rows that can be read, but may have wrong quotation marks.
    uncertain: usize,
    /// The first of these rows.
    uncertain_rows: Vec<String>,
    /// The most frequent reasons with the numbers of their rows.
    reasons: Vec<(String, usize)>,
}

/// A meaning that a column can have.
struct Choice {
    value: &'static str,
    label: &'static str,
}

impl ColumnView {
    fn is_ignored(&self) -> bool {
        self.meaning == Field::Ignore.slug()
    }

    fn choices(&self) -> impl Iterator<Item = Choice> {
        Field::ALL.into_iter().map(|field| Choice { value: field.slug(), label: field.label() })
    }
}

impl ImportPreview {
    fn new(
        context: PageContext,
        preview: &Preview<'_>,
        start: &Start,
        saved_by: Option<String>,
        error: Option<String>,
    ) -> Self {
        let Preview { import, head, mapping, rows, no_header } = preview;
        // A mapping that was not accepted is shown as it was chosen.
        let chosen = |at: usize| start.slugs.get(at).and_then(|slug| Field::parse(slug));
        let columns = mapping.columns().iter().enumerate().map(|(at, column)| ColumnView {
            header: match column.header() {
                "" => shortened(column.title()),
                header => shortened(header),
            },
            meaning: chosen(at).unwrap_or(column.field()).slug(),
        });
        Self {
            context,
            id: import.id.to_string(),
            file_name: import.file_name.clone(),
            encoding: head.dialect.encoding.label(),
            delimiter: format!("{}s", head.dialect.delimiter_label()),
            rows_text: rows_text(import),
            summary: mapping.summary().to_string(),
            no_header: *no_header,
            columns: columns.collect(),
            rows: rows.iter().take(PREVIEW_ROWS).map(|row| row_view(row, mapping)).collect(),
            values: value_groups(mapping.values_to_map(rows.iter()), start),
            judgment: judge(rows, mapping, import),
            known: start.known,
            saved_by,
            error,
        }
    }

    fn has_states(&self) -> bool {
        self.values.iter().any(|group| group.field == Field::State)
    }

    fn states(&self) -> impl Iterator<Item = UsState> {
        UsState::all()
    }

    fn known_choices(&self) -> [(KnownEmails, &'static str); 3] {
        [
            (KnownEmails::Skip, "Skip the row"),
            (KnownEmails::Fill, "Fill the lead's empty fields"),
            (KnownEmails::Update, "Update the lead with the row's values"),
        ]
    }
}

fn row_view(row: &Row, mapping: &Mapping) -> RowView {
    let width = mapping.columns().len();
    let missing = width.saturating_sub(row.fields.len());
    let cells = row.fields.iter().take(width).map(|field| shortened(field));
    let (becomes, notes) = match lead_of(row, mapping) {
        Ok(parsed) => (Ok(described(&parsed.lead)), notes_of(row, parsed.warnings)),
        Err(reason) => (Err(reason), Vec::new()),
    };
    let cells = cells.chain(std::iter::repeat_n(Shortened::default(), missing)).collect();
    RowView { cells, becomes, notes }
}

/// Describes a lead in one line: its name, its email address, and what else is known.
fn described(lead: &NewLead) -> Shortened {
    let mut parts = vec![lead.name.to_string(), lead.email.to_string()];
    parts.extend(lead.phone.iter().map(ToString::to_string));
    parts.extend(lead.company.iter().map(ToString::to_string));
    parts.extend(lead.state.iter().map(ToString::to_string));
    parts.push(lead.status.label().to_owned());
    match lead.fields.iter().count() {
        0 => {}
        count => parts.push(counted(count, "custom field", "custom fields")),
    }
    shortened(&parts.join(", "))
}

fn judge(rows: &[Row], mapping: &Mapping, import: &Import) -> Judgment {
    let mut judgment = Judgment::default();
    for row in rows {
        match lead_of(row, mapping) {
            Ok(parsed) => judgment.accept(row, &parsed.warnings),
            Err(reason) => judgment.reject(reason),
        }
    }
    judgment.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    judgment.reasons.truncate(MOST_REASONS);
    let judged = rows.len() as u64;
    let whole = !import.is_estimated() && judged >= import.all_rows();
    Judgment { judged: grouped(judged), whole, ..judgment }
}

impl Judgment {
    fn accept(&mut self, row: &Row, warnings: &[String]) {
        self.warned += usize::from(!warnings.is_empty());
        if let Some(warning) = &row.warning {
            self.uncertain += 1;
            if self.uncertain_rows.len() < MOST_UNCERTAIN {
                self.uncertain_rows.push(format!("Row {}: {warning}", row.number));
            }
        }
    }

    fn reject(&mut self, reason: String) {
        self.rejected += 1;
        match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.reasons.push((reason, 1)),
        }
    }
}

fn rows_text(import: &Import) -> String {
    let about = if import.is_estimated() { "about " } else { "" };
    format!("{about}{}", counted(import.all_rows(), "row", "rows"))
}

/// Shortens a text of the file to its place in the preview. A cell can be as long as the file.
fn shortened(text: &str) -> Shortened {
    let end = text.char_indices().nth(MOST_CHARS).map_or(text.len(), |(at, _)| at);
    Shortened::of(text.get(..end).unwrap_or_default(), PREVIEW_CHARS)
}
