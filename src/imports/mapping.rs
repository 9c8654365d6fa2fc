//! The meaning of the columns of an uploaded file, and the file of rejected rows.
//!
//! Invariants:
//! - Several columns may have the same meaning. Row by row the best of them with a usable value is taken; see
//!   [`Mapping::columns_of`] for the order.
//! - Each column has a name under which its cells are kept as a custom field. No two names are the same.
//! - A mapping holds texts of the file only as headers and as the texts of value mappings.
//! - The file of rejected rows can be corrected and imported again, and no cell of it runs as a formula.

use serde::{Deserialize, Serialize};

use super::file::Row;

pub use column::Column;
pub use error::MappingError;
pub use field::Field;
pub use headers::{HEADERS_CSV, KnownHeader, is_known_header, known_headers};
pub use listed::ValueToMap;
pub use rejected::rejected_csv;
pub use states::{find_state, is_other_country};
pub use stored::StoredMapping;
pub use summary::Summary;
pub use value::ValueMapping;
pub use vocabulary::{HEADER_WORDS_CSV, HeaderWord, Role, header_words};
pub use words::{find_score, find_status};

mod column;
mod error;
mod field;
mod headers;
mod listed;
mod places;
mod rejected;
mod states;
mod stored;
mod summary;
#[cfg(test)]
mod tests;
pub(super) mod text;
mod titles;
mod value;
mod vocabulary;
mod words;

/// Returns the field that a person names: by its slug, its label, or its name in JSON, in any spelling.
///
/// # Errors
/// [`MappingError::UnknownField`], which lists the fields.
pub fn field_named(name: &str) -> Result<Field, MappingError> {
    Field::named(name).ok_or_else(|| MappingError::UnknownField { name: name.to_owned() })
}

/// The meaning of each column, in the order of the file, and the meaning of some values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredMapping", into = "StoredMapping")]
pub struct Mapping {
    columns: Vec<Column>,
    values: Vec<ValueMapping>,
    /// The columns, sorted by field, the best first.
    order: Vec<usize>,
}

impl Mapping {
    fn new(columns: Vec<Column>, values: Vec<ValueMapping>) -> Self {
        let columns = column::connected(columns);
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_cached_key(|at| columns.get(*at).map(Column::rank));
        Self { columns, values, order }
    }

    /// Guesses the meanings from the headers, in any order, case and punctuation, by the table of known headers.
    ///
    /// A column with an unknown header is kept. The two columns that [`rejected_csv`] adds are ignored. The guess may
    /// be incomplete: see [`check`](Self::check).
    pub fn guess(headers: &[String]) -> Self {
        let fields = column::guessed(headers);
        let added = if rejected::is_rejected_file(headers) { rejected::COLUMNS.len() } else { 0 };
        let field = |at: usize, field| if at < added { Field::Ignore } else { field };
        let columns = headers.iter().zip(fields).enumerate();
        Self::new(
            columns.map(|(at, (header, guess))| Column::new(header, field(at, guess))).collect(),
            Vec::new(),
        )
    }

    /// Creates the mapping that a person chose: one slug for each of the file's columns, in their order.
    ///
    /// # Errors
    /// A [`MappingError`] if a slug is unknown or the number of slugs is wrong, and the errors of
    /// [`check`](Self::check).
    pub fn from_slugs<S: AsRef<str>>(slugs: &[S], headers: &[String]) -> Result<Self, MappingError> {
        if slugs.len() != headers.len() {
            return Err(MappingError::Count { expected: headers.len(), found: slugs.len() });
        }
        let parse = |(at, (slug, header)): (usize, (&S, &String))| {
            let slug = slug.as_ref();
            let unknown = || MappingError::Unknown { column: at + 1, slug: slug.to_owned() };
            Field::parse(slug).map(|field| Column::new(header, field)).ok_or_else(unknown)
        };
        let columns = slugs.iter().zip(headers).enumerate().map(parse).collect::<Result<_, _>>()?;
        let mapping = Self::new(columns, Vec::new());
        mapping.check()?;
        Ok(mapping)
    }

    /// Returns the mapping with another meaning of the columns with this header, which is preferred to other columns
    /// with the same meaning. A column without a header is named "Column 7".
    ///
    /// # Errors
    /// [`MappingError::UnknownHeader`], which lists the headers of the file.
    pub fn with_column(self, header: &str, field: Field) -> Result<Self, MappingError> {
        let same =
            |column: &Column| text::clean(column.header()) == text::clean(header) || column.title() == header;
        let similar = |column: &Column| {
            text::fold(column.header()) == text::fold(header) && !text::fold(header).is_empty()
        };
        let is_exact = self.columns.iter().any(same);
        let is_meant = |column: &Column| if is_exact { same(column) } else { similar(column) };
        if !self.columns.iter().any(is_meant) {
            let columns = self.columns.iter().map(|column| column.name().to_owned()).collect();
            return Err(MappingError::UnknownHeader { header: header.to_owned(), columns });
        }
        let changed = |column: Column| if is_meant(&column) { column.chosen(field) } else { column };
        Ok(Self::new(self.columns.into_iter().map(changed).collect(), self.values))
    }

    /// Returns the mapping with the meaning of one text in the columns of a field: of a status, a state, a lead score
    /// or a source.
    ///
    /// # Errors
    /// A [`MappingError`] if the field has no such value, or if values of this field cannot be mapped.
    pub fn with_value(mut self, field: Field, text: &str, value: &str) -> Result<Self, MappingError> {
        let mapped = ValueMapping::new(field, text, value)?;
        self.values.retain(|other| !other.is_for(field, text));
        self.values.push(mapped);
        Ok(self)
    }

    /// Checks that rows can become leads: an email address and some kind of name are mapped.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self) -> Result<(), MappingError> {
        let has = |field: Field| self.columns.iter().any(|column| column.field() == field);
        let has_name = [Field::FullName, Field::FirstName, Field::LastName].into_iter().any(has);
        match (has_name, has(Field::Email)) {
            (false, _) => Err(MappingError::NoName),
            (_, false) => Err(MappingError::NoEmail),
            _ => Ok(()),
        }
    }

    /// Returns the columns, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the columns of a field with their positions, the best first: those that a person named, then those whose
    /// headers say it best, then the first in the file.
    pub fn columns_of(&self, field: Field) -> impl Iterator<Item = (usize, &Column)> {
        let columns = self.order.iter().filter_map(|at| Some((*at, self.columns.get(*at)?)));
        columns.filter(move |(_, column)| column.field() == field)
    }

    /// Returns the slug of each column's field.
    pub fn slugs(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.field().slug()).collect()
    }

    /// Whether this is a mapping of a file with these headers.
    pub fn fits(&self, headers: &[String]) -> bool {
        self.columns.iter().map(Column::header).eq(headers.iter().map(String::as_str))
    }

    /// Returns the value that a text of a field was mapped to.
    pub fn value_of(&self, field: Field, text: &str) -> Option<&str> {
        self.values.iter().find(|value| value.is_for(field, text)).map(ValueMapping::value)
    }

    /// Returns the mapped values, in the order in which they were added.
    pub fn values(&self) -> &[ValueMapping] {
        &self.values
    }

    /// Returns the numbers of columns that are mapped, kept and ignored.
    pub fn summary(&self) -> Summary {
        Summary::of(self.columns.iter().map(Column::field))
    }

    /// Returns the texts whose meaning a person can choose, by field: statuses and sources, and the states and scores
    /// that are not understood. Texts that were mapped but are not in these rows come last.
    pub fn values_to_map<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Vec<ValueToMap> {
        let rows: Vec<&Row> = rows.into_iter().collect();
        let listed = |field: Field| {
            let columns: Vec<(usize, &Column)> = self.columns_of(field).collect();
            listed::values_to_map(field, &columns, &self.values, &rows)
        };
        Field::WITH_VALUES.into_iter().flat_map(listed).collect()
    }

    /// Returns a name for a custom field that no column of the file has.
    pub fn unused_title(&self, title: &str) -> String {
        let mut taken = self.columns.iter().map(|column| column.title().to_lowercase()).collect();
        titles::unused(title, &mut taken)
    }
}

impl From<StoredMapping> for Mapping {
    fn from(stored: StoredMapping) -> Self {
        let (columns, values) = stored.into_parts();
        Self::new(columns, values)
    }
}

impl From<Mapping> for StoredMapping {
    fn from(mapping: Mapping) -> Self {
        Self::of(&mapping.columns, mapping.values)
    }
}
