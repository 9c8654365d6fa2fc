//! The source files that the documents name.

use std::collections::BTreeMap;

use super::{code_spans, documents, read, root, rows, section};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: every_source_that_a_document_names_exists,
            every_file_and_function_of_the_journeys_exists,
            no_journey_enters_a_room_more_than_twice
    ]
}

async fn every_source_that_a_document_names_exists(_: TestEnvironment) {
    let mut named = 0;
    for file in documents().iter().filter(|file| *file != "CHANGELOG.md") {
        for path in code_spans(&read(file)).into_iter().filter(|text| is_source(text)) {
            named += 1;
            assert!(root().join(path).exists(), "{file} names {path}, which does not exist");
        }
    }
    assert!(named > 20, "only {named} sources are named");
}

fn is_source(text: &str) -> bool {
    let starts = ["src/", "tests/", "infra/", "templates/", "docs/", "benches/", ".ci/"];
    is_path(text) && starts.iter().any(|start| text.starts_with(start))
}

fn is_path(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
}

/// The heading of the journeys in `docs/architecture.md`.
const JOURNEYS: &str = "## Four journeys through the code";

async fn every_file_and_function_of_the_journeys_exists(_: TestEnvironment) {
    let architecture = read("docs/architecture.md");
    let journeys = section(&architecture, JOURNEYS);
    for (number, journey) in journeys.split("\n### ").enumerate() {
        // Text and code alternate.
        let parts: Vec<&str> = journey.split('`').collect();
        let mut files = 0;
        for (at, file) in parts.iter().enumerate().skip(1).step_by(2) {
            if !is_path(file) || !file.ends_with(".rs") {
                continue;
            }
            files += 1;
            assert!(root().join("src").join(file).exists(), "a journey names {file}, which does not exist");
            if let [separator, function, ..] = &parts[at + 1..]
                && separator.trim() == ","
                && !function.contains('/')
            {
                let source = read(format!("src/{file}"));
                let is_there = ["(", "<"].iter().any(|end| source.contains(&format!("fn {function}{end}")));
                assert!(is_there, "a journey names the function {function} of {file}, which does not exist");
            }
        }
        assert!(files > 4, "only {files} files are named in part {number}");
    }
    assert_eq!(journeys.matches("\n### ").count(), 4);
}

async fn no_journey_enters_a_room_more_than_twice(_: TestEnvironment) {
    let architecture = read("docs/architecture.md");
    let parts: Vec<&str> = section(&architecture, JOURNEYS).split("\n### ").collect();
    let (shared, journeys) = parts.split_first().unwrap();
    for (number, journey) in journeys.iter().enumerate() {
        let name = journey.lines().next().unwrap_or_default();
        // The first four steps of every request are in the part that all journeys share.
        let shared = if journey.contains("\nSteps 1 to 4 ") { rooms_of(shared) } else { Vec::new() };
        let counted = entries(shared.into_iter().chain(rooms_of(journey)));
        assert!(counted.len() > 4, "{name} enters only {counted:?}");
        let often: Vec<_> = counted.iter().filter(|(_, times)| **times > 2).collect();
        assert!(often.is_empty(), "{name} enters rooms more than twice: {often:?}");
        let documented: BTreeMap<&str, usize> = rows(parts[0])
            .into_iter()
            .filter_map(|row| Some((*code_spans(row[0]).first()?, row[number + 1].parse().ok()?)))
            .collect();
        assert_eq!(counted, documented, "the table of rooms does not fit the list of {name}");
    }
}

/// The rooms of the files that a list of steps names, in order, without what happens later. All rooms use `base`, so it
/// is left out.
fn rooms_of(list: &str) -> Vec<&str> {
    let is_step = |at: &usize| list[*at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let start = list.match_indices('\n').map(|(at, _)| at).find(is_step).unwrap_or_default();
    let steps = list[start..].split(". Later:").next().unwrap_or_default();
    let rooms = code_spans(steps).into_iter().filter_map(|span| {
        // `store/…` stands for the files of that room.
        let path = span.trim_end_matches('…');
        let is_file = is_path(path) && (path.ends_with(".rs") || path.ends_with('/'));
        let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        (is_file && room != "base").then_some(room)
    });
    rooms.collect()
}

/// How often each room is entered. To name a room that waits for an answer is to go back to it, which is no entry. The
/// program waits from the beginning.
fn entries<'a>(rooms: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut waiting = vec!["bin"];
    let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
    for room in rooms {
        if let Some(at) = waiting.iter().position(|one| *one == room) {
            waiting.truncate(at + 1);
        } else {
            waiting.push(room);
            *entries.entry(room).or_default() += 1;
        }
    }
    entries
}
