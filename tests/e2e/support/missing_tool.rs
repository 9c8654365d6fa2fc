//! What this machine lacks: which cases could not be told for it, why, and how to get it.
//!
//! An absence never passes for success: it is an ignored trial and is named at the end of the
//! output, and with `HOLDFAST_TESTS_REQUIRE_ALL=1` it is a failure.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Something a case needs and this machine does not have.
#[derive(Clone, Debug)]
pub struct MissingTool {
    /// The thing's name, as it is listed at the end: `DynamoDB Local`.
    pub what: &'static str,
    /// What was looked for and not found.
    pub why: String,
    /// What to install or to set.
    pub remedy: &'static str,
}

impl std::fmt::Display for MissingTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}. {}", self.what, self.why, self.remedy)
    }
}

/// The absences met so far, each with the cases that met it.
static MET: Mutex<BTreeMap<&'static str, (MissingTool, Vec<String>)>> = Mutex::new(BTreeMap::new());

/// Whether an absence is to be a failure: `HOLDFAST_TESTS_REQUIRE_ALL` is set to 1.
pub fn all_is_required() -> bool {
    std::env::var("HOLDFAST_TESTS_REQUIRE_ALL").is_ok_and(|value| value == "1")
}

/// Remembers that `case` could not be told for want of `absence`.
pub fn note(missing_tool: &MissingTool, case: &str) {
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, cases) = met.entry(missing_tool.what).or_insert_with(|| (missing_tool.clone(), Vec::new()));
    cases.push(case.to_owned());
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
    let lines = met.values().map(|(missing_tool, cases)| {
        let (count, first) = (cases.len(), cases.first().map_or("", String::as_str));
        format!("  {missing_tool}.\n    Stories not told for want of it: {count}, the first {first}")
    });
    Some(format!("{verdict}\n{}", lines.collect::<Vec<_>>().join("\n")))
}
