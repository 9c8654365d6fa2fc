//! Holdfast: a serverless desk for teams who grab at the same things at the same moment.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`accounts`] | who may use it |
//! | [`app`] | what handlers share, and the whole application as one service |
//! | [`dynamo`] | the table, guarded writes and bounded reads |
//! | [`error`] | every known failure → status and words |
//! | [`leads`] | people who may buy |
//! | [`values`] | values that several features speak of |
//! | [`web`] | what all pages and the JSON API share |

pub mod accounts;
pub mod app;
pub mod dynamo;
pub mod error;
pub mod leads;
pub mod values;
pub mod web;
