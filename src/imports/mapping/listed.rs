//! The texts of a file whose meaning a person can choose.

use std::collections::HashMap;

use super::column::Column;
use super::field::Field;
use super::states::{find_state, is_other_country};
use super::text::{clean, is_blank};
use super::value::ValueMapping;
use super::words::{find_score, find_status};
use crate::imports::file::Row;
use crate::leads::domain::LeadSource;

/// The most texts of a field that are listed.
const MOST_VALUES: usize = 20;

/// A text of the columns of a field, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueToMap {
    /// The field.
    pub field: Field,
    /// The text, as the file writes it first.
    pub text: String,
    /// The number of rows with this text.
    pub rows: usize,
    /// What the text means by itself, if it is understood.
    pub meaning: Option<String>,
    /// The value that the text was mapped to, if it was.
    pub value: Option<String>,
}

impl ValueToMap {
    /// The most characters of a text that can be mapped on a page.
    pub const MOST_CHARS: usize = 200;

    fn of(mapped: &ValueMapping) -> Self {
        let (field, text) = (mapped.field(), mapped.text().to_owned());
        let (meaning, value) = (meaning(field, &text), Some(mapped.value().to_owned()));
        Self { field, text, rows: 0, meaning, value }
    }
}

/// Returns the texts of a field that a person may map: first those that are not understood, each with the most frequent
/// first. Last are the texts that were mapped but are not in the rows.
pub(super) fn values_to_map(
    field: Field,
    columns: &[(usize, &Column)],
    mapped: &[ValueMapping],
    rows: &[&Row],
) -> Vec<ValueToMap> {
    let texts = rows.iter().filter(|row| row.fault.is_none()).flat_map(|row| texts(row, field, columns));
    let mut values = counted(field, texts);
    values.sort_by_key(|value| (value.meaning.is_some(), std::cmp::Reverse(value.rows)));
    values.truncate(MOST_VALUES);
    for found in &mut values {
        let mapped = mapped.iter().find(|mapped| mapped.is_for(field, &found.text));
        found.value = mapped.map(|mapped| mapped.value().to_owned());
    }
    let of_field = mapped.iter().filter(|mapped| mapped.field() == field);
    let others = of_field.filter(|mapped| values.iter().all(|value| !mapped.is_for(field, &value.text)));
    let others: Vec<ValueToMap> = others.map(ValueToMap::of).collect();
    values.into_iter().chain(others).collect()
}

/// Returns the texts of a row that count: the one that is understood and taken, or else all.
fn texts<'a>(row: &'a Row, field: Field, columns: &[(usize, &Column)]) -> Vec<&'a str> {
    let cell = |at: usize| row.fields.get(at).map(|cell| clean(cell)).unwrap_or_default();
    let is_abroad = |column: &Column| column.countries().iter().any(|at| is_other_country(cell(*at)));
    let is_listed = |text: &str| !is_blank(text) && text.chars().nth(ValueToMap::MOST_CHARS).is_none();
    let cells = columns.iter().filter(|(_, column)| !is_abroad(column)).map(|(at, _)| cell(*at));
    let texts: Vec<&str> = cells.filter(|text| is_listed(text)).collect();
    match texts.iter().copied().find(|text| meaning(field, text).is_some()) {
        Some(taken) if matches!(field, Field::Status | Field::Source) => vec![taken],
        // A state or a score that is understood has no other meaning.
        Some(_) => Vec::new(),
        None => texts,
    }
}

/// Returns the value that a text means by itself.
fn meaning(field: Field, text: &str) -> Option<String> {
    match field {
        Field::Status => find_status(text).ok().map(|status| status.as_str().to_owned()),
        Field::State => find_state(text).map(|state| state.as_str().to_owned()),
        Field::LeadScore => find_score(text).ok().map(|score| score.to_string()),
        Field::Source => text.parse::<LeadSource>().ok().map(|source| source.as_str().to_owned()),
        _ => None,
    }
}

/// Counts texts regardless of letter case, in the order of the file.
fn counted<'a>(field: Field, texts: impl Iterator<Item = &'a str>) -> Vec<ValueToMap> {
    let mut found: Vec<ValueToMap> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for text in texts {
        let at = *places.entry(text.to_lowercase()).or_insert(found.len());
        match found.get_mut(at) {
            Some(known) => known.rows += 1,
            None => {
                let (text, meaning) = (text.to_owned(), meaning(field, text));
                found.push(ValueToMap { field, text, rows: 1, meaning, value: None });
            }
        }
    }
    found
}
