//! What the pages of rules share.

/// The address of the list.
pub(super) const PATH: &str = "/automation/rules";
