//! Forms that arrive without a session.
//!
//! A browser without the page's script sends a form and leaves the page, so its fields are lost with the answer. The
//! answer is therefore a sign-in page that carries them. After signing in, a page offers to send the form again.
//!
//! Invariants: no page carries a password or another secret, and no page carries more than [`MAX_BYTES`]. Only a write
//! that passed [`refuse_cross_site`](super::headers::refuse_cross_site) gets here, so another site cannot plant a form.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};

use super::error::WebError;
use super::extract::content_type;
use super::problem::{IntoProblem as _, Problem};
use super::request::Form;

/// The longest body that is carried. Encoded as one field it grows at most threefold, and the sign-in form must stay
/// below the limit of a request.
pub const MAX_BYTES: usize = 18 * 1024;

/// The names of fields with secrets. A form with one of them is not carried.
pub const SECRET_FIELDS: [&str; 8] =
    ["again", "code", "current", "new", "password", "secret", "token", "unsent"];

/// A form that was not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsentForm {
    /// The path and query that it is sent to, without our prefix.
    pub to: String,
    /// Its fields, URL-encoded.
    pub fields: String,
}

impl UnsentForm {
    /// Returns the form, unless it is too long, cannot be read or contains a secret.
    pub fn new(to: String, fields: String) -> Option<Self> {
        let form = Self { to, fields };
        let is_secret = |name: &str| SECRET_FIELDS.contains(&name);
        let is_carried =
            form.fields.len() <= MAX_BYTES && form.pairs()?.iter().all(|(name, _)| !is_secret(name.as_str()));
        is_carried.then_some(form)
    }

    /// Returns the names and values of its fields, in their order.
    pub fn pairs(&self) -> Option<Vec<(String, String)>> {
        serde_urlencoded::from_str(&self.fields).ok()
    }
}

/// What a page can do about a form that arrived without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// It can be sent again.
    Form(UnsentForm),
    /// It has a file, which must be chosen again.
    File,
    /// It must be filled in again.
    Lost,
}

impl Unsent {
    async fn of(request: Request) -> Self {
        let kind = content_type(request.headers());
        if kind == "multipart/form-data" {
            return Self::File;
        }
        let to = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        if !kind.is_empty() && kind != "application/x-www-form-urlencoded" {
            return Self::Lost;
        }
        let Ok(body) = to_bytes(request.into_body(), MAX_BYTES).await else { return Self::Lost };
        let fields = String::from_utf8(body.to_vec()).ok();
        fields.and_then(|fields| UnsentForm::new(to, fields)).map_or(Self::Lost, Self::Form)
    }
}

/// Refuses a request that has no session. A form of a page is kept for the page that answers it.
pub async fn refuse(request: Request) -> Response {
    let is_form = !request.method().is_safe() && Form::of(request.uri(), request.headers()) == Form::Page;
    let mut response = Problem::into_response(WebError::SignInNeeded.into_problem());
    if is_form {
        response.extensions_mut().insert(Unsent::of(request).await);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::web::sources;

    fn of(content_type: &str, body: impl Into<Body>) -> Unsent {
        let request = Request::post("/leads/1?view=row").header("content-type", content_type);
        Unsent::of(request.body(body.into()).unwrap()).now_or_never().unwrap()
    }

    #[test]
    fn a_form_is_carried_as_it_was_typed() {
        let body = "name=Zo%C3%AB+%26+Co&state=NY&state=CA&note=a%0D%0Ab&empty=";
        let Unsent::Form(form) = of("application/x-www-form-urlencoded", body) else { panic!("lost") };
        assert_eq!((form.to.as_str(), form.fields.as_str()), ("/leads/1?view=row", body));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pairs = [
            pair("name", "Zoë & Co"),
            pair("state", "NY"),
            pair("state", "CA"),
            pair("note", "a\r\nb"),
            pair("empty", ""),
        ];
        assert_eq!(form.pairs().unwrap(), pairs);
        assert!(matches!(of("application/x-www-form-urlencoded; charset=UTF-8", ""), Unsent::Form(_)));
    }

    #[test]
    fn a_secret_a_file_and_a_long_form_are_not_carried() {
        let plain = "application/x-www-form-urlencoded";
        for name in SECRET_FIELDS {
            assert_eq!(of(plain, format!("name=Ann&{name}=x")), Unsent::Lost, "{name}");
        }
        assert_eq!(of("multipart/form-data; boundary=b", "--b"), Unsent::File);
        assert_eq!(of("application/octet-stream", "name=Ann"), Unsent::Lost);
        assert!(matches!(of(plain, format!("a={}", "x".repeat(MAX_BYTES - 2))), Unsent::Form(_)));
        assert_eq!(of(plain, format!("a={}", "x".repeat(MAX_BYTES - 1))), Unsent::Lost);
        assert_eq!(of(plain, vec![0xff]), Unsent::Lost);
    }

    #[test]
    fn every_password_field_is_a_secret() {
        let mut fields = 0;
        for (_, template) in sources::of("templates", "html") {
            for tag in template.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
                if tag.contains("type=\"password\"") || tag.contains("one-time-code") {
                    let name = tag.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
                    assert!(SECRET_FIELDS.contains(&name), "{name} must be in SECRET_FIELDS");
                    fields += 1;
                }
            }
        }
        assert!(fields >= 5, "only {fields} fields were found");
    }
}
