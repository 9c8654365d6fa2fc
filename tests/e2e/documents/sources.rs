//! The source files that the documents name.

use super::{code_spans, documents, read, root, section};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this part.
pub fn all() -> Vec<Case> {
    cases![
        embedded: every_source_that_a_document_names_exists,
            every_file_and_function_of_the_journeys_exists
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

async fn every_file_and_function_of_the_journeys_exists(_: TestEnvironment) {
    let architecture = read("docs/architecture.md");
    let journeys = section(&architecture, "## Four journeys through the code");
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
