//! Imports of leads from files, in steps that each fit into one request.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`mod@file`] | reads CSV piece by piece, from any byte of the file |
//! | [`mapping`] | assigns columns to the fields of a lead |
//! | [`rows`] | turns a row into a lead, or into the reason why it cannot be one |
//! | [`domain`] | the phases, the progress and the counts of an import |
//! | [`store`] | imports, parts of their files and rejected rows in the table |
//! | [`run`] | the steps that turn rows into leads |
//! | `owners` | finds the agents whom an owner column names |
//! | [`undo`] | the steps that undo an import |
//! | [`outcome`], [`report`] | the outcome of each row, and the report as a file |
//! | `http` | the pages of imports |
//!
//! Invariants: every row of the file that is not blank is counted once, as created, filled, updated, skipped or
//! rejected. If a step is cut off or runs twice at once, each row is still counted once, because each lead stores the
//! row that it came from, and each change of an existing lead the row that made it. No request holds a whole file in
//! memory. Everything that an import leaves behind, except leads, expires after a week.

pub mod domain;
mod error;
pub mod file;
mod http;
pub mod limits;
pub mod mapping;
pub mod outcome;
mod owners;
pub mod report;
mod routes;
pub mod rows;
pub mod run;
pub mod sample;
pub mod saved;
mod service;
pub mod store;
pub mod undo;

pub use error::ImportError;
pub use routes::routes;
pub use service::Imports;
