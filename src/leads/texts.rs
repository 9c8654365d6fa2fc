//! A lead's fields as the text of forms.

use serde_json::Value;

use super::domain::{Lead, LeadChange, LeadField, Owner};

/// One value for each field that people edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerField<T> {
    /// For the name.
    pub name: T,
    /// For the email address.
    pub email: T,
    /// For the phone number.
    pub phone: T,
    /// For the company.
    pub company: T,
    /// For the state.
    pub state: T,
    /// For the lead score.
    pub lead_score: T,
    /// For the status.
    pub status: T,
    /// For the source.
    pub source: T,
    /// For the owner.
    pub owner: T,
}

/// The fields as the text of form inputs: no value is empty text, a status is for example `PROSPECT`, and an owner is
/// the id of an account.
pub type Texts = PerField<String>;
/// The error message of each field.
pub type Messages = PerField<Option<String>>;

impl<T> PerField<T> {
    /// Calls `make` for each field.
    pub fn from_fn(mut make: impl FnMut(LeadField) -> T) -> Self {
        Self {
            name: make(LeadField::Name),
            email: make(LeadField::Email),
            phone: make(LeadField::Phone),
            company: make(LeadField::Company),
            state: make(LeadField::State),
            lead_score: make(LeadField::LeadScore),
            status: make(LeadField::Status),
            source: make(LeadField::Source),
            owner: make(LeadField::Owner),
        }
    }

    /// Returns the value for a field, or `None` for the stock, which people do not edit.
    pub fn get(&self, field: LeadField) -> Option<&T> {
        match field {
            LeadField::Name => Some(&self.name),
            LeadField::Email => Some(&self.email),
            LeadField::Phone => Some(&self.phone),
            LeadField::Company => Some(&self.company),
            LeadField::State => Some(&self.state),
            LeadField::LeadScore => Some(&self.lead_score),
            LeadField::Status => Some(&self.status),
            LeadField::Source => Some(&self.source),
            LeadField::Owner => Some(&self.owner),
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
        Self::from_fn(|field| match field {
            LeadField::Owner => owner_text(&lead.owner),
            _ => text_of(&lead.value(field)),
        })
    }

    /// Returns the texts with `change` applied.
    pub fn overlaid(&self, change: &LeadChange) -> Self {
        fn text<T>(new: &Option<T>, text: impl Fn(&T) -> String, old: &str) -> String {
            new.as_ref().map_or_else(|| old.to_owned(), text)
        }
        Self {
            name: text(&change.name, ToString::to_string, &self.name),
            email: text(&change.email, ToString::to_string, &self.email),
            phone: text(&change.phone, optional_text, &self.phone),
            company: text(&change.company, optional_text, &self.company),
            state: text(&change.state, optional_text, &self.state),
            lead_score: text(&change.lead_score, ToString::to_string, &self.lead_score),
            status: text(&change.status, ToString::to_string, &self.status),
            source: text(&change.source, optional_text, &self.source),
            owner: text(&change.owner, owner_text, &self.owner),
        }
    }
}

/// Converts a field's value from the history to text for people. Null becomes empty text, and an owner their name.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(owner) => owner.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// Returns a value as text, or empty text for no value.
pub fn optional_text<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Returns the id of an owner's account, or empty text for no owner.
pub fn owner_text(owner: &Option<Owner>) -> String {
    owner.as_ref().map(|owner| owner.id.to_string()).unwrap_or_default()
}
