//! The pages of imports: the file comes in, its columns are mapped, steps are done, the report is shown.
//!
//! Every page works without JavaScript; with it, a file comes in parts and the steps follow each other by themselves.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;

use super::ImportError;
use super::domain::{FORM_BYTES, Import, ImportId, PART_BYTES, Stage};
use super::views::{ImportPreview, ImportRun, ImportUpload, LISTED_REJECTIONS};
use super::{run, store};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::error::AppError;
use crate::leads::sample;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath, InQuery, TwoInPath, WebError};
use crate::web::pages::Shell;
use crate::web::request::{Form, WantsFragment};
use crate::web::respond::{Tone, header_text, html, see_other, with_toast};

/// What a form has beside its file: boundaries and the names of its fields.
const FORM_FRAME_BYTES: usize = 16 * 1024;

/// The routes of imports.
pub fn routes(app: &App) -> Routes {
    let form_limit = DefaultBodyLimit::max(FORM_BYTES + FORM_FRAME_BYTES);
    let part_limit = DefaultBodyLimit::max(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
    Routes::new(app)
        .get("/leads/imports", Access::Agent, show_form)
        .get("/leads/imports/new", Access::Agent, show_form)
        .post("/leads/imports", Access::Agent, receive.layer(form_limit))
        .put("/leads/imports/{id}/parts/{number}", Access::Agent, receive_part.layer(part_limit))
        .get("/leads/imports/{id}", Access::Agent, show)
        .post("/leads/imports/{id}", Access::Agent, start)
        .post("/leads/imports/{id}/step", Access::Agent, step)
        .get("/leads/imports/{id}/rejected.csv", Access::Agent, download_rejected)
        .post("/leads/sample", Access::Agent, load_sample)
}

async fn show_form(shell: Shell) -> Result<Response, AppError> {
    html(StatusCode::OK, &ImportUpload::new(shell, None))
}

/// A file that is announced, to come in parts.
#[derive(Debug, Deserialize)]
struct Announced {
    name: Option<String>,
    size: Option<u64>,
}

/// Takes a whole file from a form, or for programs announces one that comes in parts.
async fn receive(
    State(app): State<App>,
    who: SignedIn,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InQuery(announced): InQuery<Announced>,
    request: Request,
) -> Result<Response, AppError> {
    if Form::of(request.uri(), request.headers()) == Form::Json {
        let (Some(name), Some(size)) = (announced.name, announced.size) else {
            let words = "Announce a file with the parameters name and size, and send it in parts.";
            return Err(WebError::Malformed(words.to_owned()).into());
        };
        let import = store::begin(&app, &who, &name, size).await?;
        let location = header_text(&shell.url(&page_of(&import)));
        let body = serde_json::json!({ "id": import.id, "partSize": PART_BYTES });
        return Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(body)).into_response());
    }
    let received = async {
        let (name, bytes) = file_of(request, &app).await?;
        Ok::<_, AppError>(store::receive(&app, &who, &name, &bytes).await?)
    };
    let error = match received.await {
        Ok(import) => return Ok(see_other(&shell, &page_of(&import), fragment)),
        Err(AppError::Import(error)) => error,
        Err(error) => return Err(error),
    };
    match error.words_for_sender() {
        Some(words) => html(StatusCode::UNPROCESSABLE_ENTITY, &ImportUpload::new(shell, Some(words))),
        None => Err(error.into()),
    }
}

fn page_of(import: &Import) -> String {
    format!("/leads/imports/{}", import.id)
}

/// The name and the bytes of the form's file.
async fn file_of(request: Request, app: &App) -> Result<(String, Bytes), AppError> {
    let multipart = Multipart::from_request(request, app).await;
    let mut multipart = multipart.map_err(|_| WebError::MediaType("multipart/form-data"))?;
    while let Some(field) = multipart.next_field().await.map_err(form_error)? {
        let Some(name) = field.file_name().filter(|_| field.name() == Some("file")) else { continue };
        let name = name.to_owned();
        let bytes = field.bytes().await.map_err(form_error)?;
        // A browser sends an empty file without a name where none was chosen.
        if name.is_empty() && bytes.is_empty() {
            break;
        }
        return Ok((name, bytes));
    }
    Err(ImportError::NoFile.into())
}

fn form_error(error: MultipartError) -> AppError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ImportError::TooLargeForForm.into(),
        _ => WebError::Malformed("The form cannot be read to its end.".to_owned()).into(),
    }
}

async fn receive_part(
    State(app): State<App>,
    who: SignedIn,
    TwoInPath(id, number): TwoInPath<ImportId, u32>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, AppError> {
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::TooLong,
        _ => WebError::Malformed("The part cannot be read to its end.".to_owned()),
    })?;
    let import = store::find(&app, id, &who).await?;
    store::add_part(&app, &import, number, &bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The page of an import, as far as it is.
async fn show(
    State(app): State<App>,
    who: SignedIn,
    shell: Shell,
    InPath(id): InPath<ImportId>,
) -> Result<Response, AppError> {
    let import = store::find(&app, id, &who).await?;
    match import.stage {
        Stage::Uploading => html(StatusCode::OK, &ImportUpload::cut_off(shell, &import)),
        Stage::Ready => html(StatusCode::OK, &preview(&app, shell, &import, None).await?),
        Stage::Running | Stage::Done => html(StatusCode::OK, &progress(&app, shell, &import).await?),
    }
}

async fn preview(
    app: &App,
    shell: Shell,
    import: &Import,
    chosen: Option<(Vec<String>, String)>,
) -> Result<ImportPreview, AppError> {
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let (window, _) = store::window(app, import, head.data).await?;
    Ok(ImportPreview::new(shell, import, head, &window, chosen))
}

async fn progress(app: &App, shell: Shell, import: &Import) -> Result<ImportRun, AppError> {
    let listed = match import.stage == Stage::Done && import.counts.rejected > 0 {
        true => store::rejections(app, import.id, 0, u64::MAX, LISTED_REJECTIONS).await?,
        false => Vec::new(),
    };
    Ok(ImportRun::new(shell, import, listed))
}

/// Takes what each column means, as `column.0`, `column.1` and so on, and sets the import going.
async fn start(
    State(app): State<App>,
    who: SignedIn,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InPath(id): InPath<ImportId>,
    FormData(fields): FormData<Vec<(String, String)>>,
) -> Result<Response, AppError> {
    let import = store::find(&app, id, &who).await?;
    let columns = import.head.as_ref().map_or(0, |head| head.headers.len());
    let slugs: Vec<String> = (0..columns).map_while(|at| chosen_for(&fields, at)).collect();
    match store::start(&app, &import, &slugs).await {
        Ok(_) => Ok(see_other(&shell, &page_of(&import), fragment)),
        Err(ImportError::Mapping(error)) => {
            let chosen = Some((slugs, error.to_string()));
            let page = preview(&app, shell, &import, chosen).await?;
            html(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

fn chosen_for(fields: &[(String, String)], column: usize) -> Option<String> {
    let name = format!("column.{column}");
    fields.iter().find(|(field, _)| *field == name).map(|(_, slug)| slug.clone())
}

/// Does the next step; the fragment asks for the one after it.
async fn step(
    State(app): State<App>,
    who: SignedIn,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InPath(id): InPath<ImportId>,
) -> Result<Response, AppError> {
    let import = store::find(&app, id, &who).await?;
    let import = run::step(&app, &import, &who.actor()).await?;
    if !fragment {
        return Ok(see_other(&shell, &page_of(&import), false));
    }
    html(StatusCode::OK, &progress(&app, shell, &import).await?.as_progress())
}

/// Which of the files of rejected rows: the one that begins after this row.
#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn download_rejected(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<ImportId>,
    InQuery(After { after }): InQuery<After>,
) -> Result<Response, AppError> {
    let import = store::find(&app, id, &who).await?;
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let first = after.saturating_add(1);
    let next = import.rejected_files.iter().find(|begins| **begins > first);
    let last = next.map_or(u64::MAX, |begins| begins.saturating_sub(1));
    let rejections = store::rejections(&app, id, first, last, u16::MAX).await?;
    let csv = run::rejected_file(head, &rejections)
        .map_err(|error| WebError::Internal(format!("rejected rows cannot be written: {error}")))?;
    let disposition = format!("attachment; filename=\"{}\"", download_name(&import, first));
    let headers = [
        (header::CONTENT_TYPE, header_text("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, header_text(&disposition)),
    ];
    Ok((headers, csv).into_response())
}

/// The name of a file of rejected rows, in letters that every header and file system takes.
fn download_name(import: &Import, first: u64) -> String {
    let name = import.file_name.rsplit_once('.').map_or(&*import.file_name, |(stem, _)| stem);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let part = if first > 1 { format!("-from-row-{first}") } else { String::new() };
    format!("{name}-rejected{part}.csv")
}

async fn load_sample(
    State(app): State<App>,
    who: SignedIn,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
) -> Result<Response, AppError> {
    let counts = sample::load(&app, &who.actor()).await?;
    let response = see_other(&shell, "/leads", fragment);
    let words = format!("{} sample leads are here.", counts.total());
    Ok(if fragment { with_toast(response, Tone::Success, &words) } else { response })
}
