//! A column of a file: its header, its meaning, and its name as a custom field.

use std::collections::{HashMap, HashSet};

use super::field::Field;
use super::headers::{meanings, rank};
use super::places::owner_of_place;
use super::text::clean;
use super::titles::{self, titles};

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    header: String,
    field: Field,
    is_chosen: bool,
    rank: u32,
    title: String,
    countries: Vec<usize>,
}

impl Column {
    /// Creates a column. Its title and its countries are known when it is [`connected`] with the others.
    pub(super) fn new(header: &str, field: Field) -> Self {
        let rank = rank(clean(header), field);
        let (title, countries) = (String::new(), Vec::new());
        Self { header: header.to_owned(), field, is_chosen: false, rank, title, countries }
    }

    /// Returns the column with the meaning that a person gave it by name.
    pub(super) fn chosen(self, field: Field) -> Self {
        Self { is_chosen: true, ..Self::new(&self.header, field) }
    }

    /// Returns the header, as in the file. It may be blank.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Returns the meaning.
    pub fn field(&self) -> Field {
        self.field
    }

    /// Whether a person gave the column its meaning by name.
    pub fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Returns the name under which the cells are kept as a custom field.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the header for a list of columns: a blank one is "Column 7", a second one is "Header 2".
    pub fn name(&self) -> &str {
        self.title.strip_suffix(titles::REMARK).unwrap_or(&self.title)
    }

    /// Returns the columns with the country of this column's state.
    pub fn countries(&self) -> &[usize] {
        &self.countries
    }

    /// Returns what sorts the columns by field, the best first.
    pub(super) fn rank(&self) -> (Field, bool, u32) {
        (self.field, !self.is_chosen, self.rank)
    }
}

/// Returns the columns with their titles and countries, which depend on the other columns.
pub(super) fn connected(mut columns: Vec<Column>) -> Vec<Column> {
    let headers: Vec<String> = columns.iter().map(|column| column.header.clone()).collect();
    let countries = countries(&columns);
    for ((column, title), countries) in columns.iter_mut().zip(titles(&headers)).zip(countries) {
        (column.title, column.countries) = (title, countries);
    }
    columns
}

/// Returns the country columns of each state column: those of the same place ("Billing Country" for "Billing State").
/// If there are none, these are the country columns of places without a state, or else all of them.
fn countries(columns: &[Column]) -> Vec<Vec<usize>> {
    let places: Vec<String> = columns.iter().map(|column| owner_of_place(&column.header)).collect();
    let of = |field: Field| {
        let found =
            columns.iter().zip(&places).enumerate().filter(move |(_, (column, _))| column.field == field);
        found.map(|(at, (_, place))| (at, place))
    };
    let mut by_place: HashMap<&String, Vec<usize>> = HashMap::new();
    for (at, place) in of(Field::Country) {
        by_place.entry(place).or_default().push(at);
    }
    let states: HashSet<&String> = of(Field::State).map(|(_, place)| place).collect();
    let all: Vec<usize> = of(Field::Country).map(|(at, _)| at).collect();
    let free: Vec<usize> =
        of(Field::Country).filter(|(_, place)| !states.contains(place)).map(|(at, _)| at).collect();
    let others = if free.is_empty() { all } else { free };
    let countries = columns.iter().zip(&places).map(|(column, place)| match column.field {
        Field::State => by_place.get(place).unwrap_or(&others).clone(),
        _ => Vec::new(),
    });
    countries.collect()
}

/// Guesses the meaning of each column. `Nombre` beside `Apellidos` is a first name, and alone a full name. Of two
/// columns that may be the whole name, such as `Nombre / Nombre` and `Nombre / Apellido`, each is a part.
pub(super) fn guessed(headers: &[String]) -> Vec<Field> {
    let found: Vec<Vec<Field>> = headers.iter().map(|header| fields(header)).collect();
    let has = |field: Field| found.iter().any(|fields| fields.as_slice() == [field]);
    let may_have = |field: Field| found.iter().any(|fields| fields.contains(&field));
    let parts = [(Field::FirstName, Field::LastName), (Field::LastName, Field::FirstName)];
    let guess = |fields: &Vec<Field>| match fields.as_slice() {
        [] => Field::Keep,
        [field] => *field,
        [first, ..] => {
            let is_part = |part: Field, other: Field| fields.contains(&part) && may_have(other) && !has(part);
            let part = parts.iter().find(|(part, other)| is_part(*part, *other));
            part.map_or(*first, |(part, _)| *part)
        }
    };
    found.iter().map(guess).collect()
}

/// Returns what a header can mean, sorted.
fn fields(header: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = meanings(clean(header)).into_iter().map(|meaning| meaning.field).collect();
    fields.sort();
    fields
}
