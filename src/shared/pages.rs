//! What the pages of all features import: `use crate::shared::pages::*`.

pub use askama::Template;
pub use axum::extract::State;
pub use axum::response::{IntoResponse, Response};
pub use http::StatusCode;
pub use serde::Deserialize;

pub use crate::base::identity::SignedIn;
pub use crate::shared::submission::Submission;
pub use crate::web::access::Access;
pub use crate::web::error::WebError;
pub use crate::web::extract::{FormData, Path, Query};
pub use crate::web::pages::{DisplayTime, PageContext, RecentTime};
pub use crate::web::problem::Problem;
pub use crate::web::request::WantsFragment;
pub use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
pub use crate::web::routes::Routes;
pub use crate::web::target::RenderTarget;

/// The answer of a page.
pub type PageAnswer = Result<Response, Problem>;

impl PageContext {
    /// Returns whether the page may offer changes: an agent or an administrator is signed in. Viewers only read.
    pub fn can_edit(&self) -> bool {
        self.account.as_ref().is_some_and(SignedIn::is_agent)
    }

    /// Returns whether an administrator is signed in.
    pub fn is_administrator(&self) -> bool {
        self.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}
