//! Problems that several features have.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::web::problem::Problem;

/// Creates the problem of a record that does not exist.
pub fn not_found(title: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", title, detail)
}

/// Creates the problem of a change that names an old version. It contains the current record.
pub fn stale(title: &'static str, fresh: &impl Serialize) -> Problem {
    let detail = "Nothing was saved. `fresh` is the current data; send the change again with its version.";
    Problem::new(StatusCode::CONFLICT, "conflict", title, detail).with("fresh", json!(fresh))
}
