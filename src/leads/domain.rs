//! Leads, their changes, and the rules for changes. Pure: time and ids are arguments.
//!
//! DynamoDB decides whether a change is allowed: [`LeadChange::guard`] is the condition on the stored lead. When
//! DynamoDB refuses a change, [`LeadChange::broken_rule`] names the rule that the change broke.

mod contact;
mod custom_fields;
mod field;
mod history;
mod lead;
mod new_lead;
mod note;
mod rules;
mod score;
mod status;
mod status_or_stock;
mod stored_lead;

pub use contact::{Company, LeadSource, Owner, Phone};
pub use custom_fields::{CustomField, CustomFieldChange, CustomFields, FieldEdits, FieldName, FieldText};
pub use field::LeadField;
pub use history::{Action, FieldChange, HistoryEntry, Reason};
pub use lead::{Lead, LeadId};
pub use new_lead::NewLead;
pub use note::{Note, NoteId, NoteText};
pub use rules::{Guard, LeadChange, Rule};
pub use score::Score;
pub use status::{Status, Stock};
pub use status_or_stock::StatusOrStock;
pub use stored_lead::StoredLead;
