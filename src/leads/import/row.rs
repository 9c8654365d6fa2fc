//! A row of an import, ready to be written, and how its import names it in leads.

use std::fmt;

use jiff::Timestamp;

use crate::base::values::text_enum;
use crate::leads::domain::NewLead;

text_enum! {
    /// What an import does with a row whose email address a lead has already.
    #[derive(Default)]
    pub enum KnownEmails, "Send skip, fill, or update for existing emails.";
    /// Leaves the lead as it is.
    #[default]
    Skip = "skip",
    /// Fills the fields that are empty.
    Fill = "fill",
    /// Replaces all values that the row has.
    Update = "update",
}

/// A row of an import, ready to be written.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The lead that the row describes.
    pub new: NewLead,
    /// Whether the row gives the name. Otherwise it was made from the email address.
    pub has_name: bool,
    /// Whether the row has a status of its own. Otherwise the status is only the default of a new lead.
    pub has_status: bool,
    /// The same for the lead score.
    pub has_score: bool,
    /// The conversion for which the row has no score. An existing lead may have the score.
    pub conversion: Option<Conversion>,
    /// The import and the row.
    pub source: RowSource,
}

/// A status CONVERTED for which a row has no score, so that a new lead becomes QUALIFIED instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The name of the custom field that keeps the text of the status.
    pub field: String,
    /// The warning that says so.
    pub warning: String,
}

/// The row of an import that creates or changes a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSource {
    /// The import.
    pub import: String,
    /// When it began. Older changes of a lead cannot come from this import.
    pub began: Timestamp,
    /// The number of the row.
    pub row: u64,
}

impl fmt::Display for RowSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.import, self.row)
    }
}

/// Whether a stored source names a row of this import.
pub fn is_row_of(import: &str, stored: Option<&str>) -> bool {
    stored.and_then(|stored| stored.strip_prefix(import)).is_some_and(|rest| rest.starts_with(':'))
}
