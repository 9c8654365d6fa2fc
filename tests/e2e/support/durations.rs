//! The duration of each case, to find the slow ones.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

/// Appends `SECONDS NAME` to the file that `HOLDFAST_TESTS_DURATIONS` names, if it is set.
pub fn note(case: &str, took: Duration) {
    let Some(file) = std::env::var_os("HOLDFAST_TESTS_DURATIONS") else { return };
    let file = OpenOptions::new().create(true).append(true).open(file);
    // One write for each line, because cases end at the same time.
    let line = format!("{:8.2} {case}\n", took.as_secs_f64());
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("HOLDFAST_TESTS_DURATIONS names a file that can be written");
}
