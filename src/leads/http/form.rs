//! The form of a new lead or of an existing one: the typed text, and all its errors at once.
//!
//! Invariant: a form can be shown again exactly as it was typed.

use super::custom_form::CustomForm;
use super::edit_form::{Edit, EditErrors};
use super::parts::{Choice, states, statuses};
use crate::accounts::domain::Account;
use crate::base::identity::{AccountId, SignedIn};
use crate::base::text::isolated;
use crate::leads::custom_field_items::LeadWithFields;
use crate::leads::domain::{Lead, LeadField, LeadId, Owner, Score, Status};
use crate::leads::merge_edits::FieldKey;
use crate::leads::texts::{Messages, Texts};
use crate::shared::forms::{Field, RawForm};

impl Texts {
    /// Returns the typed text of a new lead's fields.
    pub(super) fn of_form(form: &RawForm) -> Self {
        Self::from_fn(|field| form.get(field.as_str()).unwrap_or_default().to_owned())
    }
}

/// An agent whom a lead can be given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnerChoice {
    /// The id of the account.
    pub(super) id: String,
    pub(super) label: String,
}

/// Returns the agents to choose from: the person, the present owner, who may be no agent any more, and all others.
pub(super) fn owner_choices(
    who: Option<&SignedIn>,
    owner: Option<&Owner>,
    agents: &[Account],
) -> Vec<OwnerChoice> {
    let me = who.map(|who| (who.id, format!("{} (you)", isolated(who.name.as_str()))));
    let is_me = |id: AccountId| who.is_some_and(|who| who.id == id);
    let owner = owner.filter(|owner| !is_me(owner.id));
    let others = agents.iter().filter(|agent| !is_me(agent.id));
    let others = others.filter(|agent| owner.is_none_or(|owner| owner.id != agent.id));
    // Two agents may have one name.
    let others = others.map(|agent| (agent.id, agent.label()));
    let owner = owner.map(|owner| (owner.id, owner.name.to_string()));
    let choices = me.into_iter().chain(owner).chain(others);
    choices.map(|(id, label)| OwnerChoice { id: id.to_string(), label }).collect()
}

/// The form of a new lead or of an existing one.
#[derive(Debug, Clone, Default)]
pub(super) struct LeadForm {
    /// The lead's id, or empty text for a new lead.
    pub(super) id: String,
    /// The version that the form shows.
    pub(super) version: u64,
    pub(super) name: Field,
    pub(super) email: Field,
    pub(super) phone: Field,
    pub(super) company: Field,
    pub(super) state: Field,
    pub(super) lead_score: Field,
    pub(super) status: Field,
    pub(super) source: Field,
    pub(super) owner: Field,
    /// The agents to choose from.
    pub(super) owners: Vec<OwnerChoice>,
    pub(super) custom: CustomForm,
    /// The error message for the whole form.
    pub(super) error: Option<String>,
}

impl LeadForm {
    /// Creates the form of a new lead with the typed text and its errors.
    pub(super) fn for_new(
        typed: Texts,
        custom: CustomForm,
        errors: Messages,
        owners: Vec<OwnerChoice>,
    ) -> Self {
        let form = Self::filled(Texts::default(), typed, errors);
        Self { custom, owners, ..form }
    }

    /// Creates the empty form of a new lead.
    pub(super) fn empty(owners: Vec<OwnerChoice>) -> Self {
        let typed = Texts {
            lead_score: Score::default().to_string(),
            status: Status::default().to_string(),
            ..Texts::default()
        };
        Self::for_new(typed, CustomForm::of(&Default::default()), Messages::default(), owners)
    }

    /// Creates the form of an existing lead with its current values, without its custom fields and its owner.
    pub(super) fn for_lead(lead: &Lead) -> Self {
        let texts = Texts::of(lead);
        let form = Self::filled(texts.clone(), texts, Messages::default());
        Self { id: lead.id.to_string(), version: lead.version.get(), ..form }
    }

    /// Creates the form of an existing lead with its current values and custom fields.
    pub(super) fn for_lead_with_fields(found: &LeadWithFields, owners: Vec<OwnerChoice>) -> Self {
        Self { custom: CustomForm::of(&found.fields), owners, ..Self::for_lead(&found.lead) }
    }

    /// Creates the form of a rejected edit with the typed text and its errors.
    pub(super) fn for_edit(id: LeadId, edit: &Edit, errors: EditErrors, owners: Vec<OwnerChoice>) -> Self {
        let typed = |field| edit.fields.iter().find(|typed| typed.key == FieldKey::Own(field));
        let base = Texts::from_fn(|field| edit.base(field).to_owned());
        let typed = Texts::from_fn(|field| typed(field).map(|typed| typed.typed.clone()).unwrap_or_default());
        let custom = edit.fields.iter().filter_map(|field| match &field.key {
            FieldKey::Custom(name) => Some((name.to_string(), field.base.clone(), field.typed.clone())),
            FieldKey::Own(_) => None,
        });
        let custom = CustomForm::filled(custom.collect(), &edit.added, &errors.custom);
        let form = Self::filled(base, typed, errors.own);
        Self { id: id.to_string(), version: edit.version.get(), custom, owners, ..form }
    }

    fn filled(base: Texts, typed: Texts, errors: Messages) -> Self {
        let field = |value, base, error| Field { value, base, error };
        Self {
            name: field(typed.name, base.name, errors.name),
            email: field(typed.email, base.email, errors.email),
            phone: field(typed.phone, base.phone, errors.phone),
            company: field(typed.company, base.company, errors.company),
            state: field(typed.state, base.state, errors.state),
            lead_score: field(typed.lead_score, base.lead_score, errors.lead_score),
            status: field(typed.status, base.status, errors.status),
            source: field(typed.source, base.source, errors.source),
            owner: field(typed.owner, base.owner, errors.owner),
            ..Self::default()
        }
    }

    /// Returns the id of the form element. Inputs outside the element refer to it by this id.
    pub(super) fn form_id(&self) -> String {
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
            (LeadField::Phone, &self.phone),
            (LeadField::Company, &self.company),
            (LeadField::State, &self.state),
            (LeadField::LeadScore, &self.lead_score),
            (LeadField::Status, &self.status),
            (LeadField::Source, &self.source),
            (LeadField::Owner, &self.owner),
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
