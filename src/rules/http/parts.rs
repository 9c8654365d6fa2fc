//! What the pages of rules share.

/// The address of the list.
pub(super) const PATH: &str = "/automation/rules";

/// For a form that was sent before, and whose reply was lost.
pub(super) const ALREADY_SAVED: &str = "This was already saved. Here are the current rules.";
