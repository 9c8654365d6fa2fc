//! What all pages and the JSON API share: access, extractors, answers, headers, cells of files, the shell around pages.

pub mod access;
pub mod assets;
pub mod client;
pub mod csv;
pub mod extract;
pub mod headers;
pub mod health;
pub mod lists;
pub mod origin;
pub mod pages;
mod query;
pub mod request;
pub mod respond;
