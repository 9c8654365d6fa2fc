//! The preview of an import: its first rows, and the form that assigns a meaning to each column.

use askama::Template;
use axum::extract::State;
use http::StatusCode;

use super::parts::{Answer, address_of, grouped};
use crate::base::identity::SignedIn;
use crate::imports::domain::{Import, ImportId};
use crate::imports::file::{Head, Limits, read_rows};
use crate::imports::mapping::{Field, Mapping};
use crate::imports::{ImportError, Imports};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{html, see_other};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Imports> {
    Routes::default().post("/leads/imports/{id}", Access::Agent, start)
}

pub(super) async fn preview(
    imports: &Imports,
    context: PageContext,
    import: &Import,
    chosen: Option<(Vec<String>, String)>,
) -> Result<ImportPreview, Problem> {
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let (window, _) = imports.window(import, head.data).await?;
    Ok(ImportPreview::new(context, import, head, &window, chosen))
}

/// Reads the meaning of each column from `column.0`, `column.1` and so on, and starts the import.
async fn start(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(id): Path<ImportId>,
    FormData(fields): FormData<Vec<(String, String)>>,
) -> Answer {
    let import = imports.find(id, &who).await?;
    let columns = import.head.as_ref().map_or(0, |head| head.headers.len());
    let slugs: Vec<String> = (0..columns).map_while(|at| chosen_for(&fields, at)).collect();
    match imports.start(&import, &slugs).await {
        Ok(_) => Ok(see_other(&context, &address_of(&import), fragment)),
        Err(ImportError::Mapping(error)) => {
            let chosen = Some((slugs, error.to_string()));
            let page = preview(&imports, context, &import, chosen).await?;
            html(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

fn chosen_for(fields: &[(String, String)], column: usize) -> Option<String> {
    let name = format!("column.{column}");
    fields.iter().find(|(field, _)| *field == name).map(|(_, slug)| slug.clone())
}

/// The number of rows in the preview.
const PREVIEW_ROWS: usize = 10;
/// The number of characters of a cell in the preview.
const PREVIEW_CHARS: usize = 80;

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
    fn new(
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

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(PREVIEW_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_shortened_between_characters() {
        assert_eq!(shortened("é"), "é");
        assert_eq!(shortened(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
