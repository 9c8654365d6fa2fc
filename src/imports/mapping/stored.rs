//! A mapping as the table stores it.

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::field::Field;
use super::value::ValueMapping;

/// A mapping as the table stores it. Earlier versions stored a list of slugs, without headers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredMapping {
    /// The field of each column.
    Slugs(Vec<Field>),
    /// The columns and the mapped values.
    Columns {
        /// The columns, in the order of the file.
        columns: Vec<StoredColumn>,
        /// The mapped values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        values: Vec<ValueMapping>,
    },
}

/// A column as the table stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredColumn {
    header: String,
    field: Field,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    chosen: bool,
}

impl StoredMapping {
    pub(super) fn of(columns: &[Column], values: Vec<ValueMapping>) -> Self {
        let stored = |column: &Column| StoredColumn {
            header: column.header().to_owned(),
            field: column.field(),
            chosen: column.is_chosen(),
        };
        Self::Columns { columns: columns.iter().map(stored).collect(), values }
    }

    pub(super) fn into_parts(self) -> (Vec<Column>, Vec<ValueMapping>) {
        let column = |stored: StoredColumn| {
            let column = Column::new(&stored.header, stored.field);
            if stored.chosen { column.chosen(stored.field) } else { column }
        };
        match self {
            Self::Slugs(fields) => {
                (fields.into_iter().map(|field| Column::new("", field)).collect(), Vec::new())
            }
            Self::Columns { columns, values } => (columns.into_iter().map(column).collect(), values),
        }
    }
}
