//! One extractor for a change of a record: its id, the version that it expects, its body, who sends it, and its key.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use http::header;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::WebError;
use super::extract::{Path, buffer_body, expected_version, idempotent_request, if_match, is_json, read_json};
use super::lists::parameter;
use super::problem::Problem;
use super::query;
use crate::base::fields::{Fields, FromFields, whole_number};
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::store::idempotency::{Answer, Idempotency, IdempotentRequest};

/// A change of the record whose id is the first value in the path.
#[derive(Debug)]
pub struct Change<I, B> {
    /// The record.
    pub id: I,
    /// The version that the sender last saw.
    pub version: Version,
    /// What to change.
    pub body: B,
    /// Who sends it.
    pub who: SignedIn,
    request: Option<IdempotentRequest>,
}

impl<I, B> Change<I, B> {
    /// Returns the idempotency record that the change writes together with its effect, if the request has a key.
    /// `answer` creates the stored answer from the changed record.
    pub fn idempotency<'a, T>(
        &self,
        answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
    ) -> Option<Idempotency<'a, T>> {
        self.request.clone().map(|request| Idempotency { request, answer })
    }
}

impl<S, I, B> FromRequest<S> for Change<I, B>
where
    S: Send + Sync,
    I: FromStr<Err: Into<Invalid>> + Send,
    B: ChangeBody,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Path(id) = Path::from_request_parts(&mut parts, state).await?;
        let who = SignedIn::from_request_parts(&mut parts, state).await?;
        B::check(&parts)?;
        let (parts, bytes) = buffer_body(Request::from_parts(parts, body)).await?;
        let request = idempotent_request(&parts, &bytes)?;
        let (version, body) = B::read(&parts, &bytes)?;
        let version = expected_version(version, if_match(&parts.headers)?)?;
        Ok(Self { id, version, body, who, request })
    }
}

/// The body of a change: what to change, and the expected version unless `If-Match` names it.
pub trait ChangeBody: Sized {
    /// Checks the head of the request before its body is read.
    ///
    /// # Errors
    /// [`WebError::MediaType`] for a body of another type.
    fn check(parts: &Parts) -> Result<(), WebError>;

    /// Reads the body, and the version if it contains one.
    ///
    /// # Errors
    /// [`WebError::Malformed`] or [`WebError::Invalid`].
    fn read(parts: &Parts, bytes: &[u8]) -> Result<(Option<Version>, Self), WebError>;
}

/// The fields of a JSON object, with the version in its field `version`.
impl<T: FromFields> ChangeBody for T {
    fn check(parts: &Parts) -> Result<(), WebError> {
        if is_json(&parts.headers) { Ok(()) } else { Err(WebError::MediaType("application/json")) }
    }

    fn read(_: &Parts, bytes: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        let Versioned { version, body } = read_json(bytes)?;
        Ok((version, body))
    }
}

/// A change that needs no body. A JSON body may contain the version.
#[derive(Debug, Clone, Copy)]
pub struct EmptyBody;

impl ChangeBody for EmptyBody {
    fn check(parts: &Parts) -> Result<(), WebError> {
        let has_body = parts.headers.contains_key(header::CONTENT_TYPE);
        if !has_body || is_json(&parts.headers) {
            Ok(())
        } else {
            Err(WebError::MediaType("application/json"))
        }
    }

    fn read(parts: &Parts, bytes: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        if !parts.headers.contains_key(header::CONTENT_TYPE) {
            return Ok((None, Self));
        }
        let Versioned::<Nothing> { version, .. } = read_json(bytes)?;
        Ok((version, Self))
    }
}

/// A deletion. The parameter `version` of its address may contain the version.
#[derive(Debug, Clone, Copy)]
pub struct Deletion;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeletionParameters {
    version: Option<String>,
}

impl ChangeBody for Deletion {
    fn check(_: &Parts) -> Result<(), WebError> {
        Ok(())
    }

    fn read(parts: &Parts, _: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        let DeletionParameters { version } = parameters(parts)?;
        Ok((parameter("version", version, str::parse)?, Self))
    }
}

/// Reads the parameters of an address, for a change that has no body.
///
/// # Errors
/// [`WebError::Malformed`] for unknown or repeated parameters.
pub fn parameters<T: DeserializeOwned>(parts: &Parts) -> Result<T, WebError> {
    query::read(parts.uri.query().unwrap_or_default()).map_err(WebError::Malformed)
}

struct Versioned<T> {
    version: Option<Version>,
    body: T,
}

impl<T: FromFields> FromFields for Versioned<T> {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // Errors are listed in the order of reading: those of the body first.
        let body = T::from_fields(fields);
        let version = fields.optional("version", whole_number);
        Some(Self { version, body: body? })
    }
}

struct Nothing;

impl FromFields for Nothing {
    fn from_fields(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}
