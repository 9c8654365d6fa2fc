//! Importing leads from a file, in steps that each fit one request.

pub mod file;
pub mod mapping;
