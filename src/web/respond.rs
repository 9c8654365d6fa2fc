//! Responses: pages, fragments, JSON, redirects, toasts.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::error::WebError;
use super::isolate;
pub use super::message::{Message, Tone, Undo};
use super::pages::PageContext;
use crate::store::idempotency::Answer;
use crate::web::problem::Problem;

/// Renders a page or a fragment.
///
/// # Errors
/// [`WebError::Internal`] if the template cannot be rendered.
pub fn html(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let text =
        template.render().map_err(|error| WebError::Internal(format!("a template failed: {error}")))?;
    Ok((status, [(header::VARY, "HX-Request, Cookie")], Html(isolate::resolve(text))).into_response())
}

/// Redirects to another page after a form. For a fragment, htmx follows the redirect.
pub fn see_other(context: &PageContext, path: &str, fragment: bool) -> Response {
    let address = header_text(&context.url(path));
    if fragment {
        ([("hx-redirect", address)], StatusCode::NO_CONTENT).into_response()
    } else {
        (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
    }
}

/// Lets a whole page take the place of the page that htmx shows: its content, its title, and its address, also in the
/// history, so that going back does not lead to a form that was sent.
pub fn instead_of_page(mut page: Response, address: &str) -> Response {
    let headers = page.headers_mut();
    headers.insert("hx-retarget", HeaderValue::from_static("#content"));
    headers.insert("hx-reselect", HeaderValue::from_static("#content"));
    headers.insert("hx-reswap", HeaderValue::from_static("outerHTML show:window:top"));
    headers.insert("hx-replace-url", header_text(address));
    page
}

/// Adds a toast to a fragment. The page that receives the fragment shows it.
pub fn with_fragment_toast(response: Response, tone: Tone, text: &str) -> Response {
    with_event(response, "toast", &json!({ "kind": tone, "text": text }))
}

/// Adds a toast to a fragment, or a [message](Message) to a redirect, which the page after it shows.
///
/// The message travels in a cookie, which is signed and not encrypted, so its text is fixed: it contains no personal
/// data.
pub fn with_toast(response: Response, tone: Tone, text: &'static str) -> Response {
    if response.status() == StatusCode::SEE_OTHER {
        return with_toast_there(response, tone, text);
    }
    with_fragment_toast(response, tone, text)
}

/// Adds a toast as [`with_toast`] does, with a button that undoes the change.
pub fn with_undo(response: Response, text: &'static str, undo: Undo) -> Response {
    if response.status() == StatusCode::SEE_OTHER {
        return with_undo_there(response, text, undo);
    }
    with_event(response, "toast", &json!({ "kind": Tone::Success, "text": text, "undo": undo }))
}

/// Adds a [message](Message) that the page after a redirect shows, also after a redirect that htmx follows.
pub fn with_toast_there(response: Response, tone: Tone, text: &'static str) -> Response {
    with_message(response, Message { tone, text: text.to_owned(), undo: None })
}

/// Adds a message as [`with_toast_there`] does, with a button that undoes the change.
pub fn with_undo_there(response: Response, text: &'static str, undo: Undo) -> Response {
    with_message(response, Message { tone: Tone::Success, text: text.to_owned(), undo: Some(undo) })
}

fn with_message(mut response: Response, message: Message) -> Response {
    response.extensions_mut().insert(message);
    response
}

/// Adds an event that the script of the page receives.
pub fn with_event(mut response: Response, name: &str, detail: &serde_json::Value) -> Response {
    let event = json!({ name: detail });
    response.headers_mut().insert("hx-trigger", header_text(&ascii_json(&event.to_string())));
    response
}

/// Escapes everything except ASCII in JSON, because headers allow nothing else.
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// Returns the header value, or an empty one if the text is not valid in a header.
pub fn header_text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Creates an answer that an idempotency record can store. The body is a resource with a version.
pub fn answer(status: StatusCode, body: &impl Serialize, version: u64, location: Option<String>) -> Answer {
    Answer {
        status: status.as_u16(),
        // Our own types always serialize.
        body: serde_json::to_string(body).unwrap_or_default(),
        location,
        etag: Some(format!("\"{version}\"")),
        about: None,
    }
}

/// Returns the answer without content.
pub fn no_content() -> Answer {
    let status = StatusCode::NO_CONTENT.as_u16();
    Answer { status, body: String::new(), location: None, etag: None, about: None }
}

/// Redirects permanently to the resource that replaces this one.
pub fn moved(address: &str) -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, header_text(address))]).into_response()
}

/// Answers that the client already [has](super::request::IfNoneMatch) the resource with this tag.
pub fn not_modified(tag: &str) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, header_text(&format!("\"{tag}\"")))]).into_response()
}

/// The cursor of an export's next part, for programs that do not parse links.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// Returns one part of an export as a file of this name, with the address and the cursor of the next part.
pub fn csv_part(file: &str, csv: String, next: Option<(String, String)>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header_text("text/csv; charset=utf-8"));
    let disposition = format!("attachment; filename=\"{file}\"");
    headers.insert(header::CONTENT_DISPOSITION, header_text(&disposition));
    if let Some((address, cursor)) = next {
        headers.insert(header::LINK, header_text(&format!("<{address}>; rel=\"next\"")));
        headers.insert(NEXT_CURSOR, header_text(&cursor));
    }
    (headers, csv).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = match self.body.is_empty() {
            true => status.into_response(),
            false => (status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response(),
        };
        if let Some(location) = self.location {
            response.headers_mut().insert(header::LOCATION, header_text(&location));
        }
        if let Some(etag) = self.etag {
            response.headers_mut().insert(header::ETAG, header_text(&etag));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toast_with_any_characters_fits_in_a_header() {
        let response = with_fragment_toast(Response::default(), Tone::Error, "“Zoë” 🎉\n");
        let header = response.headers()["hx-trigger"].to_str().unwrap();
        let event: serde_json::Value = serde_json::from_str(header).unwrap();
        assert_eq!(event["toast"]["text"], "“Zoë” 🎉\n");
    }
}
