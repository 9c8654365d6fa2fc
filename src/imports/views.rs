//! The pages of an import.

use askama::Template;

use super::ImportError;
use super::domain::{Import, Rejection};
use super::file::{Head, Limits, read_rows};
use super::mapping::{Field, Mapping};
use crate::imports::domain::Phase;
use crate::imports::limits::{FORM_BYTES, MAX_FILE_BYTES};
use crate::web::pages::PageContext;

/// The number of rows in the preview.
const PREVIEW_ROWS: usize = 10;
/// The number of characters of a cell in the preview.
const PREVIEW_CHARS: usize = 80;
/// The number of rejected rows in the report.
pub(super) const LISTED_REJECTIONS: u16 = 100;

const MEGABYTE: u64 = 1024 * 1024;

/// The form that uploads a file.
#[derive(Template)]
#[template(path = "leads/import_upload.html")]
pub(super) struct ImportUpload {
    context: PageContext,
    error: Option<String>,
    max_megabytes: u64,
    max_form_megabytes: u64,
}

impl ImportUpload {
    pub(super) fn new(context: PageContext, error: Option<String>) -> Self {
        let max_form_megabytes = FORM_BYTES as u64 / MEGABYTE;
        Self { context, error, max_megabytes: MAX_FILE_BYTES / MEGABYTE, max_form_megabytes }
    }

    /// Shows the form again for an import whose upload was cut off.
    pub(super) fn cut_off(context: PageContext, import: &Import) -> Self {
        let error = format!(
            "The upload of {} was cut off after {} of {} parts. Choose the file again.",
            import.file_name,
            import.parts,
            import.all_parts()
        );
        Self::new(context, Some(error))
    }
}

/// The preview: the first rows and the meaning of each column.
#[derive(Template)]
#[template(path = "leads/import_preview.html")]
pub(super) struct ImportPreview {
    context: PageContext,
    id: String,
    file_name: String,
    encoding: &'static str,
    delimiter: String,
    rows_text: String,
    columns: Vec<ColumnView>,
    rows: Vec<Vec<String>>,
    error: Option<String>,
}

/// A column and its meaning.
struct ColumnView {
    header: String,
    meaning: String,
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
    /// Creates the preview. `window` is the file from its first data row on. `chosen` is the mapping that a
    /// person chose, with its error.
    pub(super) fn new(
        context: PageContext,
        import: &Import,
        head: &Head,
        window: &[u8],
        chosen: Option<(Vec<String>, String)>,
    ) -> Self {
        let limits = Limits { rows: PREVIEW_ROWS, bytes: usize::MAX };
        let at_end = head.data.offset + window.len() as u64 == import.size;
        let batch = read_rows(&head.dialect, head.data, window, at_end, limits);
        let guess = || Mapping::guess(&head.headers).slugs().into_iter().map(str::to_owned).collect();
        let (meanings, error) = match chosen {
            Some((slugs, error)) => (slugs, Some(error)),
            None => (guess(), None),
        };
        let columns = head.headers.iter().zip(meanings).enumerate().map(|(at, (header, meaning))| {
            let header = if header.is_empty() { format!("Column {}", at + 1) } else { shortened(header) };
            ColumnView { header, meaning }
        });
        let cells = |fields: &Vec<String>| {
            let missing = head.headers.len().saturating_sub(fields.len());
            let cells = fields.iter().take(head.headers.len()).map(|field| shortened(field));
            cells.chain(std::iter::repeat_n(String::new(), missing)).collect()
        };
        Self {
            context,
            id: import.id.to_string(),
            file_name: import.file_name.clone(),
            encoding: head.dialect.encoding.label(),
            delimiter: format!("{}s", head.dialect.delimiter_label()),
            rows_text: rows_text(import),
            columns: columns.collect(),
            rows: batch.rows.iter().map(|row| cells(&row.fields)).collect(),
            error,
        }
    }
}

fn rows_text(import: &Import) -> String {
    let about = if import.is_estimated() { "about " } else { "" };
    let rows = import.all_rows();
    format!("{about}{} {}", grouped(rows), if rows == 1 { "row" } else { "rows" })
}

/// Formats a number with separators: 50,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(PREVIEW_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The progress of an import, and the report at its end.
#[derive(Template)]
#[template(path = "leads/import_run.html", blocks = ["progress"])]
pub(super) struct ImportRun {
    context: PageContext,
    id: String,
    file_name: String,
    total: u64,
    estimated: bool,
    done: u64,
    created: u64,
    skipped: u64,
    rejected: u64,
    finished: bool,
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
    pub(super) fn new(context: PageContext, import: &Import, rejections: Vec<Rejection>) -> Self {
        let counts = import.counts;
        let more = counts.rejected.saturating_sub(rejections.len() as u64);
        let more_files = import.rejected_files.iter().zip(2..);
        let more_files =
            more_files.map(|(first, number)| MoreFile { number, after: first.saturating_sub(1) });
        Self {
            context,
            id: import.id.to_string(),
            file_name: import.file_name.clone(),
            total: import.all_rows(),
            estimated: import.is_estimated(),
            done: counts.total(),
            created: counts.created,
            skipped: counts.skipped,
            rejected: counts.rejected,
            finished: import.stage == Phase::Done,
            rejections,
            more_rejections: (more > 0).then(|| format!("And {} more in the download.", grouped(more))),
            more_files: more_files.collect(),
        }
    }
}

impl ImportError {
    /// Returns the message for the person who sent a file or a mapping, if the error is about these.
    pub(super) fn message_for_sender(&self) -> Option<String> {
        match self {
            Self::NotFound | Self::NotStarted | Self::Lead(_) | Self::Store(_) => None,
            _ => Some(self.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 50_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "50,000", "1,234,567"]);
    }

    #[test]
    fn long_cells_are_shortened_between_characters() {
        assert_eq!(shortened("é"), "é");
        assert_eq!(shortened(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
