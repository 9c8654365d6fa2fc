//! Reads the form of an existing lead: first as typed, then as values, with all errors at once. Pure.
//!
//! Invariant: a change contains only the fields whose value differs from what the person saw, so two people who edit
//! different fields never overwrite each other.

use super::form::{LeadForm, parse_state, read};
use crate::base::values::{Invalid, Version};
use crate::leads::domain::{LeadChange, LeadField, LeadId};
use crate::leads::texts::{Messages, Texts, state_text};
use crate::shared::forms::RawForm;
use crate::web::error::WebError;

/// A submitted edit: the values that the person saw and the values that they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// The version that the person saw.
    pub(super) version: Version,
    /// The values that the person saw.
    pub(super) base: Texts,
    /// The submitted values, as typed.
    pub(super) typed: Texts,
    /// Fields that another person changed too and that need a choice. `typed` has the person's own value.
    pub(super) undecided: Vec<LeadField>,
}

impl Edit {
    /// Reads an edit. The form sends `version`, `base.FIELD` for the value that the person saw, and `FIELD` for the
    /// typed value, which defaults to the base. A field that needs a choice also sends `mine.FIELD`.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is no version; [`WebError::Malformed`] if a base value is missing.
    pub(super) fn of(form: &RawForm) -> Result<Self, WebError> {
        let version = form.version()?;
        let base_value = |field: LeadField| form.get(&format!("base.{}", field.as_str()));
        if let Some(field) = LeadField::EDITABLE.into_iter().find(|field| base_value(*field).is_none()) {
            let message =
                format!("The form does not say which {} it started with. Open it again.", field.as_str());
            return Err(WebError::Malformed(message));
        }
        let base = Texts::from_fn(|field| base_value(field).unwrap_or_default().to_owned());
        let mut undecided = Vec::new();
        let typed = Texts::from_fn(|field| {
            let mine = form.get(&format!("mine.{}", field.as_str()));
            let sent = form.get(field.as_str());
            if sent.is_none() && mine.is_some() {
                undecided.push(field);
            }
            sent.or(mine).or(base_value(field)).unwrap_or_default().to_owned()
        });
        Ok(Self { version, base, typed, undecided })
    }

    /// Returns the fields whose value differs from what the person saw. White space around a name makes no difference.
    ///
    /// # Errors
    /// A message for each invalid field that the person changed.
    pub(super) fn change(&self) -> Result<LeadChange, Box<Messages>> {
        let (base, typed) = (&self.base, &self.typed);
        let mut errors = Box::<Messages>::default();
        let change = LeadChange {
            name: changed(&base.name, &typed.name, &mut errors.name, str::parse, ToString::to_string),
            email: changed(&base.email, &typed.email, &mut errors.email, str::parse, ToString::to_string),
            state: changed(&base.state, &typed.state, &mut errors.state, parse_state, state_text),
            lead_score: changed(
                &base.lead_score,
                &typed.lead_score,
                &mut errors.lead_score,
                str::parse,
                ToString::to_string,
            ),
            status: changed(&base.status, &typed.status, &mut errors.status, str::parse, ToString::to_string),
        };
        if *errors == Messages::default() { Ok(change) } else { Err(errors) }
    }

    /// Returns the values that the person saw, with `change` applied.
    pub(super) fn with_change(&self, change: &LeadChange) -> Texts {
        self.base.overlaid(change)
    }
}

fn changed<T>(
    base: &str,
    typed: &str,
    error: &mut Option<String>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
    text: impl FnOnce(&T) -> String + Copy,
) -> Option<T> {
    // A stored value is not validated again.
    if typed == base {
        return None;
    }
    read(typed, error, parse).filter(|value| text(value) != base)
}

impl LeadForm {
    /// Creates the form of a rejected edit with the typed text and its errors.
    pub(super) fn for_edit(id: LeadId, edit: Edit, errors: Messages) -> Self {
        let form = Self::filled(edit.base, edit.typed, errors);
        Self { id: id.to_string(), version: edit.version.get(), ..form }
    }
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
            ("base.state", "NY"),
            ("base.leadScore", "50"),
            ("base.status", "PROSPECT"),
            ("name", "Ann Lee"),
            ("email", "ann@example.com"),
            ("state", "NY"),
            ("leadScore", "50"),
            ("status", "PROSPECT"),
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
            (vec![("name", "Ann Li")], vec![LeadField::Name]),
            (vec![("email", "Ann@example.com")], vec![LeadField::Email]),
            (vec![("state", "")], vec![LeadField::State]),
            (
                vec![("leadScore", "51"), ("status", "QUALIFIED")],
                vec![LeadField::LeadScore, LeadField::Status],
            ),
        ] {
            let edit = edit(&typed);
            let change = edit.change().unwrap();
            let edited = edit.with_change(&change);
            let differing: Vec<_> = edited
                .iter()
                .filter(|(field, value)| edit.base.get(*field) != Some(*value))
                .map(|(field, _)| field)
                .collect();
            assert_eq!(differing, fields, "{typed:?}");
            assert_eq!(change.is_empty(), fields.is_empty(), "{typed:?}");
        }
        assert_eq!(edit(&[("state", "")]).change().unwrap().state, Some(None));
    }

    #[test]
    fn an_edit_reports_all_invalid_fields_at_once() {
        let edit = edit(&[("name", ""), ("leadScore", "80.5"), ("state", "CA")]);
        let errors = edit.change().unwrap_err();
        assert!(errors.name.is_some() && errors.lead_score.is_some());
        assert!(errors.email.is_none() && errors.state.is_none() && errors.status.is_none());
        assert_eq!(edit.typed.lead_score, "80.5");
    }

    #[test]
    fn an_edit_needs_a_version_and_base_values() {
        assert!(matches!(Edit::of(&form(&[])), Err(WebError::VersionMissing)));
        assert!(matches!(Edit::of(&form(&[("version", "x")])), Err(WebError::Invalid(_))));
        assert!(matches!(Edit::of(&form(&[("version", "3"), ("name", "Ann")])), Err(WebError::Malformed(_))));
    }

    #[test]
    fn a_field_without_a_choice_keeps_the_typed_value() {
        let names = LeadField::EDITABLE.map(|field| format!("base.{}", field.as_str()));
        let mut pairs =
            vec![("version", "4"), ("mine.leadScore", "65"), ("mine.name", "Anna"), ("name", "Ann")];
        pairs.extend(names.iter().map(|name| (name.as_str(), "50")));
        let edit = Edit::of(&form(&pairs)).unwrap();
        assert_eq!(edit.undecided, [LeadField::LeadScore]);
        assert_eq!((edit.typed.lead_score.as_str(), edit.typed.name.as_str()), ("65", "Ann"));
    }
}
