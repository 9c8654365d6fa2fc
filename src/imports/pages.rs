//! The pages of imports: uploading a file, mapping its columns, running the steps and showing the report.
//!
//! Every page works without JavaScript. With JavaScript, a file is sent in parts and the steps run
//! automatically.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;

use super::ImportError;
use super::domain::{Import, ImportId, PART_BYTES};
use super::run;
use super::views::{ImportPreview, ImportRun, ImportUpload, LISTED_REJECTIONS};
use crate::base::identity::SignedIn;
use crate::imports::Imports;
use crate::imports::domain::Phase;
use crate::imports::limits::FORM_BYTES;
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{FormData, Path, PathPair, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::{Form, WantsFragment};
use crate::web::respond::{Tone, header_text, html, see_other, with_toast};
use crate::web::routes::Routes;

/// The bytes of a form in addition to its file: boundaries and field names.
const FORM_FRAME_BYTES: usize = 16 * 1024;

/// Returns the routes of imports.
pub fn routes() -> Routes<Imports> {
    let form_limit = DefaultBodyLimit::max(FORM_BYTES + FORM_FRAME_BYTES);
    let part_limit = DefaultBodyLimit::max(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
    Routes::default()
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

async fn show_form(context: PageContext) -> Result<Response, Problem> {
    html(StatusCode::OK, &ImportUpload::new(context, None))
}

/// The query parameters that announce a file to be sent in parts.
#[derive(Debug, Deserialize)]
struct Announced {
    name: Option<String>,
    size: Option<u64>,
}

/// Receives a whole file from a form, or the announcement of a file that a program sends in parts.
async fn receive(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(announced): Query<Announced>,
    request: Request,
) -> Result<Response, Problem> {
    if Form::of(request.uri(), request.headers()) == Form::Json {
        let (Some(name), Some(size)) = (announced.name, announced.size) else {
            let words = "Announce a file with the parameters name and size, and send it in parts.";
            return Err(WebError::Malformed(words.to_owned()).into());
        };
        let import = imports.begin(&who, &name, size).await?;
        let location = header_text(&context.url(&address_of(&import)));
        let body = serde_json::json!({ "id": import.id, "partSize": PART_BYTES });
        return Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(body)).into_response());
    }
    let received = match file_of(request).await {
        Ok((name, bytes)) => imports.receive(&who, &name, &bytes).await,
        Err(FormError::File(error)) => Err(error),
        Err(FormError::Request(error)) => return Err(error.into()),
    };
    let error = match received {
        Ok(import) => return Ok(see_other(&context, &address_of(&import), fragment)),
        Err(error) => error,
    };
    match error.message_for_sender() {
        Some(words) => html(StatusCode::UNPROCESSABLE_ENTITY, &ImportUpload::new(context, Some(words))),
        None => Err(error.into()),
    }
}

fn address_of(import: &Import) -> String {
    format!("/leads/imports/{}", import.id)
}

/// Returns the name and the bytes of the file in a form.
async fn file_of(request: Request) -> Result<(String, Bytes), FormError> {
    let multipart = Multipart::from_request(request, &()).await;
    let media_type = || FormError::Request(WebError::MediaType("multipart/form-data"));
    let mut multipart = multipart.map_err(|_| media_type())?;
    while let Some(field) = multipart.next_field().await.map_err(form_error)? {
        let Some(name) = field.file_name().filter(|_| field.name() == Some("file")) else { continue };
        let name = name.to_owned();
        let bytes = field.bytes().await.map_err(form_error)?;
        // If no file was chosen, a browser sends an empty file without a name.
        if name.is_empty() && bytes.is_empty() {
            break;
        }
        return Ok((name, bytes));
    }
    Err(FormError::File(ImportError::NoFile))
}

/// Why a form contains no usable file.
enum FormError {
    /// The file is missing or too large.
    File(ImportError),
    /// The request cannot be read.
    Request(WebError),
}

fn form_error(error: MultipartError) -> FormError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FormError::File(ImportError::TooLargeForForm),
        _ => FormError::Request(WebError::Malformed("The form could not be read completely.".to_owned())),
    }
}

async fn receive_part(
    State(imports): State<Imports>,
    who: SignedIn,
    PathPair(id, number): PathPair<ImportId, u32>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::TooLong,
        _ => WebError::Malformed("The part could not be read completely.".to_owned()),
    })?;
    let import = imports.find(id, &who).await?;
    imports.add_part(&import, number, &bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows an import in its current phase.
async fn show(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    Path(id): Path<ImportId>,
) -> Result<Response, Problem> {
    let import = imports.find(id, &who).await?;
    match import.stage {
        Phase::Uploading => html(StatusCode::OK, &ImportUpload::cut_off(context, &import)),
        Phase::Ready => html(StatusCode::OK, &preview(&imports, context, &import, None).await?),
        Phase::Running | Phase::Done => html(StatusCode::OK, &progress(&imports, context, &import).await?),
    }
}

async fn preview(
    imports: &Imports,
    context: PageContext,
    import: &Import,
    chosen: Option<(Vec<String>, String)>,
) -> Result<ImportPreview, Problem> {
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let (window, _) = imports.window(import, head.data).await?;
    Ok(ImportPreview::new(context, import, head, &window, chosen))
}

async fn progress(imports: &Imports, context: PageContext, import: &Import) -> Result<ImportRun, Problem> {
    let listed = match import.stage == Phase::Done && import.counts.rejected > 0 {
        true => imports.rejections(import.id, 0, u64::MAX, LISTED_REJECTIONS).await?,
        false => Vec::new(),
    };
    Ok(ImportRun::new(context, import, listed))
}

/// Reads the meaning of each column from `column.0`, `column.1` and so on, and starts the import.
async fn start(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(id): Path<ImportId>,
    FormData(fields): FormData<Vec<(String, String)>>,
) -> Result<Response, Problem> {
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

/// Runs the next step. The fragment requests the step after it.
async fn step(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(id): Path<ImportId>,
) -> Result<Response, Problem> {
    let import = imports.find(id, &who).await?;
    let import = imports.step(&import, &who.actor()).await?;
    if !fragment {
        return Ok(see_other(&context, &address_of(&import), false));
    }
    html(StatusCode::OK, &progress(&imports, context, &import).await?.as_progress())
}

/// Selects a file of rejected rows: the one that begins after this row.
#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn download_rejected(
    State(imports): State<Imports>,
    who: SignedIn,
    Path(id): Path<ImportId>,
    Query(After { after }): Query<After>,
) -> Result<Response, Problem> {
    let import = imports.find(id, &who).await?;
    let head = import.head.as_ref().ok_or(ImportError::NotStarted)?;
    let first = after.saturating_add(1);
    let next = import.rejected_files.iter().find(|begins| **begins > first);
    let last = next.map_or(u64::MAX, |begins| begins.saturating_sub(1));
    let rejections = imports.rejections(id, first, last, u16::MAX).await?;
    let csv = run::rejected_file(head, &rejections)
        .map_err(|error| WebError::Internal(format!("rejected rows cannot be written: {error}")))?;
    let disposition = format!("attachment; filename=\"{}\"", download_name(&import, first));
    let headers = [
        (header::CONTENT_TYPE, header_text("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, header_text(&disposition)),
    ];
    Ok((headers, csv).into_response())
}

/// Returns the name of a file of rejected rows, in characters that every header and file system accepts.
fn download_name(import: &Import, first: u64) -> String {
    let name = import.file_name.rsplit_once('.').map_or(&*import.file_name, |(stem, _)| stem);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let part = if first > 1 { format!("-from-row-{first}") } else { String::new() };
    format!("{name}-rejected{part}.csv")
}

async fn load_sample(
    State(imports): State<Imports>,
    who: SignedIn,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
) -> Result<Response, Problem> {
    let counts = imports.load_samples(&who.actor()).await?;
    let response = see_other(&context, "/leads", fragment);
    let words = format!("{} sample leads are here.", counts.total());
    Ok(if fragment { with_toast(response, Tone::Success, &words) } else { response })
}
