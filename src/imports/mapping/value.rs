//! The meaning of a text in a column, as a person gave it.

use serde::{Deserialize, Serialize};

use super::error::MappingError;
use super::field::Field;
use super::states::find_state;
use super::text::{clean, fold, is_blank};
use super::words::{find_score, find_status};
use crate::base::values::Invalid;
use crate::leads::domain::LeadSource;

/// The meaning of a text in the columns of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueMapping {
    field: Field,
    text: String,
    value: String,
}

impl ValueMapping {
    /// Creates the meaning of a text.
    ///
    /// # Errors
    /// A [`MappingError`] if the text is empty, the field has no such value, or its values cannot be mapped.
    pub(super) fn new(field: Field, text: &str, value: &str) -> Result<Self, MappingError> {
        let text = clean(text);
        if text.is_empty() {
            return Err(MappingError::NoText);
        }
        let canonical = match field {
            Field::Status => find_status(value)
                .map(|status| status.as_str().to_owned())
                .map_err(|_| Invalid::new("The status must be PROSPECT, QUALIFIED, or CONVERTED.")),
            Field::State => find_state(value)
                .map(|state| state.as_str().to_owned())
                .ok_or_else(|| Invalid::new("Enter a US state, for example TX or Texas.")),
            Field::LeadScore => find_score(value).map(|score| score.to_string()),
            Field::Source => value.parse().map(|source: LeadSource| source.as_str().to_owned()),
            _ => return Err(MappingError::NoValues(field)),
        };
        let invalid = |reason: Invalid| MappingError::Value {
            field,
            value: value.to_owned(),
            reason: reason.to_string(),
        };
        Ok(Self { field, text: text.to_owned(), value: canonical.map_err(invalid)? })
    }

    /// Returns the field.
    pub fn field(&self) -> Field {
        self.field
    }

    /// Returns the text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns its meaning.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether this is the meaning of a text, in any spelling.
    pub(super) fn is_for(&self, field: Field, text: &str) -> bool {
        self.field == field && spelling(&self.text) == spelling(clean(text))
    }
}

/// Returns a text without what people write differently. A text of symbols is itself.
fn spelling(text: &str) -> String {
    let folded = fold(text);
    if folded.is_empty() || is_blank(text) { text.to_lowercase() } else { folded }
}
