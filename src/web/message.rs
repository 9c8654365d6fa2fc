//! A message about a form that the page after its redirect shows, with and without JavaScript.
//!
//! Invariants: the message travels in a cookie that only the server reads. It is signed, so that no other site or
//! application puts words or a form into our pages. The next whole page shows it and removes the cookie; fragments,
//! files, redirects and answers for programs leave it alone.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::request::{Form, Htmx};
use crate::base::values::text_enum;

text_enum! {
    /// The tone of a toast. Its text is its name in the script and the stylesheet.
    pub enum Tone, exact, "A tone is success, info, or error.";
    /// The action was done.
    Success = "success",
    /// Information.
    Info = "info",
    /// The action was not done.
    Error = "error",
}

/// The form in a toast that undoes what the toast reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The address that the form is sent to.
    pub action: String,
    /// The element that the answer replaces, as a CSS selector. Without it, the answer is a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The fields of the form.
    pub fields: Vec<(Cow<'static, str>, String)>,
}

/// A message that the page after a redirect shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The tone.
    pub tone: Tone,
    /// The text.
    pub text: String,
    /// The form that undoes what the message reports.
    pub undo: Option<Undo>,
}

impl Message {
    /// Returns whether the message reports that something was not done.
    pub fn is_error(&self) -> bool {
        self.tone == Tone::Error
    }
}

/// Puts messages into cookies and reads them. The feature that owns cookies implements it.
pub trait MessageCookies: Send + Sync {
    /// Returns the text in the cookie of a request, if it was [sealed](Self::seal) here a short time ago.
    fn open<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Option<String>>;

    /// Returns the value of `Set-Cookie` with this text.
    fn seal(&self, text: String) -> BoxFuture<'_, HeaderValue>;

    /// Returns the value of `Set-Cookie` that removes the cookie.
    fn remove(&self) -> HeaderValue;
}

/// Carries the message of an answer to the next page of the same browser. A handler inserts the [`Message`] into the
/// extensions of its answer; the page's context finds it in the extensions of the next request.
pub async fn carry(
    State(cookies): State<Arc<dyn MessageCookies>>,
    mut request: Request,
    next: Next,
) -> Response {
    let message = if shows_messages(&request) { cookies.open(request.headers()).await } else { None };
    let message: Option<Message> = message.and_then(|text| serde_json::from_str(&text).ok());
    let is_shown = message.is_some();
    if let Some(message) = message {
        request.extensions_mut().insert(message);
    }
    let mut response = next.run(request).await;
    let cookie = match response.extensions_mut().remove::<Message>() {
        // Our own types always serialize.
        Some(message) => cookies.seal(serde_json::to_string(&message).unwrap_or_default()).await,
        None if is_shown && is_html(&response) => cookies.remove(),
        None => return response,
    };
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Whether the answer to a request may be a whole page that a person sees. A script that loads a page shows only a part.
fn shows_messages(request: &Request) -> bool {
    request.method() != Method::HEAD
        && Form::of(request.uri(), request.headers()) == Form::Page
        && Htmx::of(request.headers()).is_none()
}

fn is_html(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}
