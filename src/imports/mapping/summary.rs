//! What a mapping does with the columns and the texts of a file, in numbers.

use std::collections::HashMap;
use std::fmt;

use super::field::Field;

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
        write!(f, "{columns} {}: {} mapped", plural(columns, "column"), self.mapped)?;
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

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// A text of the status columns that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueToMap {
    /// The text, as the file writes it first.
    pub text: String,
    /// The number of rows with this text.
    pub rows: usize,
    /// The value that the text was mapped to, if it was.
    pub value: Option<String>,
}

/// Counts texts regardless of letter case, the most frequent first, and of equally frequent ones the first in the file.
pub(super) fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<ValueToMap> {
    let mut found: Vec<ValueToMap> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for text in texts {
        let at = *places.entry(text.to_lowercase()).or_insert(found.len());
        match found.get_mut(at) {
            Some(known) => known.rows += 1,
            None => found.push(ValueToMap { text: text.to_owned(), rows: 1, value: None }),
        }
    }
    found.sort_by_key(|value| std::cmp::Reverse(value.rows));
    found
}
