//! Reads the form of an existing lead: first as typed, then as values, with all errors at once. Pure.
//!
//! Invariant: a change contains only the fields whose value differs from what the person saw, so two people who edit
//! different fields never overwrite each other. A form may show only some fields; the others keep their values.

use super::body::LeadChangeBody;
use super::custom_form::{CustomMessages, NewFields};
use super::parse::{optional, read};
use crate::base::values::{Invalid, Version};
use crate::leads::domain::{FieldEdits, FieldText, LeadChange, LeadField, Rule};
use crate::leads::merge_edits::{FieldKey, TypedField};
use crate::leads::texts::{Messages, Texts, optional_text};
use crate::shared::forms::RawForm;
use crate::web::error::WebError;

/// A submitted edit: the values that the person saw and the values that they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// The version that the person saw.
    pub(super) version: Version,
    /// The fields that the form shows.
    pub(super) fields: Vec<TypedField>,
    /// The custom fields that the person adds, as typed.
    pub(super) added: NewFields,
}

/// The error messages of an edit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EditErrors {
    pub(super) own: Messages,
    pub(super) custom: CustomMessages,
}

impl EditErrors {
    /// Returns a broken rule as the message of its field.
    pub(super) fn of_rule(rule: Rule) -> Self {
        let own = Messages::from_fn(|field| (field == rule.field()).then(|| rule.words().to_owned()));
        Self { own, ..Self::default() }
    }

    /// Returns the message of a field that only the stored data shows to be invalid: the owner, or the custom fields
    /// together.
    pub(super) fn of_field(field: &str, invalid: &Invalid) -> Self {
        let mut errors = Self::default();
        match field {
            "owner" => errors.own.owner = Some(invalid.to_string()),
            _ => errors.custom.of_all(invalid),
        }
        errors
    }
}

impl Edit {
    /// Reads an edit. The form sends `version`, `base.FIELD` for each value that the person saw, and `FIELD` for the
    /// typed value, which defaults to the base. A field that needs a choice also sends `mine.FIELD`.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is no version; [`WebError::Malformed`] if a base value is missing.
    pub(super) fn of(form: &RawForm) -> Result<Self, WebError> {
        let version = form.version()?;
        let mut fields = Vec::new();
        for field in LeadField::EDITABLE {
            let key = FieldKey::Own(field);
            match typed_field(form, key) {
                Some(field) => fields.push(field),
                None if form.get(field.as_str()).is_some() => return Err(no_base(field.as_str())),
                None => {}
            }
        }
        let custom = form.starting_with("base.fields.").filter_map(|(name, _)| name.parse().ok());
        fields.extend(custom.filter_map(|name| typed_field(form, FieldKey::Custom(name))));
        if fields.is_empty() {
            return Err(no_base("values"));
        }
        Ok(Self { version, fields, added: NewFields::of(form) })
    }

    /// Whether a field still needs a choice.
    pub(super) fn is_undecided(&self) -> bool {
        self.fields.iter().any(|field| field.undecided)
    }

    /// Whether the form shows custom fields, or adds some.
    pub(super) fn has_custom_fields(&self) -> bool {
        !self.added.is_empty() || self.fields.iter().any(|field| matches!(field.key, FieldKey::Custom(_)))
    }

    /// Returns what the person saw of a field.
    pub(super) fn base(&self, field: LeadField) -> &str {
        let typed = self.fields.iter().find(|typed| typed.key == FieldKey::Own(field));
        typed.map_or("", |typed| typed.base.as_str())
    }

    /// Returns the fields whose value differs from what the person saw. White space around a name makes no difference.
    ///
    /// # Errors
    /// A message for each invalid field that the person changed.
    pub(super) fn change(&self) -> Result<LeadChangeBody, Box<EditErrors>> {
        let mut errors = Box::<EditErrors>::default();
        let own = &mut errors.own;
        let change = LeadChange {
            name: self.changed(LeadField::Name, &mut own.name, str::parse, ToString::to_string),
            email: self.changed(LeadField::Email, &mut own.email, str::parse, ToString::to_string),
            phone: self.changed(LeadField::Phone, &mut own.phone, optional, optional_text),
            company: self.changed(LeadField::Company, &mut own.company, optional, optional_text),
            state: self.changed(LeadField::State, &mut own.state, optional, optional_text),
            lead_score: self.changed(
                LeadField::LeadScore,
                &mut own.lead_score,
                str::parse,
                ToString::to_string,
            ),
            status: self.changed(LeadField::Status, &mut own.status, str::parse, ToString::to_string),
            source: self.changed(LeadField::Source, &mut own.source, optional, optional_text),
            owner: None,
            fields: FieldEdits::default(),
        };
        let owner = self.changed(LeadField::Owner, &mut own.owner, optional, |_| String::new());
        let fields = self.custom_edits(&mut errors.custom);
        match *errors == EditErrors::default() {
            true => Ok(LeadChangeBody::new(LeadChange { fields, ..change }, owner)),
            false => Err(errors),
        }
    }

    fn changed<T>(
        &self,
        field: LeadField,
        error: &mut Option<String>,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
        text: impl FnOnce(&T) -> String + Copy,
    ) -> Option<T> {
        let TypedField { base, typed, .. } =
            self.fields.iter().find(|typed| typed.key == FieldKey::Own(field))?;
        // A stored value is not validated again.
        if typed == base {
            return None;
        }
        read(typed, error, parse).filter(|value| text(value) != *base)
    }

    fn custom_edits(&self, errors: &mut CustomMessages) -> FieldEdits {
        let mut edits = Vec::new();
        for TypedField { key, base, typed, .. } in &self.fields {
            let FieldKey::Custom(name) = key else { continue };
            if typed.trim() == base.trim() {
                continue;
            }
            match optional::<FieldText>(typed) {
                Ok(text) => edits.push((name.clone(), text)),
                Err(invalid) => errors.of_field(name, &invalid),
            }
        }
        for (name, text) in self.added.parse(errors) {
            edits.push((name, Some(text)));
        }
        FieldEdits::new(edits).map_err(|invalid| errors.of_all(&invalid)).unwrap_or_default()
    }

    /// Returns the fields with their typed values as the change normalizes them, and the added fields.
    pub(super) fn normalized(&self, change: &LeadChange) -> Vec<TypedField> {
        let seen = Texts::from_fn(|field| self.base(field).to_owned()).overlaid(change);
        let custom = |name| change.fields.get(name).map(optional_text);
        let known = self.fields.iter().map(|field| {
            let typed = match &field.key {
                FieldKey::Own(own) => seen.get(*own).cloned(),
                FieldKey::Custom(name) => Some(custom(name).unwrap_or_else(|| field.base.clone())),
            };
            TypedField { typed: typed.unwrap_or_default(), ..field.clone() }
        });
        let is_known = |key: &FieldKey| self.fields.iter().any(|field| field.key == *key);
        let added = change.fields.iter().map(|(name, text)| TypedField {
            key: FieldKey::Custom(name.clone()),
            base: String::new(),
            typed: optional_text(text),
            undecided: false,
        });
        known.chain(added.filter(|field| !is_known(&field.key))).collect()
    }
}

fn typed_field(form: &RawForm, key: FieldKey) -> Option<TypedField> {
    let name = key.name();
    let base = form.get(&format!("base.{name}"))?;
    let (sent, mine) = (form.get(&name), form.get(&format!("mine.{name}")));
    let undecided = sent.is_none() && mine.is_some();
    let typed = sent.or(mine).unwrap_or(base).to_owned();
    Some(TypedField { key, base: base.to_owned(), typed, undecided })
}

fn no_base(name: &str) -> WebError {
    WebError::Malformed(format!("The form doesn't say which {name} it started with. Open it again."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> RawForm {
        serde_urlencoded::from_str(&serde_urlencoded::to_string(pairs).unwrap()).unwrap()
    }

    /// Reads a form as a page sends it: a lead named Ann, changed by `typed`.
    fn edit(typed: &[(&str, &str)]) -> Edit {
        let pairs = [
            ("version", "3"),
            ("base.name", "Ann Lee"),
            ("base.email", "ann@example.com"),
            ("base.phone", "212-555-0100"),
            ("base.state", "NY"),
            ("base.leadScore", "50"),
            ("base.status", "PROSPECT"),
            ("base.fields.Industry", "Roofing"),
        ];
        Edit::of(&form(&[&pairs[..], typed].concat())).unwrap()
    }

    #[test]
    fn a_change_contains_only_the_fields_that_differ() {
        for (typed, fields) in [
            (vec![], vec![]),
            (vec![("name", "  Ann   Lee ")], vec![]),
            (vec![("leadScore", "050")], vec![]),
            (vec![("state", "ny")], vec![]),
            (vec![("fields.Industry", " Roofing ")], vec![]),
            (vec![("name", "Ann Li")], vec!["name"]),
            (vec![("email", "Ann@example.com")], vec!["email"]),
            (vec![("state", ""), ("phone", "")], vec!["phone", "state"]),
            (vec![("leadScore", "51"), ("status", "QUALIFIED")], vec!["leadScore", "status"]),
            (vec![("fields.Industry", "")], vec!["fields.Industry"]),
            (vec![("new.0.name", "Size"), ("new.0.text", "10")], vec!["fields.Size"]),
        ] {
            let edit = edit(&typed);
            let change = edit.change().unwrap();
            let normalized = edit.normalized(change.change());
            let differing = normalized.iter().filter(|field| field.typed != field.base);
            assert_eq!(differing.map(|field| field.key.name()).collect::<Vec<_>>(), fields, "{typed:?}");
            assert_eq!(change.is_empty(), fields.is_empty(), "{typed:?}");
        }
        assert_eq!(edit(&[("state", "")]).change().unwrap().change().state, Some(None));
    }

    #[test]
    fn an_edit_reports_all_invalid_fields_at_once() {
        let edit = edit(&[
            ("name", ""),
            ("leadScore", "80.5"),
            ("state", "CA"),
            ("phone", "none"),
            ("fields.Industry", "bell\u{7}"),
            ("new.0.text", "a text without a name"),
        ]);
        let errors = edit.change().unwrap_err();
        assert!(errors.own.name.is_some() && errors.own.lead_score.is_some() && errors.own.phone.is_some());
        assert!(errors.own.email.is_none() && errors.own.state.is_none() && errors.own.status.is_none());
        assert!(errors.custom.field("Industry").is_some() && errors.custom.added(0).is_some());
    }

    #[test]
    fn an_edit_needs_a_version_and_base_values() {
        assert!(matches!(Edit::of(&form(&[])), Err(WebError::VersionMissing)));
        assert!(matches!(Edit::of(&form(&[("version", "x")])), Err(WebError::Invalid(_))));
        assert!(matches!(Edit::of(&form(&[("version", "3")])), Err(WebError::Malformed(_))));
        assert!(matches!(Edit::of(&form(&[("version", "3"), ("name", "Ann")])), Err(WebError::Malformed(_))));
    }

    #[test]
    fn a_form_may_show_only_some_fields() {
        let edit = Edit::of(&form(&[("version", "3"), ("base.name", "Ann"), ("name", "Anna")])).unwrap();
        assert_eq!(edit.fields.len(), 1);
        assert!(!edit.has_custom_fields());
    }

    #[test]
    fn a_field_without_a_choice_keeps_the_typed_value() {
        let edit =
            edit(&[("version", "4"), ("mine.leadScore", "65"), ("mine.name", "Anna"), ("name", "Ann")]);
        let typed = |field| edit.fields.iter().find(|typed| typed.key == FieldKey::Own(field)).unwrap();
        let (score, name) = (typed(LeadField::LeadScore), typed(LeadField::Name));
        assert_eq!((score.typed.as_str(), score.undecided), ("65", true));
        assert_eq!((name.typed.as_str(), name.undecided), ("Ann", false));
    }
}
