//! How a person starts an import. Pure.

use crate::imports::file::Head;
use crate::imports::mapping::{Field, Mapping, MappingError};
use crate::leads::import::KnownEmails;

/// How a person starts an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The meaning of each column, in the order of the file.
    pub slugs: Vec<String>,
    /// The meaning of texts of a field, each as the field, the text and its value.
    pub values: Vec<(Field, String, String)>,
    /// What happens with rows whose email address a lead has already.
    pub known: KnownEmails,
    /// Whether the row that looks like a header is data.
    pub no_header: bool,
}

impl Start {
    /// Returns the head of a file as it is read: without its header if that row is data.
    pub fn head(&self, head: &Head) -> Head {
        if self.no_header { head.without_header() } else { head.clone() }
    }

    /// Returns the mapping of a file with these headers.
    ///
    /// # Errors
    /// [`MappingError`] if it does not fit the file.
    pub fn mapping(&self, headers: &[String]) -> Result<Mapping, MappingError> {
        let mapping = Mapping::from_slugs(&self.slugs, headers)?;
        self.values
            .iter()
            .try_fold(mapping, |mapping, (field, text, value)| mapping.with_value(*field, text, value))
    }
}
