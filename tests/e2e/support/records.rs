//! What a run leaves for a summary: the duration of each case, and the failures.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

/// Appends `SECONDS NAME` to the file that `HOLDFAST_TESTS_DURATIONS` names, if it is set.
pub fn note(case: &str, took: Duration) {
    append("HOLDFAST_TESTS_DURATIONS", &format!("{:8.2} {case}\n", took.as_secs_f64()));
}

/// Appends the name of a failed case and its message to the file that `HOLDFAST_TESTS_FAILURES` names, if it is set.
pub fn note_failure(case: &str, message: &str) {
    append("HOLDFAST_TESTS_FAILURES", &format!("--- {case}\n{message}\n"));
}

/// One write, because cases end at the same time.
fn append(variable: &str, text: &str) {
    let Some(file) = std::env::var_os(variable) else { return };
    let file = OpenOptions::new().create(true).append(true).open(file);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.unwrap_or_else(|error| panic!("{variable} names a file that can be written: {error}"));
}
