//! Everything that pages and the JSON API share: access, extractors, responses, headers, CSV cells, page context.

pub mod access;
pub mod assets;
pub mod change;
pub mod client;
pub mod compress;
pub mod context;
pub mod csv;
pub mod encoding;
pub mod error;
pub mod extract;
pub mod headers;
pub mod health;
pub mod isolate;
pub mod lists;
pub mod message;
pub mod observe;
pub mod origin;
pub mod pages;
pub mod panic;
pub mod present;
pub mod problem;
pub mod query;
pub mod request;
pub mod respond;
pub mod routes;
mod sign_in_again;
#[cfg(test)]
mod sources;
pub mod target;
pub mod theme;
pub mod theme_form;
pub mod time_limit;
pub mod unsent;
