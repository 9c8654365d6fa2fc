//! People: what administrators do with the accounts of others, and with their own.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`delete`] | deletes an account after its leads have another owner, step by step |
//! | [`tokens`] | creates tokens of services |
//! | `http` | the list, the page of one person, and the JSON API |
//!
//! The use cases themselves are those of [`accounts`](crate::accounts). Invariants: every change names the version that
//! the administrator saw, and its transaction checks that the administrator still is one. A secret (of a link or a
//! token) is shown once, in the answer that creates it. A deletion that was interrupted can be continued.

pub mod delete;
mod error;
mod http;
mod routes;
mod service;
pub mod tokens;

pub use error::PeopleError;
pub use routes::routes;
pub use service::People;
