//! The layer that renders every failure in the form that the client expects: a page, a fragment with a toast, or a
//! problem document (RFC 9457).

use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, StatusCode, Uri, header};

use super::compress::keep_mark;
use super::context::{Renewal, RequestContext, Sender};
use super::problem::{IntoProblem as _, Problem};
use super::routes::{Overloaded, SenderDecided};
use super::sign_in_again::{sign_in_again, to_sign_in};
use crate::base::identity::SignedIn;
use crate::base::telemetry::RequestId;
use crate::web::error::WebError;
use crate::web::pages::PageContext;
use crate::web::request::{Form, has_idempotency_key, page_before};
use crate::web::respond::{Tone, header_text, html, with_fragment_toast};
use crate::web::unsent::Unsent;

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
    let (parts, body) = request.into_parts();
    let sent = SentRequest::of(&parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(problem) = problem_of(&mut response) else { return response };
    let problem = if sent.has_key() { problem.of_keyed_request() } else { problem };
    let (account, renewal) = sent.sender(&lookup, response.extensions_mut()).await;
    let unsent = response.extensions_mut().remove::<Unsent>();
    let context = PageContext { account, ..sent.context.clone() };
    let mut rendered = sent.render(&problem, context, unsent);
    keep_mark(&response, &mut rendered);
    keep_headers(&response, &problem, &mut rendered);
    match renewal {
        Some(renewal) => renewal.with(rendered),
        None => rendered,
    }
}

/// What is known about a request after its handler consumed it.
struct SentRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    context: PageContext,
    /// The request's id in the log.
    id: Option<RequestId>,
    is_overloaded: bool,
}

impl SentRequest {
    fn of(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            context: PageContext::of(parts),
            id: parts.extensions.get::<RequestId>().cloned(),
            is_overloaded: parts.extensions.get::<Overloaded>().is_some(),
        }
    }

    fn form(&self) -> Form {
        Form::of(&self.uri, &self.headers)
    }

    fn has_key(&self) -> bool {
        has_idempotency_key(&self.uri, &self.headers)
    }

    /// Returns the sender: the one that the route admitted, or for a page that no route decided about, the one that the
    /// headers name.
    async fn sender(
        &self,
        lookup: &RequestContext,
        answer: &mut Extensions,
    ) -> (Option<SignedIn>, Option<Renewal>) {
        let is_decided = self.is_overloaded || answer.get::<SenderDecided>().is_some();
        match answer.remove::<SignedIn>() {
            None if self.form() == Form::Page && !is_decided => who_is_it(lookup, &self.headers).await,
            account => (account, None),
        }
    }

    /// Renders a problem in the form that the client expects. `unsent` is the form that arrived without a session.
    fn render(&self, problem: &Problem, context: PageContext, unsent: Option<Unsent>) -> Response {
        let is_fault = problem.status() == StatusCode::INTERNAL_SERVER_ERROR;
        let reference = self.id.as_ref().filter(|_| is_fault).map(|id| id.0.clone());
        match self.form() {
            Form::Json => document(problem, reference),
            Form::Fragment => fragment(problem, reference),
            Form::Page if problem.status() == StatusCode::UNAUTHORIZED => match self.method.is_safe() {
                true => to_sign_in(&context, &self.method, &self.uri),
                false => sign_in_again(context, unsent, &self.headers),
            },
            Form::Page => page(problem, context, reference, self.back()),
        }
    }

    /// Returns the address of the page before, to go back to. The page that failed does not lead back to itself.
    fn back(&self) -> Option<String> {
        let failed = self.uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
        page_before(&self.headers).filter(|before| !self.method.is_safe() || !before.ends_with(failed))
    }
}

/// Keeps the headers of an answer that its rendering needs too, and says when a retry may help.
fn keep_headers(of: &Response, problem: &Problem, rendered: &mut Response) {
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in of.headers().get_all(&name) {
            rendered.headers_mut().append(&name, value.clone());
        }
    }
    let busy = (problem.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
    if let Some(seconds) = problem.seconds().or(busy) {
        rendered.headers_mut().insert(header::RETRY_AFTER, seconds.into());
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

/// Answers htmx, which keeps its page and shows a toast.
fn fragment(problem: &Problem, reference: Option<String>) -> Response {
    let response = (problem.status(), [("hx-reswap", "none")]).into_response();
    // The script of the page opens a dialog to sign in, and sends the request again.
    if problem.status() == StatusCode::UNAUTHORIZED {
        return response;
    }
    let quote = reference.map(|id| format!(" Reference: {id}")).unwrap_or_default();
    with_fragment_toast(response, Tone::Error, &format!("{}{quote}", problem.words()))
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
