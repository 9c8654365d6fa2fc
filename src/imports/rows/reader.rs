//! Reads the cells of one row by the meaning of their columns, and keeps what no field of a lead can hold.

use std::str::FromStr;

use super::kept::Kept;
use crate::base::values::Invalid;
use crate::imports::file::Row;
use crate::imports::mapping::text::{fold, is_blank, is_blank_name, one_line, quoted};
use crate::imports::mapping::{Field, Mapping, is_other_country};
use crate::leads::domain::CustomFields;

pub(super) use crate::imports::mapping::text::clean;

/// A cell that is not blank.
pub(super) struct Cell<'a> {
    /// The position of its column.
    pub at: usize,
    text: &'a str,
    mapped: Option<&'a str>,
}

impl Cell<'_> {
    /// Returns the value that a person mapped the text to, or the text.
    pub fn value(&self) -> &str {
        self.mapped.unwrap_or(self.text)
    }

    /// Returns the value on one line.
    pub fn line(&self) -> String {
        one_line(self.value())
    }

    /// Whether a person mapped the text to a value.
    pub fn is_mapped(&self) -> bool {
        self.mapped.is_some()
    }
}

/// A value that was taken from a cell.
pub(super) struct Taken<T> {
    /// The position of the column.
    pub at: usize,
    /// The text of the cell.
    pub text: String,
    pub value: T,
}

/// A cell that a field cannot hold.
pub(super) struct Refused {
    /// The position of the column.
    pub at: usize,
    /// The text of the cell.
    pub text: String,
    /// Why the field cannot hold it, and what would be right.
    pub reason: String,
}

/// A row, and what is kept of it.
pub(super) struct RowReader<'a> {
    pub row: &'a Row,
    /// The meaning of its columns.
    pub mapping: &'a Mapping,
    kept: Kept,
    warnings: Vec<String>,
}

impl<'a> RowReader<'a> {
    pub fn new(row: &'a Row, mapping: &'a Mapping) -> Self {
        Self { row, mapping, kept: Kept::default(), warnings: Vec::new() }
    }

    /// Returns the cells of a field that are not blank, the best first.
    fn cells(&self, field: Field) -> Vec<Cell<'a>> {
        let (row, mapping) = (self.row, self.mapping);
        let is_empty = match field {
            Field::FullName | Field::FirstName | Field::LastName => is_blank_name,
            _ => is_blank,
        };
        let cell = |at: usize| {
            let text = clean(row.fields.get(at)?);
            let mapped = mapping.value_of(field, text);
            (mapped.is_some() || !is_empty(text)).then_some(Cell { at, text, mapped })
        };
        mapping.columns_of(field).filter_map(|(at, _)| cell(at)).collect()
    }

    /// Takes the value of the first cell that a field can hold. The other cells are kept.
    pub fn take<T>(
        &mut self,
        field: Field,
        read: impl Fn(&Cell<'_>) -> Result<T, Invalid>,
    ) -> (Option<Taken<T>>, Vec<Refused>) {
        let (mut taken, mut refused) = (None::<Taken<T>>, Vec::new());
        for cell in self.cells(field) {
            let (at, text) = (cell.at, cell.text.to_owned());
            match (&taken, read(&cell)) {
                (Some(first), _) if fold(&first.text) == fold(&text) => {}
                (Some(_), _) => self.keep(at, &text),
                (None, Ok(value)) => taken = Some(Taken { at, text, value }),
                (None, Err(invalid)) => {
                    self.keep(at, &text);
                    refused.push(Refused { at, text, reason: invalid.to_string() });
                }
            }
        }
        (taken, refused)
    }

    /// Takes a value that a lead can be without. If no cell has one, a warning says what is kept instead.
    pub fn optional<T>(
        &mut self,
        field: Field,
        read: impl Fn(&Cell<'_>) -> Result<T, Invalid>,
    ) -> Option<Taken<T>> {
        let (taken, refused) = self.take(field, read);
        if taken.is_none() {
            for Refused { at, text, reason } in refused {
                self.keep_with_reason(at, &text, &reason);
            }
        }
        taken
    }

    /// Keeps a cell as a custom field.
    pub fn keep(&mut self, at: usize, text: &str) {
        let title = self.title(at).to_owned();
        self.kept.add(at, title, text);
    }

    /// Keeps a cell as a custom field, with a warning, and returns the warning.
    pub fn keep_with_reason(&mut self, at: usize, text: &str, reason: &str) -> String {
        self.keep(at, text);
        let (name, title) = (self.column_name(at).to_owned(), quoted(self.title(at)));
        let warning = format!("{name} {}: {reason} It's kept as the custom field {title}.", quoted(text));
        self.warn(warning.clone());
        warning
    }

    /// Keeps a text that is no whole cell as a custom field.
    pub fn keep_extra(&mut self, title: &str, text: &str) {
        self.kept.add(usize::MAX, self.mapping.unused_title(title), text);
    }

    /// Keeps the countries and the columns without a meaning.
    pub fn keep_the_rest(&mut self) {
        let (row, mapping) = (self.row, self.mapping);
        let cell = |at: usize| row.fields.get(at).map(|cell| clean(cell)).unwrap_or_default();
        for (at, _) in mapping.columns_of(Field::Country) {
            if !is_blank(cell(at)) || is_other_country(cell(at)) {
                self.keep(at, cell(at));
            }
        }
        for (at, column) in mapping.columns_of(Field::Keep) {
            self.kept.add_column(at, column.title().to_owned(), cell(at));
        }
    }

    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Returns the name of a column as a custom field.
    pub fn title(&self, at: usize) -> &'a str {
        self.mapping.columns().get(at).map(|column| column.title()).unwrap_or_default()
    }

    /// Returns the name of a column in a message.
    fn column_name(&self, at: usize) -> &'a str {
        let header = self.mapping.columns().get(at).map(|column| clean(column.header())).unwrap_or_default();
        let title = self.title(at);
        if header.is_empty() || header.len() > title.len() { title } else { header }
    }

    /// Returns the custom fields and all warnings.
    pub fn finish(mut self) -> (CustomFields, Vec<String>) {
        let (fields, left_out) = self.kept.into_fields();
        self.warnings.extend(left_out);
        (fields, self.warnings)
    }
}

/// Returns the reason that a required value is missing, with what would be right.
pub(super) fn missing<T: FromStr<Err = Invalid>>(label: &str) -> String {
    let reason = "".parse::<T>().err().map(|invalid| invalid.to_string()).unwrap_or_default();
    format!("{label} is empty. {reason}")
}
