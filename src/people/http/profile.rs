//! The form of a person's name, address and role: its fields, their errors, and why it was not saved.

use crate::accounts::AccountError;
use crate::accounts::administer::AccountChanges;
use crate::accounts::domain::Account;
use crate::base::identity::Role;
use crate::shared::forms::{RawForm, checked};

/// The typed fields of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfileFields {
    pub(super) name: String,
    /// The address; not shown for a service.
    pub(super) email: String,
    pub(super) role: String,
}

impl ProfileFields {
    pub(super) fn of(account: &Account) -> Self {
        let (name, email) = (account.name.to_string(), account.email.to_string());
        Self { name, email, role: account.role.to_string() }
    }

    pub(super) fn of_form(form: &RawForm) -> Self {
        Self { name: form.text("name"), email: form.text("email"), role: form.text("role") }
    }

    /// Parses the fields, or returns the errors of all. The form of a service has no address.
    pub(super) fn changes(&self) -> Result<AccountChanges, Box<ProfileErrors>> {
        let mut errors = Box::<ProfileErrors>::default();
        let name = checked(self.name.parse(), &mut errors.name);
        let email = match self.email.is_empty() {
            true => None,
            false => checked(self.email.parse(), &mut errors.email),
        };
        let role = checked(self.role.parse(), &mut errors.role);
        let is_right = errors.name.is_none() && errors.email.is_none() && errors.role.is_none();
        if is_right { Ok(AccountChanges { name, email, role, disabled: None }) } else { Err(errors) }
    }

    /// Returns the fields that differ from the account as it is now.
    pub(super) fn differences(&self, now: &Self) -> Vec<ConflictField> {
        let fields = [
            ("Name", now.name.as_str(), self.name.as_str()),
            ("Email", now.email.as_str(), self.email.as_str()),
            ("Role", role_label(&now.role), role_label(&self.role)),
        ];
        let differing = fields.into_iter().filter(|(_, now, yours)| now != yours && !yours.is_empty());
        let field = |(label, now, yours): (_, &str, &str)| ConflictField {
            label,
            now: now.to_owned(),
            yours: yours.to_owned(),
        };
        differing.map(field).collect()
    }
}

/// Returns the label of a role as typed.
fn role_label(typed: &str) -> &str {
    match typed.parse::<Role>() {
        Ok(role) => role.label(),
        Err(_) => typed,
    }
}

/// The errors of the fields of a person.
#[derive(Debug, Default)]
pub(super) struct ProfileErrors {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) role: Option<String>,
}

/// A field with its current value and the typed one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConflictField {
    pub(super) label: &'static str,
    pub(super) now: String,
    pub(super) yours: String,
}

/// Why a form was not saved.
pub(super) enum NotSaved {
    /// Its fields have errors.
    Invalid(Box<ProfileErrors>),
    /// The change was refused.
    Refused(AccountError),
}

impl From<AccountError> for NotSaved {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::EmailTaken(_) => {
                let email = Some("Another account has this email.".to_owned());
                Self::Invalid(Box::new(ProfileErrors { email, ..ProfileErrors::default() }))
            }
            other => Self::Refused(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, email: &str, role: &str) -> ProfileFields {
        ProfileFields { name: name.to_owned(), email: email.to_owned(), role: role.to_owned() }
    }

    #[test]
    fn a_conflict_shows_the_fields_that_differ() {
        let now = fields("Ann Lee", "ann@example.com", "viewer");
        let differing = fields("Ann Li", "ann@example.com", "viewer").differences(&now);
        assert_eq!(differing.len(), 1);
        assert_eq!((differing[0].label, differing[0].yours.as_str()), ("Name", "Ann Li"));
        assert!(fields("Ann Lee", "", "viewer").differences(&now).is_empty(), "a service has no address");
    }

    #[test]
    fn all_invalid_fields_are_named_at_once() {
        let errors = fields("", "ann", "owner").changes().unwrap_err();
        assert!(errors.name.is_some() && errors.email.is_some() && errors.role.is_some());
    }
}
