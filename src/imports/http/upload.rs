//! The form that uploads a file, the file in parts that a program sends, and the sample leads.

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::handler::Handler;
use http::header;

use crate::imports::domain::{Import, ImportId, PART_BYTES};
use crate::imports::limits::{FORM_BYTES, MAX_FILE_BYTES};
use crate::imports::{ImportError, Imports};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::web::extract::PathPair;
use crate::web::request::Form;
use crate::web::respond::header_text;

/// The bytes of a form in addition to its file: boundaries and field names.
const FORM_FRAME_BYTES: usize = 16 * 1024;

pub(super) fn routes() -> Routes<Imports> {
    let form_limit = DefaultBodyLimit::max(FORM_BYTES + FORM_FRAME_BYTES);
    let part_limit = DefaultBodyLimit::max(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
    Routes::default()
        .get("/leads/imports", Access::Agent, show_form)
        .get("/leads/imports/new", Access::Agent, show_form)
        .post("/leads/imports", Access::Agent, receive.layer(form_limit))
        .put("/leads/imports/{id}/parts/{number}", Access::Agent, receive_part.layer(part_limit))
        .post("/leads/sample", Access::Agent, load_sample)
}

async fn show_form(context: PageContext) -> PageAnswer {
    html(StatusCode::OK, &ImportUpload::new(context, None))
}

/// Receives a whole file from a form, or the announcement of a file that a program sends in parts.
async fn receive(
    State(imports): State<Imports>,
    target: RenderTarget,
    who: SignedIn,
    Query(announced): Query<Announced>,
    request: Request,
) -> PageAnswer {
    if Form::of(request.uri(), request.headers()) == Form::Json {
        return begin(&imports, &target.context, &who, announced).await;
    }
    let received = match file_of(request).await {
        Ok((name, bytes)) => imports.receive(&who, &name, &bytes).await,
        Err(FormError::File(error)) => Err(error),
        Err(FormError::Request(error)) => return Err(error.into()),
    };
    let error = match received {
        Ok(import) => return Ok(target.redirect(&import.path())),
        Err(error) => error,
    };
    match error.message_for_sender() {
        Some(words) => {
            html(StatusCode::UNPROCESSABLE_ENTITY, &ImportUpload::new(target.context, Some(words)))
        }
        None => Err(error.into()),
    }
}

/// Creates an import for a file that a program sends in parts.
async fn begin(imports: &Imports, context: &PageContext, who: &SignedIn, announced: Announced) -> PageAnswer {
    let (Some(name), Some(size)) = (announced.name, announced.size) else {
        let words = "Announce the file with the parameters name and size, then send it in parts.";
        return Err(WebError::Malformed(words.to_owned()).into());
    };
    let import = imports.begin(who, &name, size).await?;
    let location = header_text(&context.url(&import.path()));
    let body = serde_json::json!({ "id": import.id, "partSize": PART_BYTES });
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(body)).into_response())
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

fn form_error(error: MultipartError) -> FormError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FormError::File(ImportError::TooLargeForForm),
        _ => FormError::Request(WebError::Malformed(
            "The form couldn't be read completely. Send it again.".to_owned(),
        )),
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
        _ => WebError::Malformed("The part couldn't be read completely. Send it again.".to_owned()),
    })?;
    let import = imports.find(id, &who).await?;
    imports.add_part(&import, number, &bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Imports the sample leads. The page of the import offers to undo it.
async fn load_sample(State(imports): State<Imports>, target: RenderTarget, who: SignedIn) -> PageAnswer {
    let import = imports.load_samples(&who).await?;
    Ok(target.redirect(&import.path()))
}

/// The query parameters that announce a file to be sent in parts.
#[derive(Debug, Deserialize)]
struct Announced {
    name: Option<String>,
    size: Option<u64>,
}

/// Why a form contains no usable file.
enum FormError {
    /// The file is missing or too large.
    File(ImportError),
    /// The request cannot be read.
    Request(WebError),
}

const MEGABYTE: u64 = 1024 * 1024;

/// The form that uploads a file.
#[derive(Template)]
#[template(path = "leads/import_upload.html", config = "templates/askama.toml")]
pub(super) struct ImportUpload {
    context: PageContext,
    error: Option<String>,
    max_megabytes: u64,
    max_form_megabytes: u64,
}

impl ImportUpload {
    fn new(context: PageContext, error: Option<String>) -> Self {
        let max_form_megabytes = FORM_BYTES as u64 / MEGABYTE;
        Self { context, error, max_megabytes: MAX_FILE_BYTES / MEGABYTE, max_form_megabytes }
    }

    /// Shows the form again for an import whose upload was cut off.
    pub(super) fn cut_off(context: PageContext, import: &Import) -> Self {
        let error = format!(
            "The upload of {} stopped after {} of {}. Choose the file again.",
            import.file_name,
            import.parts,
            counted(import.all_parts(), "part", "parts")
        );
        Self::new(context, Some(error))
    }
}

impl ImportError {
    /// Returns the message for the person who sent a file or a mapping, if the error is about these.
    fn message_for_sender(&self) -> Option<String> {
        match self {
            Self::NotFound | Self::NotStarted | Self::Lead(_) | Self::Store(_) => None,
            _ => Some(self.to_string()),
        }
    }
}
