//! Holdfast: a serverless workspace for teams who compete for the same things at the same moment.
//!
//! The rooms of the crate, from the ground up. A room imports only from the rooms above it in this table, and no file
//! is part of an import cycle; `tests/architecture.rs` checks both.
//!
//! | room | contents |
//! | --- | --- |
//! | [`base`] | values, ids, calendar, search words, identity, clock, randomness, and the facade of telemetry |
//! | `engine` | the embedded engine: DynamoDB's semantics in this process (feature `local`) |
//! | [`store`] | DynamoDB: client, guarded writes, bounded reads, idempotency records, stream, schema versions |
//! | [`web`] | HTTP conventions: extractors, responses, problems, access, assets, page context |
//! | [`shared`] | what several features need and no feature owns: search, audit entries, parts of pages |
//! | [`accounts`] | accounts, sessions, API tokens and sign-in |
//! | [`audit`] | the audit log, as administrators read it |
//! | [`reservations`] | the reservations of large orders, as the readers of leads see them |
//! | [`leads`] | leads, their history, notes and trash |
//! | [`orders`] | orders for leads, and caps |
//! | [`stats`] | counts of leads and orders, from the table's stream |
//! | [`imports`] | imports of leads from CSV files |
//! | [`people`] | the administration of people: invitations, roles, sessions, tokens, deletion |
//! | [`raffles`] | raffles and their tickets |
//! | [`inventory`] | products whose stock follows from messages |
//! | [`commands`] | commands from JSON, text, a shell and a page |
//! | [`rules`] | commands that events and schedules trigger |
//! | [`projections`] | the consumers of the table's stream: statistics, rules, dead letters |
//! | [`dashboard`] | the start page of viewers and agents |
//! | `styleguide` | every token and component of the pages, for a local server (feature `local`) |
//! | [`app`] | builds each feature, mounts its routes, and adds the layers |
//! | [`hosts`] | what a process provides: configuration and, with features, threads, the log, AWS, Kafka and Lambda |
//!
//! The programs are in `src/bin`.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        clippy::expect_used,
        reason = "a panic fails the test"
    )
)]

pub mod accounts;
pub mod app;
pub mod audit;
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
pub mod people;
pub mod projections;
pub mod raffles;
pub mod reservations;
pub mod rules;
pub mod shared;
pub mod stats;
pub mod store;
#[cfg(feature = "local")]
pub mod styleguide;
pub mod web;
