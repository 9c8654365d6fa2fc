//! What a page answers to a visitor who has to sign in: the sign-in page, or for a form a page that keeps its fields.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::pages::PageContext;
use super::query::address;
use super::request::page_before;
use super::respond::{html, see_other};
use super::unsent::{Unsent, UnsentForm};

/// Redirects to the sign-in page, which later returns to the requested page.
pub(super) fn to_sign_in(context: &PageContext, method: &Method, uri: &Uri) -> Response {
    let requested = uri.path_and_query().map(|path| context.url(path.as_str()));
    let next = requested.filter(|_| method == Method::GET).unwrap_or_else(|| context.url("/"));
    see_other(context, &address("/sign-in", [("next", next)]), false)
}

/// The sign-in page that answers a form without a session.
#[derive(Template)]
#[template(path = "accounts/sign_in_again.html", config = "templates/askama.toml")]
struct SignInAgain {
    context: PageContext,
    /// The address of the page that sent the form.
    next: String,
    email: &'static str,
    error: Option<&'static str>,
    has_file: bool,
    /// The form, if it can be sent again.
    unsent: Option<UnsentForm>,
}

/// Answers a form without a session with a sign-in page that keeps the form, if it can be kept.
pub(super) fn sign_in_again(context: PageContext, unsent: Option<Unsent>, headers: &HeaderMap) -> Response {
    let next = page_before(headers).unwrap_or_else(|| context.url("/"));
    let (has_file, unsent) = match unsent {
        Some(Unsent::Form(form)) => (false, Some(form)),
        Some(Unsent::File) => (true, None),
        Some(Unsent::Lost) | None => (false, None),
    };
    let page = SignInAgain { context, next, email: "", error: None, has_file, unsent };
    let status = StatusCode::UNAUTHORIZED;
    html(status, &page).unwrap_or_else(|_| status.into_response())
}
