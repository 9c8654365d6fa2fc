//! Tests of the texts whose meaning a person can choose.

use super::{rows, strings};
use crate::imports::file::Row;
use crate::imports::mapping::{Field, Mapping};

/// The listed texts of a field: the text, its rows, what it means, and what it was mapped to.
fn listed(
    mapping: &Mapping,
    field: Field,
    rows: &[Row],
) -> Vec<(String, usize, Option<String>, Option<String>)> {
    let found = mapping.values_to_map(rows).into_iter().filter(|value| value.field == field);
    found.map(|value| (value.text, value.rows, value.meaning, value.value)).collect()
}

fn value(
    text: &str,
    rows: usize,
    meaning: Option<&str>,
    value: Option<&str>,
) -> (String, usize, Option<String>, Option<String>) {
    (text.to_owned(), rows, meaning.map(str::to_owned), value.map(str::to_owned))
}

#[test]
fn statuses_are_counted_and_those_that_are_not_understood_come_first() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "Lead Status", "Lifecycle Stage"]));
    let mapping = mapping.with_value(Field::Status, "working", "QUALIFIED").unwrap();
    let rows = rows(&[
        &["", "", "Nurturing", ""],
        &["", "", "Working", ""],
        &["", "", "WORKING", "n/a"],
        &["", "", "Nurturing", "Customer"],
        &["", "", "New", ""],
        &["", ""],
    ]);
    let expected = [
        value("Working", 2, None, Some("QUALIFIED")),
        value("Nurturing", 1, None, None),
        value("Customer", 1, Some("CONVERTED"), None),
        value("New", 1, Some("PROSPECT"), None),
    ];
    assert_eq!(listed(&mapping, Field::Status, &rows), expected);
}

#[test]
fn states_and_scores_are_listed_if_they_are_not_understood_and_sources_always() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "State", "Country", "Score", "Source"]));
    let rows = rows(&[
        &["", "", "NorCal", "", "★★★", "FB"],
        &["", "", "TX", "", "85", "fb"],
        &["", "", "Bayern", "Germany", "72.5", "Web form"],
        &["", "", "NorCal", "USA", "", ""],
    ]);
    assert_eq!(listed(&mapping, Field::State, &rows), [value("NorCal", 2, None, None)]);
    let scores = [value("★★★", 1, None, None), value("72.5", 1, None, None)];
    assert_eq!(listed(&mapping, Field::LeadScore, &rows), scores);
    let sources = [value("FB", 2, Some("FB"), None), value("Web form", 1, Some("Web form"), None)];
    assert_eq!(listed(&mapping, Field::Source, &rows), sources);
}

#[test]
fn the_list_is_bounded_and_keeps_what_was_mapped_before() {
    let mapping = Mapping::guess(&strings(&["Name", "Email", "Status", "Source"]));
    let mapping = mapping.with_value(Field::Source, "Expo", "Trade show").unwrap();
    let long = "x".repeat(201);
    let cells =
        |n: usize| strings(&["", "", &format!("Step {n}"), if n == 0 { long.as_str() } else { "Web" }]);
    let rows: Vec<Row> = (0..30).map(|n| Row { fields: cells(n), ..Row::default() }).collect();
    assert_eq!(listed(&mapping, Field::Status, &rows).len(), 20);
    let sources = [value("Web", 29, Some("Web"), None), value("Expo", 0, Some("Expo"), Some("Trade show"))];
    assert_eq!(listed(&mapping, Field::Source, &rows), sources);
}
