//! The form that switches the theme.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;

use super::access::Access;
use super::extract::FormData;
use super::pages::PageContext;
use super::request::{WantsFragment, local_path};
use super::respond::{header_text, see_other};
use super::routes::Routes;
use super::theme::Theme;

/// Returns the route that changes the theme. Cookies travel only over HTTPS if `secure`.
pub fn routes(secure: bool) -> Routes {
    Routes::default().post("/theme", Access::Public, change).with_state(secure)
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: Theme,
    /// The page to return to.
    #[serde(default)]
    next: String,
}

/// `POST /theme`: returns to the page of the form. The script changes the page itself, and needs no other one.
async fn change(
    State(secure): State<bool>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<ThemeForm>,
) -> Response {
    let mut response = match fragment {
        true => StatusCode::NO_CONTENT.into_response(),
        false => see_other(&context, local_path(&context.base, &form.next).unwrap_or("/"), false),
    };
    let cookie = header_text(&form.theme.cookie(&context.base, secure));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
