//! Holdfast: a serverless desk for teams who grab at the same things at the same moment.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`accounts`] | who may use it |
//! | [`app`] | what handlers share, and the whole application as one service |
//! | [`automation`] | commands: as JSON, as text, from a shell and a page |
//! | [`calendar`] | days in New York |
//! | [`config`] | what a deployed Holdfast is told by its environment |
//! | [`dashboard`] | the start page of agents |
//! | [`dynamo`] | the table, guarded writes and bounded reads |
//! | `engine` | the embedded engine: DynamoDB's semantics within this process; not on Lambda or WebAssembly |
//! | [`error`] | every known failure → status and words |
//! | [`fields`] | the fields of a JSON object, read one by one |
//! | [`inventory`] | products whose stock follows from messages |
//! | [`leads`] | people who may buy |
//! | [`orders`] | customers' requests for leads, and caps |
//! | `native` | sockets, TLS and AWS's ordinary ways; not on WebAssembly |
//! | [`search`] | search by words, for whatever is found so |
//! | [`secrets`] | secrets that are kept elsewhere and read when they are needed |
//! | [`telemetry`] | what is told of each request and batch |
//! | [`values`] | values that several features speak of |
//! | [`web`] | what all pages and the JSON API share |

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        clippy::expect_used,
        reason = "a test that meets what it does not expect has failed"
    )
)]

pub mod accounts;
pub mod app;
pub mod base;
pub mod commands;
pub mod dashboard;
#[cfg(feature = "local")]
pub mod engine;
pub mod hosts;
pub mod imports;
pub mod inventory;
pub mod leads;
pub mod orders;
pub mod projections;
pub mod raffles;
pub mod reservations;
pub mod rules;
pub mod shared;
pub mod stats;
pub mod store;
pub mod web;
