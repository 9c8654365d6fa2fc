//! Leads: people who may buy.
//!
//! Invariants, each enforced inside the transaction that makes the change:
//! - An email address belongs to one lead.
//! - Every accepted change raises a lead's version by one and adds a history entry.
//! - A lead becomes CONVERTED only with a score of 80 or more, and its score stays at 80 or more. Only an administrator
//!   can reopen it.
//! - A lead in an open order is not deleted. A deleted lead can be restored for 30 days.
//! - A lead's custom fields are read and changed together with its version.

mod change;
pub mod custom_field_items;
pub mod domain;
mod error;
pub mod former_words;
mod http;
pub mod import;
pub(crate) mod items;
pub mod list;
pub mod merge_edits;
pub mod merge_leads;
pub mod notes;
mod owner;
mod owner_index;
pub mod purge;
mod reserved;
mod revert;
mod routes;
pub mod search;
mod service;
pub mod snapshots;
mod state_search;
pub mod store;
pub mod texts;
pub mod timeline;
pub mod trash;
mod upgrade_words;
mod word_index;
mod word_search;

pub use error::{Conflict, LeadError};
pub use items::{Filter, Sort};
pub use owner::{KeptLead, Reassigned};
pub use routes::routes;
pub use service::Leads;
