//! Why a mapping is invalid.

use super::field::Field;
use crate::shared::numbers::counted;

/// How many headers a message lists.
const LISTED: usize = 30;

/// Why a mapping is invalid. The messages are shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No column is mapped to the email address.
    #[error("No column is matched with “Email”. Choose the column with the emails.")]
    NoEmail,
    /// No column is mapped to a name.
    #[error(
        "No column is matched with a name. Choose “Full name” for one column, or “First name” and “Last name” for two."
    )]
    NoName,
    /// The slug is unknown.
    #[error("Column {column} is matched with “{slug}”, which isn't one of the choices.")]
    Unknown {
        /// The position of the column, counted from 1.
        column: usize,
        /// The slug that was sent.
        slug: String,
    },
    /// There are more or fewer fields than columns.
    #[error(
        "The file has {}, but {found} were mapped. Map every column once.",
        counted(*.expected, "column", "columns")
    )]
    Count {
        /// The number of columns in the file.
        expected: usize,
        /// The number of fields that were sent.
        found: usize,
    },
    /// No column has this header.
    #[error("The file has no column “{header}”. Its columns are: {}.", list(columns))]
    UnknownHeader {
        /// The header that was named.
        header: String,
        /// The headers of the file.
        columns: Vec<String>,
    },
    /// There is no such field.
    #[error("There's no field “{name}”. The fields are: {}.", list(&Field::ALL.map(|field| field.slug().to_owned())))]
    UnknownField {
        /// The name that was given.
        name: String,
    },
    /// Values of this field cannot be mapped.
    #[error("Values of “{}” can't be mapped; values of status, state, lead score, and source can.", .0.label())]
    NoValues(Field),
    /// The text whose value is mapped is blank.
    #[error("Write the text of the file that is mapped, for example Working=QUALIFIED.")]
    NoText,
    /// The value is not one of this field.
    #[error("“{value}” isn't a value of “{}”. {reason}", field.label())]
    Value {
        /// The field.
        field: Field,
        /// The value that was given.
        value: String,
        /// What would be right.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    let mut listed: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    if names.len() > LISTED {
        listed.push("…");
    }
    listed.join(", ")
}
