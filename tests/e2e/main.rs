//! Every case of the product, in one test binary.
//!
//! A file beside this one holds the cases of one feature and lists them in `pub fn all()`. The compiler reports a
//! case that is not listed as dead code, and a case of the harness reports a file that is not listed below. `cargo
//! test -- --list` prints all names.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a case that meets what it does not expect has failed, and a panic says so"
)]

mod access;
mod account_deletion;
mod accounts;
mod administrator_tokens;
mod administrators;
mod audit;
mod audit_exports;
mod audit_list;
mod audit_sessions;
mod automation;
mod bad_input;
mod bootstraps;
mod browser;
mod compression;
mod dead_letters;
mod deadlines;
mod deployment;
mod documents;
mod engine;
mod error_pages;
mod faults;
mod get_routes;
mod harness;
mod import_data;
mod import_known;
mod import_preview;
mod import_steps;
mod imports;
mod inventory;
mod inventory_api;
mod inventory_dead_letters;
mod inventory_pages;
mod inventory_products;
mod kafka;
mod keys;
mod lead_data;
mod lead_merge;
mod lead_notes;
mod lead_owner;
mod lead_search;
mod lead_trash;
mod lead_undo;
mod leads;
mod links;
mod list_costs;
mod lists;
mod login_throttle;
mod messages;
mod new_passwords;
mod order_api;
mod order_pages;
mod order_races;
mod order_readers;
mod orders;
mod outcomes;
mod own_account;
mod page_weight;
mod pages;
mod people;
mod people_access;
mod people_pages;
mod policies;
mod process;
mod races;
mod raffle_api;
mod raffle_leaks;
mod raffle_pages;
mod raffle_races;
mod raffle_reports;
mod repeats;
mod replay;
mod rules;
mod session_ends;
mod sessions;
mod sign_in_audit;
mod sign_up;
mod stats;
mod stopped;
mod streams;
mod support;
mod telemetry;
mod template;
mod themes;
mod tokens;
mod two_factor;
mod two_factor_required;
mod upgrades;
mod viewers;

use std::process::ExitCode;

/// The modules beside this file, each with its cases.
macro_rules! modules {
    ($($module:ident),* $(,)?) => {
        /// The names of the modules whose cases run.
        pub const MODULES: &[&str] = &[$(stringify!($module)),*];

        fn main() -> ExitCode {
            let mut cases = Vec::new();
            $(cases.extend($module::all());)*
            support::run::main(cases)
        }
    };
}

modules![
    access,
    account_deletion,
    accounts,
    administrator_tokens,
    administrators,
    audit,
    audit_exports,
    audit_list,
    audit_sessions,
    automation,
    bad_input,
    bootstraps,
    browser,
    compression,
    deadlines,
    dead_letters,
    deployment,
    documents,
    engine,
    error_pages,
    faults,
    get_routes,
    harness,
    import_data,
    import_preview,
    import_known,
    import_steps,
    imports,
    inventory,
    inventory_api,
    inventory_dead_letters,
    inventory_pages,
    inventory_products,
    kafka,
    keys,
    lead_data,
    lead_merge,
    lead_notes,
    lead_owner,
    lead_search,
    lead_trash,
    lead_undo,
    leads,
    links,
    list_costs,
    lists,
    login_throttle,
    messages,
    new_passwords,
    order_api,
    order_pages,
    order_races,
    order_readers,
    orders,
    outcomes,
    own_account,
    page_weight,
    pages,
    people,
    people_access,
    people_pages,
    policies,
    process,
    races,
    raffle_api,
    raffle_leaks,
    raffle_pages,
    raffle_races,
    raffle_reports,
    repeats,
    replay,
    rules,
    session_ends,
    sessions,
    sign_in_audit,
    sign_up,
    stats,
    stopped,
    streams,
    telemetry,
    template,
    themes,
    tokens,
    two_factor,
    two_factor_required,
    upgrades,
    viewers
];
