//! A lead's fields as the text of forms and of the history.

use serde_json::Value;

use super::domain::{Lead, LeadChange, LeadField};
use crate::base::values::UsState;

/// One value for each field that people edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerField<T> {
    /// For the name.
    pub name: T,
    /// For the email address.
    pub email: T,
    /// For the state.
    pub state: T,
    /// For the lead score.
    pub lead_score: T,
    /// For the status.
    pub status: T,
}

/// The fields as the text of form inputs: no state is empty text, and a status is for example `PROSPECT`.
pub type Texts = PerField<String>;
/// The error message of each field.
pub type Messages = PerField<Option<String>>;

impl<T> PerField<T> {
    /// Calls `make` for each field.
    pub fn from_fn(mut make: impl FnMut(LeadField) -> T) -> Self {
        Self {
            name: make(LeadField::Name),
            email: make(LeadField::Email),
            state: make(LeadField::State),
            lead_score: make(LeadField::LeadScore),
            status: make(LeadField::Status),
        }
    }

    /// Returns the value for a field, or `None` for the stock, which people do not edit.
    pub fn get(&self, field: LeadField) -> Option<&T> {
        match field {
            LeadField::Name => Some(&self.name),
            LeadField::Email => Some(&self.email),
            LeadField::State => Some(&self.state),
            LeadField::LeadScore => Some(&self.lead_score),
            LeadField::Status => Some(&self.status),
            LeadField::Stock => None,
        }
    }

    /// Iterates over the fields and their values in the order in which pages show them.
    pub fn iter(&self) -> impl Iterator<Item = (LeadField, &T)> {
        LeadField::EDITABLE.into_iter().filter_map(|field| Some((field, self.get(field)?)))
    }
}

impl Texts {
    /// Returns a lead's fields as text.
    pub fn of(lead: &Lead) -> Self {
        Self::from_fn(|field| text_of(&lead.value(field)))
    }

    /// Returns the texts with `change` applied.
    pub fn overlaid(&self, change: &LeadChange) -> Self {
        let text = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        Self {
            name: text(change.name.as_ref().map(ToString::to_string), &self.name),
            email: text(change.email.as_ref().map(ToString::to_string), &self.email),
            state: text(change.state.as_ref().map(state_text), &self.state),
            lead_score: text(change.lead_score.as_ref().map(ToString::to_string), &self.lead_score),
            status: text(change.status.as_ref().map(ToString::to_string), &self.status),
        }
    }
}

/// Converts a field's value from the history to text. Null becomes empty text.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a state's code, or empty text for no state.
pub fn state_text(state: &Option<UsState>) -> String {
    state.map(|state| state.to_string()).unwrap_or_default()
}
