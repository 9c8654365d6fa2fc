//! The form that switches the theme.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::access::Access;
use super::extract::FormData;
use super::request::{local_path, page_before};
use super::respond::header_text;
use super::routes::Routes;
use super::target::RenderTarget;
use super::theme::Theme;

/// Returns the route that changes the theme. Cookies travel only over HTTPS if `secure`.
pub fn routes(secure: bool) -> Routes {
    Routes::default().post("/theme", Access::Public, change).with_state(secure)
}

#[derive(Deserialize)]
struct ThemeForm {
    theme: Theme,
}

/// `POST /theme`: returns to the page that sent the form. The script changes the page itself, and needs no other one.
async fn change(
    State(secure): State<bool>,
    target: RenderTarget,
    headers: HeaderMap,
    FormData(form): FormData<ThemeForm>,
) -> Response {
    let before = page_before(&headers);
    let back = before.as_deref().and_then(|page| local_path(&target.context.base, page));
    let mut response = match target.fragment {
        true => StatusCode::NO_CONTENT.into_response(),
        false => target.redirect(back.unwrap_or("/")),
    };
    let cookie = header_text(&form.theme.cookie(&target.context.base, secure));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
