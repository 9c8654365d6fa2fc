//! What the pages of rules share.

use axum::response::Response;

use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::{Tone, see_other, with_toast_there};

/// The address of the list.
pub(super) const PATH: &str = "/automation/rules";

/// The answer of a page, or why there is none.
pub(super) type Answer = Result<Response, Problem>;

/// Returns to the list, with a message.
pub(super) fn done(context: &PageContext, words: &'static str) -> Response {
    with_toast_there(see_other(context, PATH, false), Tone::Success, words)
}
