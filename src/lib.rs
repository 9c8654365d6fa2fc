//! Holdfast: a serverless desk for teams who grab at the same things at the same moment.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`app`] | what handlers share, and the whole application as one service |
//! | [`dynamo`] | the table, guarded writes and bounded reads |
//! | [`leads`] | people who may buy |
//! | [`values`] | values that several features speak of |

pub mod app;
pub mod dynamo;
pub mod leads;
pub mod values;
