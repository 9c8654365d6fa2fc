//! What a mapping does with the columns of a file, in numbers.

use std::fmt;

use super::field::Field;
use crate::shared::numbers;

/// The numbers of columns by what happens to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Columns that have the meaning of a lead's own field.
    pub mapped: usize,
    /// Columns that are kept as custom fields.
    pub kept: usize,
    /// Columns that are ignored.
    pub ignored: usize,
}

impl Summary {
    pub(super) fn of(fields: impl Iterator<Item = Field>) -> Self {
        fields.fold(Self::default(), |summary, field| match field {
            Field::Ignore => Self { ignored: summary.ignored + 1, ..summary },
            Field::Keep => Self { kept: summary.kept + 1, ..summary },
            _ => Self { mapped: summary.mapped + 1, ..summary },
        })
    }
}

/// Writes for example "15 columns: 4 mapped, 11 kept as custom fields".
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.mapped + self.kept + self.ignored;
        write!(f, "{}: {} mapped", numbers::counted(columns, "column", "columns"), self.mapped)?;
        if self.kept > 0 {
            write!(
                f,
                ", {} kept as {}",
                self.kept,
                if self.kept == 1 { "a custom field" } else { "custom fields" }
            )?;
        }
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}
