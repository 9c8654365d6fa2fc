//! What this machine lacks: which stories could not be told for it, why, and how to get it.
//!
//! An absence never passes for success: it is an ignored trial and is named at the end of the
//! output, and with `HOLDFAST_TESTS_REQUIRE_ALL=1` it is a failure.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Something a story needs and this machine does not have.
#[derive(Clone, Debug)]
pub struct Absence {
    /// The thing's name, as it is listed at the end: `DynamoDB Local`.
    pub what: &'static str,
    /// What was looked for and not found.
    pub why: String,
    /// What to install or to set.
    pub remedy: &'static str,
}

impl std::fmt::Display for Absence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}. {}", self.what, self.why, self.remedy)
    }
}

/// The absences met so far, each with the stories that met it.
static MET: Mutex<BTreeMap<&'static str, (Absence, Vec<String>)>> = Mutex::new(BTreeMap::new());

/// Whether an absence is to be a failure: `HOLDFAST_TESTS_REQUIRE_ALL` is set to 1.
pub fn all_is_required() -> bool {
    std::env::var("HOLDFAST_TESTS_REQUIRE_ALL").is_ok_and(|value| value == "1")
}

/// Remembers that `story` could not be told for want of `absence`.
pub fn note(absence: &Absence, story: &str) {
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, stories) = met.entry(absence.what).or_insert_with(|| (absence.clone(), Vec::new()));
    stories.push(story.to_owned());
}

/// The paragraph for the end of the output, or `None` when nothing was lacking.
pub fn report() -> Option<String> {
    let met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    if met.is_empty() {
        return None;
    }
    let verdict = if all_is_required() {
        "NOT RUN, and HOLDFAST_TESTS_REQUIRE_ALL=1 makes that a failure:"
    } else {
        "NOT RUN, because this machine lacks something:"
    };
    let lines = met.values().map(|(absence, stories)| {
        let (count, first) = (stories.len(), stories.first().map_or("", String::as_str));
        format!("  {absence}.\n    Stories not told for want of it: {count}, the first {first}")
    });
    Some(format!("{verdict}\n{}", lines.collect::<Vec<_>>().join("\n")))
}
