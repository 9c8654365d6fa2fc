//! The form of a new lead or of an existing one: the typed text, and all its errors at once.
//!
//! Invariant: a form can be shown again exactly as it was typed.

use super::parts::{Choice, states, statuses};
use crate::base::values::{Invalid, UsState};
use crate::leads::domain::{Lead, LeadField, Rule, Score, Status};
use crate::leads::texts::{Messages, Texts};
use crate::shared::forms::{Field, RawForm};

impl Texts {
    /// Returns the typed text of a new lead's fields.
    pub(super) fn of_form(form: &RawForm) -> Self {
        Self::from_fn(|field| form.get(field.as_str()).unwrap_or_default().to_owned())
    }
}

/// Returns a broken rule as the error message of its field.
pub(super) fn rule_message(rule: Rule) -> Messages {
    Messages::from_fn(|field| (field == rule.field()).then(|| rule.words().to_owned()))
}

pub(super) fn read<T>(
    text: &str,
    error: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    parse(text).map_err(|invalid| *error = Some(invalid.to_string())).ok()
}

pub(super) fn parse_state(text: &str) -> Result<Option<UsState>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// The form of a new lead or of an existing one.
#[derive(Debug, Clone, Default)]
pub(super) struct LeadForm {
    /// The lead's id, or empty text for a new lead.
    pub(super) id: String,
    /// The version that the form shows.
    pub(super) version: u64,
    /// The name.
    pub(super) name: Field,
    /// The email address.
    pub(super) email: Field,
    /// The state.
    pub(super) state: Field,
    /// The score.
    pub(super) lead_score: Field,
    /// The status.
    pub(super) status: Field,
    /// The error message for the whole form.
    pub(super) error: Option<String>,
}

impl LeadForm {
    /// Creates the form of a new lead with the typed text and its errors.
    pub(super) fn for_new(typed: Texts, errors: Messages) -> Self {
        Self::filled(Texts::default(), typed, errors)
    }

    /// Creates the empty form of a new lead.
    pub(super) fn empty() -> Self {
        let typed = Texts {
            lead_score: Score::default().to_string(),
            status: Status::default().to_string(),
            ..Texts::default()
        };
        Self::for_new(typed, Messages::default())
    }

    /// Creates the form of an existing lead with its current values.
    pub(super) fn for_lead(lead: &Lead) -> Self {
        let texts = Texts::of(lead);
        let form = Self::filled(texts.clone(), texts, Messages::default());
        Self { id: lead.id.to_string(), version: lead.version.get(), ..form }
    }

    pub(super) fn filled(base: Texts, typed: Texts, errors: Messages) -> Self {
        let field = |value, base, error| Field { value, base, error };
        Self {
            name: field(typed.name, base.name, errors.name),
            email: field(typed.email, base.email, errors.email),
            state: field(typed.state, base.state, errors.state),
            lead_score: field(typed.lead_score, base.lead_score, errors.lead_score),
            status: field(typed.status, base.status, errors.status),
            ..Self::default()
        }
    }

    /// Returns the id of the form element. Inputs outside the element refer to it by this id.
    pub(super) fn owner(&self) -> String {
        if self.is_edit() { format!("edit-{}", self.id) } else { "new-lead".to_owned() }
    }

    /// Returns whether the form edits an existing lead.
    pub(super) fn is_edit(&self) -> bool {
        !self.id.is_empty()
    }

    /// Returns the states to choose from.
    pub(super) fn states(&self) -> Vec<Choice> {
        states()
    }

    /// Returns the statuses to choose from.
    pub(super) fn statuses(&self) -> Vec<Choice> {
        statuses()
    }

    /// Returns the field that gets the focus: the first one with an error, or the first one.
    pub(super) fn focus(&self) -> &'static str {
        let fields = [
            (LeadField::Name, &self.name),
            (LeadField::Email, &self.email),
            (LeadField::State, &self.state),
            (LeadField::LeadScore, &self.lead_score),
            (LeadField::Status, &self.status),
        ];
        let invalid = fields.into_iter().find(|(_, field)| field.error.is_some());
        invalid.map_or(LeadField::Name, |(field, _)| field).as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_ignores_unknown_names() {
        let raw: RawForm = serde_urlencoded::from_str("name=Ann+Lee&x=1&name=Zo%C3%AB&email=").unwrap();
        let typed = Texts::of_form(&raw);
        assert_eq!((typed.name.as_str(), typed.email.as_str(), typed.state.as_str()), ("Zoë", "", ""));
    }
}
