//! The part of the preview in which a person says what the texts of some columns mean.

use crate::imports::domain::Start;
use crate::imports::mapping::{Field, Mapping, ValueToMap};
use crate::leads::domain::Status;
use crate::shared::forms::RawForm;
use crate::shared::shortened::Shortened;

/// The most meanings of texts that a form can send.
const MOST_VALUES: usize = 400;
/// The most characters of a text on the page.
const SHOWN: usize = 80;

/// Reads the meanings of texts from `field.0`, `text.0`, `value.0` and so on. A form without fields is about statuses.
pub(super) fn chosen_values(form: &RawForm) -> Vec<(Field, String, String)> {
    let values = form.starting_with("text.").filter_map(|(at, text)| {
        let value = form.get(&format!("value.{at}")).filter(|value| !value.trim().is_empty())?;
        let slug = form.get(&format!("field.{at}")).unwrap_or(Field::Status.slug());
        let is_short = text.chars().nth(ValueToMap::MOST_CHARS).is_none();
        is_short.then_some((Field::parse(slug)?, text.to_owned(), value.to_owned()))
    });
    values.take(MOST_VALUES).collect()
}

/// The texts of the columns of one field.
pub(super) struct ValueGroup {
    pub field: Field,
    pub values: Vec<ValueView>,
}

/// A text, and the meaning that it has or gets.
pub(super) struct ValueView {
    /// The number in the names of the form.
    pub at: usize,
    /// The whole text, which the form sends back.
    pub text: String,
    /// The text as shown.
    pub shown: Shortened,
    /// The number of rows with this text.
    pub rows: usize,
    /// What the text means if the person chooses nothing.
    pub meaning: Option<String>,
    /// What the person chose, as typed.
    pub chosen: String,
}

impl ValueGroup {
    pub(super) fn legend(&self) -> &'static str {
        match self.field {
            Field::Status => "Statuses",
            Field::State => "Unknown states",
            Field::LeadScore => "Unknown lead scores",
            _ => "Sources",
        }
    }

    /// Returns what an empty input means.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self.field {
            Field::State => {
                Some("Enter a US state, or leave it empty to keep the original as a custom field.")
            }
            Field::LeadScore => Some(
                "Enter a number from 0 to 100, or leave it empty to keep the original as a custom field.",
            ),
            Field::Source => Some("Enter another source, or leave it empty to keep the original."),
            _ => None,
        }
    }

    pub(super) fn is_status(&self) -> bool {
        self.field == Field::Status
    }

    pub(super) fn slug(&self) -> &'static str {
        self.field.slug()
    }
}

impl ValueView {
    /// Returns what a status becomes if the person chooses nothing.
    pub(super) fn unchosen(&self) -> &'static str {
        match self.meaning.as_deref().and_then(|meaning| meaning.parse::<Status>().ok()) {
            Some(status) => status.label(),
            None => "Prospect; keep the original as a custom field",
        }
    }

    /// Returns the statuses that the text can mean instead.
    pub(super) fn statuses(&self) -> impl Iterator<Item = Status> {
        let is_meant = |status: &Status| self.meaning.as_deref() == Some(status.as_str());
        Status::ALL.into_iter().filter(move |status| !is_meant(status))
    }
}

/// Returns the texts whose meaning a person can choose, by field.
pub(super) fn value_groups(values: Vec<ValueToMap>, start: &Start) -> Vec<ValueGroup> {
    let typed = |value: &ValueToMap| {
        let same = |(field, text, _): &&(Field, String, String)| *field == value.field && *text == value.text;
        start.values.iter().find(same).map(|(_, _, typed)| typed.clone())
    };
    let mut groups: Vec<ValueGroup> = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        let chosen = typed(&value).or_else(|| value.value.clone()).filter(|_| !means_the_same(&value));
        let chosen = chosen.unwrap_or_default();
        let shown = Shortened::of(value.text.as_str(), SHOWN);
        let ValueToMap { field, text, rows, meaning, .. } = value;
        let view = ValueView { at, text, shown, rows, meaning, chosen };
        match groups.last_mut().filter(|group| group.field == field) {
            Some(group) => group.values.push(view),
            None => groups.push(ValueGroup { field, values: vec![view] }),
        }
    }
    groups
}

/// Whether a text was mapped to what it means anyway.
fn means_the_same(value: &ValueToMap) -> bool {
    value.meaning.is_some() && value.meaning == value.value
}

/// Returns the mapping that a person chose, without the values that are not accepted.
pub(super) fn accepted(start: &Start, headers: &[String]) -> Option<Mapping> {
    let without_values = Start { values: Vec::new(), ..start.clone() };
    let mapping = without_values.mapping(headers).ok()?;
    let with = |mapping: Mapping, (field, text, value): &(Field, String, String)| {
        mapping.clone().with_value(*field, text, value).unwrap_or(mapping)
    };
    Some(start.values.iter().fold(mapping, with))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> RawForm {
        let encoded = serde_urlencoded::to_string(fields).unwrap_or_default();
        serde_urlencoded::from_str(&encoded).unwrap_or_default()
    }

    #[test]
    fn values_of_every_field_are_read_and_bounded() {
        let sent = [
            ("text.0", "Working"),
            ("value.0", "QUALIFIED"),
            ("text.1", "NorCal"),
            ("field.1", "state"),
            ("value.1", "CA"),
            ("text.2", "FB"),
            ("field.2", "source"),
            ("value.2", " "),
            ("text.3", "x"),
            ("field.3", "shoe-size"),
            ("value.3", "9"),
        ];
        let expected = [
            (Field::Status, "Working".to_owned(), "QUALIFIED".to_owned()),
            (Field::State, "NorCal".to_owned(), "CA".to_owned()),
        ];
        assert_eq!(chosen_values(&form(&sent)), expected);
        let names: Vec<(String, String)> =
            (0..500).map(|at| (format!("text.{at}"), format!("value.{at}"))).collect();
        let many: Vec<(&str, &str)> = names
            .iter()
            .flat_map(|(text, value)| [(text.as_str(), text.as_str()), (value.as_str(), "QUALIFIED")])
            .collect();
        assert_eq!(chosen_values(&form(&many)).len(), MOST_VALUES);
        let long = "x".repeat(ValueToMap::MOST_CHARS + 1);
        assert!(chosen_values(&form(&[("text.0", &long), ("value.0", "QUALIFIED")])).is_empty());
    }
}
