//! Where an answer is shown.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;

use super::pages::PageContext;
use super::request::WantsFragment;
use super::respond::{Tone, see_other, with_toast_there};

/// Where an answer is shown: the page context, and whether htmx asks for a fragment.
#[derive(Debug)]
pub struct RenderTarget {
    /// The page context.
    pub context: PageContext,
    /// Whether to answer with a fragment.
    pub fragment: bool,
}

impl<S: Sync> FromRequestParts<S> for RenderTarget {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let WantsFragment(fragment) = WantsFragment::from_request_parts(parts, state).await?;
        Ok(Self { context: PageContext::of(parts), fragment })
    }
}

impl RenderTarget {
    /// Redirects to another page.
    pub fn redirect(&self, path: &str) -> Response {
        see_other(&self.context, path, self.fragment)
    }

    /// Redirects to another page, which shows that the change succeeded.
    pub fn done(&self, path: &str, words: &'static str) -> Response {
        with_toast_there(self.redirect(path), Tone::Success, words)
    }
}
