//! Tools that this machine lacks: which cases could not run without them, why, and how to install them.
//!
//! A missing tool never counts as success: the case is reported as ignored and named at the end of the output, and
//! with `HOLDFAST_TESTS_REQUIRE_ALL=1` it is a failure.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A tool that a case needs and this machine does not have.
#[derive(Clone, Debug)]
pub struct MissingTool {
    /// The tool's name for the report: `DynamoDB Local`.
    pub what: &'static str,
    /// Why it is missing.
    pub why: String,
    /// What to install or set.
    pub remedy: &'static str,
}

impl std::fmt::Display for MissingTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}. {}", self.what, self.why, self.remedy)
    }
}

/// The missing tools so far, each with the cases that need it.
static MET: Mutex<BTreeMap<&'static str, (MissingTool, Vec<String>)>> = Mutex::new(BTreeMap::new());

/// Whether a missing tool is a failure: `HOLDFAST_TESTS_REQUIRE_ALL` is set to 1.
pub fn all_is_required() -> bool {
    std::env::var("HOLDFAST_TESTS_REQUIRE_ALL").is_ok_and(|value| value == "1")
}

/// Records that `case` could not run without this tool.
pub fn note(missing_tool: &MissingTool, case: &str) {
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, cases) = met.entry(missing_tool.what).or_insert_with(|| (missing_tool.clone(), Vec::new()));
    cases.push(case.to_owned());
}

/// The paragraph for the end of the output, or `None` if nothing is missing.
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
        format!("  {missing_tool}.\n    Cases that did not run: {count}, the first is {first}")
    });
    Some(format!("{verdict}\n{}", lines.collect::<Vec<_>>().join("\n")))
}
