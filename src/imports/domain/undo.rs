//! The progress of an undo. Pure.

use serde::{Deserialize, Serialize};

use crate::leads::domain::LeadId;

/// The progress of an undo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The rows up to this one are not undone again: version 0.1 began with the first row and undid them before.
    pub row: u64,
    /// The first row that was undone. The undo begins with the last row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The number of leads that were moved to the trash.
    pub deleted: u64,
    /// The number of leads that have their earlier values again.
    pub reverted: u64,
    /// The number of leads that stay, because they were changed since.
    pub kept: u64,
    /// The first of these leads.
    pub kept_leads: Vec<LeadId>,
}

impl Undo {
    /// The most leads that stay which are listed.
    pub const MOST_LISTED: usize = 100;
}
