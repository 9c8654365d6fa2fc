//! The layer that renders every failure in the form that the client expects: a page, a fragment with a toast, or a
//! problem document (RFC 9457).

use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};

use super::compress::keep_mark;
use super::context::{Renewal, RequestContext, Sender};
use super::problem::{IntoProblem as _, Problem};
use super::routes::{Overloaded, SenderDecided};
use crate::base::identity::SignedIn;
use crate::base::telemetry::RequestId;
use crate::web::error::WebError;
use crate::web::pages::PageContext;
use crate::web::request::{Form, has_idempotency_key, page_before};
use crate::web::respond::{Tone, header_text, html, see_other, with_fragment_toast};
use crate::web::unsent::{Unsent, UnsentForm};

#[derive(Template)]
#[template(path = "error.html", config = "templates/askama.toml")]
struct ErrorPage {
    context: PageContext,
    status: u16,
    title: String,
    detail: String,
    /// The request's id in the log, if the failure is the server's.
    reference: Option<String>,
    /// The address of the page before, if it is ours.
    back: Option<String>,
}

/// The time in which an error page finds out who is signed in. A page without navigation is better than a late one.
const LOOKUP: Duration = Duration::from_secs(3);

/// Renders every failure. Other responses pass unchanged.
pub async fn present(State(lookup): State<RequestContext>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let (parts, body) = request.into_parts();
    let context = PageContext::of(&parts);
    let id = parts.extensions.get::<RequestId>().cloned();
    let is_overloaded = parts.extensions.get::<Overloaded>().is_some();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(problem) = problem_of(&mut response) else { return response };
    let problem = if has_idempotency_key(&uri, &headers) { problem.of_keyed_request() } else { problem };
    let reference = id.filter(|_| problem.status() == StatusCode::INTERNAL_SERVER_ERROR).map(|id| id.0);
    let form = Form::of(&uri, &headers);
    let is_decided = is_overloaded || response.extensions().get::<SenderDecided>().is_some();
    let (account, renewal) = match response.extensions_mut().remove::<SignedIn>() {
        None if form == Form::Page && !is_decided => who_is_it(&lookup, &headers).await,
        account => (account, None),
    };
    let context = PageContext { account, ..context };
    let mut rendered = match form {
        Form::Json => document(&problem, reference),
        // The script of the page opens a dialog to sign in, and sends the request again.
        Form::Fragment if problem.status() == StatusCode::UNAUTHORIZED => {
            (problem.status(), [("hx-reswap", "none")]).into_response()
        }
        Form::Page if problem.status() == StatusCode::UNAUTHORIZED => match method.is_safe() {
            true => to_sign_in(&context, &method, &uri),
            false => sign_in_again(context, &mut response, &headers),
        },
        Form::Fragment => {
            let response = (problem.status(), [("hx-reswap", "none")]).into_response();
            let quote = reference.map(|id| format!(" Reference: {id}")).unwrap_or_default();
            with_fragment_toast(
                response,
                Tone::Error,
                &format!("{}. {}{quote}", problem.title(), problem.detail()),
            )
        }
        Form::Page => page(&problem, context, reference, back(&method, &uri, &headers)),
    };
    keep_mark(&response, &mut rendered);
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in response.headers().get_all(&name) {
            rendered.headers_mut().append(&name, value.clone());
        }
    }
    let busy = (problem.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
    if let Some(seconds) = problem.seconds().or(busy) {
        rendered.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    match renewal {
        Some(renewal) => renewal.with(rendered),
        None => rendered,
    }
}

/// Returns the sender of a request that no route admitted: its address is unknown, or its method, or the handler failed.
/// If the sender cannot be found, there is none, because the page shows another failure.
async fn who_is_it(context: &RequestContext, headers: &HeaderMap) -> (Option<SignedIn>, Option<Renewal>) {
    // A browser also requests pictures and scripts, and shows no page for them.
    let is_for_page = headers.get("sec-fetch-dest").is_none_or(|value| value == "document");
    if !is_for_page {
        return (None, None);
    }
    match context.dynamo.at_most(LOOKUP, context.authenticator.authenticate(headers)).await {
        Ok(Some(Sender { who, renewal })) => (Some(who), renewal),
        Ok(None) | Err(_) => (None, None),
    }
}

/// Marks a response that already explains its failure.
#[derive(Debug, Clone, Copy)]
pub struct AlreadyRendered;

/// Returns the problem of a response: one that a handler inserted, or that of a bare status of the router.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    if response.extensions().get::<AlreadyRendered>().is_some() {
        return None;
    }
    if response.headers().contains_key(header::CONTENT_TYPE)
        && response.status() != StatusCode::PAYLOAD_TOO_LARGE
    {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(WebError::NotFound.into_problem()),
        StatusCode::METHOD_NOT_ALLOWED => Some(WebError::Method.into_problem()),
        StatusCode::PAYLOAD_TOO_LARGE => Some(WebError::TooLong.into_problem()),
        _ => None,
    }
}

fn document(problem: &Problem, reference: Option<String>) -> Response {
    let mut document = problem.document();
    if let Some(reference) = reference {
        document["requestId"] = reference.into();
    }
    let body = document.to_string();
    let mut response =
        (problem.status(), [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    if problem.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header_text("Bearer"));
    }
    response
}

/// Redirects to the sign-in page, which later returns to the requested page.
fn to_sign_in(context: &PageContext, method: &Method, uri: &Uri) -> Response {
    let requested = uri.path_and_query().map(|path| context.url(path.as_str()));
    let next = requested.filter(|_| method == Method::GET).unwrap_or_else(|| context.url("/"));
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    see_other(context, &format!("/sign-in?{query}"), false)
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

fn sign_in_again(context: PageContext, response: &mut Response, headers: &HeaderMap) -> Response {
    let next = page_before(headers).unwrap_or_else(|| context.url("/"));
    let (has_file, unsent) = match response.extensions_mut().remove::<Unsent>() {
        Some(Unsent::Form(form)) => (false, Some(form)),
        Some(Unsent::File) => (true, None),
        Some(Unsent::Lost) | None => (false, None),
    };
    let page = SignInAgain { context, next, email: "", error: None, has_file, unsent };
    let status = StatusCode::UNAUTHORIZED;
    html(status, &page).unwrap_or_else(|_| status.into_response())
}

/// Returns the address of the page before, to go back to. The page that failed does not lead back to itself.
fn back(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let failed = uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
    page_before(headers).filter(|before| !method.is_safe() || !before.ends_with(failed))
}

fn page(
    problem: &Problem,
    context: PageContext,
    reference: Option<String>,
    back: Option<String>,
) -> Response {
    let (title, detail) = (problem.title().to_owned(), problem.detail().to_owned());
    let page = ErrorPage { context, status: problem.status().as_u16(), title, detail, reference, back };
    html(problem.status(), &page).unwrap_or_else(|_| problem.status().into_response())
}
