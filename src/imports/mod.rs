//! Importing leads from a file, in steps that each fit one request.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`mod@file`] | reads CSV piece by piece, from any byte of the file |
//! | [`mapping`] | which column is which part of a lead |
//! | [`rows`] | a row's text becomes a lead, or the reason why not |
//! | [`domain`] | an import, how it goes on, and what it counts |
//! | [`store`] | imports, the parts of their files and their rejected rows in the table |
//! | [`run`] | steps: rows become leads |
//! | [`pages`] | what people see |
//!
//! Invariants: every row of the file that is not blank is counted once, as created, skipped or rejected; a step that
//! was cut off, or done twice at once, counts each row as if it had been done once, for each lead carries the row that
//! it came from; a file is never held whole by a request; what an import leaves behind, other than leads, goes by
//! itself after a week.

pub mod domain;
mod error;
pub mod file;
pub mod limits;
pub mod mapping;
pub mod pages;
mod routes;
pub mod rows;
pub mod run;
pub mod sample;
mod service;
pub mod store;
mod views;

pub use error::ImportError;
pub use routes::routes;
pub use service::Imports;
