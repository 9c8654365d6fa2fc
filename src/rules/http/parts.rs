//! What the pages of rules share.

use crate::shared::pages::*;

/// The address of the list.
pub(super) const PATH: &str = "/automation/rules";

/// Returns to the list, with a message.
pub(super) fn done(context: &PageContext, words: &'static str) -> Response {
    with_toast_there(see_other(context, PATH, false), Tone::Success, words)
}
