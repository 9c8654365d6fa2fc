//! Extractors that reject bad requests with a problem document.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, RawPathParams, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::context::RequestContext;
use super::error::WebError;
use super::query;
use crate::base::fields::{self, FromFields, Object, not_json};
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::store::idempotency::{IdempotencyKey, IdempotentRequest};
use crate::web::problem::Problem;

/// Extracts the sender of the request. `Option<SignedIn>` is for routes that anyone may use.
impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| WebError::SignInNeeded.into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A value in the path, such as an id. An invalid value answers 404 with a description of valid values.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err: Into<Invalid>>> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = path_of(parts, state).await?;
        Ok(Self(path_value(&path, 0)?))
    }
}

/// Two values in the path, such as an id and a number.
#[derive(Debug, Clone, Copy)]
pub struct PathPair<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr<Err: Into<Invalid>>, B: FromStr<Err: Into<Invalid>>> FromRequestParts<S>
    for PathPair<A, B>
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = path_of(parts, state).await?;
        Ok(Self(path_value(&path, 0)?, path_value(&path, 1)?))
    }
}

async fn path_of<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, WebError> {
    // A path that is not UTF-8 has no valid value.
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| WebError::NotFound)
}

fn path_value<T: FromStr<Err: Into<Invalid>>>(path: &RawPathParams, place: usize) -> Result<T, WebError> {
    let (_, text) = path.iter().nth(place).ok_or(WebError::NotFound)?;
    text.parse().map_err(|error: T::Err| WebError::NoSuchId(error.into()))
}

/// The query parameters.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        query::read(query).map(Self).map_err(|words| WebError::Malformed(words).into())
    }
}

/// The fields of a form.
#[derive(Debug, Clone)]
pub struct FormData<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequest<S> for FormData<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::of(request.extensions())?.clone();
        let form = axum::Form::<T>::from_request(request, state).await;
        let form = form.map(|axum::Form(fields)| Self(fields)).map_err(|rejection| match rejection {
            FormRejection::InvalidFormContentType(_) => {
                WebError::MediaType("application/x-www-form-urlencoded")
            }
            FormRejection::BytesRejection(rejection) => body_error(&rejection),
            _ => WebError::Malformed("The form can't be read. Reload the page and try again.".to_owned()),
        })?;
        context.dynamo.restart_deadline();
        Ok(form)
    }
}

fn body_error(rejection: &BytesRejection) -> WebError {
    if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
        WebError::TooLong
    } else {
        WebError::Malformed("The request couldn't be read completely. Send it again.".to_owned())
    }
}

/// A JSON request: its body, and the headers of writes.
#[derive(Debug)]
pub struct JsonRequest<T> {
    /// The body.
    pub body: T,
    /// The version in `If-Match`, if it was sent.
    pub if_match: Option<Version>,
    /// The request with its `Idempotency-Key`, if one was sent.
    pub idempotency: Option<IdempotentRequest>,
}

impl<T> JsonRequest<T> {
    /// Returns the version that the change expects, from the body's `version` or `If-Match`.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if neither was sent, [`WebError::Malformed`] if both were sent and differ.
    pub fn version(&self, in_body: Option<Version>) -> Result<Version, WebError> {
        expected_version(in_body, self.if_match)
    }
}

/// Returns the version that a change expects, from a field or a header.
pub fn expected_version(field: Option<Version>, if_match: Option<Version>) -> Result<Version, WebError> {
    match (field, if_match) {
        (Some(field), Some(header)) if field != header => Err(WebError::Malformed(
            "The field version and the header If-Match have different versions. Send one of them.".to_owned(),
        )),
        (field, header) => field.or(header).ok_or(WebError::VersionMissing),
    }
}

impl<S: Send + Sync, T: FromFields> FromRequest<S> for JsonRequest<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(WebError::MediaType("application/json").into());
        }
        let (parts, bytes) = buffer_body(request).await?;
        let idempotency = idempotent_request(&parts, &bytes)?;
        Ok(Self { body: read_json(&bytes)?, if_match: if_match(&parts.headers)?, idempotency })
    }
}

/// Reads the whole body of a request.
///
/// # Errors
/// [`WebError::TooLong`] if the body is longer than the route's limit.
pub async fn buffer_body(request: Request) -> Result<(Parts, Bytes), WebError> {
    // The body's limit is in the extensions, which both the request and the returned parts need.
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| body_error(&rejection))?;
    RequestContext::of(&parts.extensions)?.dynamo.restart_deadline();
    Ok((parts, bytes))
}

/// Returns the request with its `Idempotency-Key`, if a signed-in sender sent one with a write. The fingerprint
/// includes everything that determines the effect: also the query and the precondition.
///
/// # Errors
/// [`WebError::Malformed`] for an invalid key.
pub fn idempotent_request(parts: &Parts, body: &[u8]) -> Result<Option<IdempotentRequest>, WebError> {
    let (method, path) = (&parts.method, parts.uri.path());
    let key = parts.headers.get("idempotency-key").filter(|_| !method.is_safe());
    let (Some(value), Some(who)) = (key, parts.extensions.get::<SignedIn>()) else { return Ok(None) };
    let key: IdempotencyKey = value
        .to_str()
        .map_err(|_| Invalid::new("An Idempotency-Key must have 1 to 200 visible ASCII characters."))
        .and_then(str::parse)
        .map_err(|invalid| WebError::Malformed(invalid.to_string()))?;
    let mut asked = vec![method.as_str().as_bytes(), path.as_bytes(), body];
    let query = parts.uri.query().map(|query| format!("?{query}"));
    let precondition =
        parts.headers.get(header::IF_MATCH).map(|value| [b"If-Match: ", value.as_bytes()].concat());
    asked.extend(query.as_ref().map(String::as_bytes));
    asked.extend(precondition.as_deref());
    Ok(Some(IdempotentRequest::new(
        &who.id.to_string(),
        key,
        &asked,
        RequestContext::of(&parts.extensions)?.clock.now(),
    )))
}

/// The request with its `Idempotency-Key`, for a write without a body.
#[derive(Debug)]
pub struct WithKey(pub Option<IdempotentRequest>);

impl<S: Sync> FromRequestParts<S> for WithKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(idempotent_request(parts, &[])?))
    }
}

/// Returns the body's media type without parameters, in lowercase: `application/json`.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the media type of the body is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let essence = content_type(headers);
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

/// Parses a JSON value.
///
/// # Errors
/// [`WebError::Malformed`] with the place of the error.
pub fn json_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WebError> {
    serde_json::from_slice(bytes)
        .map_err(|error| WebError::Malformed(format!("The body isn't JSON: {}.", not_json(&error))))
}

pub(super) fn read_json<T: FromFields>(bytes: &[u8]) -> Result<T, WebError> {
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(WebError::Malformed("The body must be a JSON object.".to_owned()));
    }
    fields::read(json_value::<Object>(bytes)?).map_err(WebError::Invalid)
}

/// Returns the version in `If-Match`. `*` matches every version, so it counts as an invalid version.
///
/// # Errors
/// [`WebError::Malformed`] if the header is not a version.
pub fn if_match(headers: &HeaderMap) -> Result<Option<Version>, WebError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let tag = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    tag.parse().map(Some).map_err(|_| {
        WebError::Malformed(
            "If-Match must be the version you last saw, for example \"3\" with quotes.".to_owned(),
        )
    })
}
