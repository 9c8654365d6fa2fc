//! API tokens as pages and the JSON API show them, and the form of a new one: the same for a person's own tokens and for
//! those that administrators see.
//!
//! Invariant: only the answer that creates a token contains its secret. A repeated request gets the answer without it.

use serde::Serialize;

use super::AccountError;
use super::domain::{Secret, Token, TokenDays, TokenDraft, TokenName};
use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::identity::Role;
use crate::base::values::Version;
use crate::shared::forms::{RawForm, checked};
use crate::store::idempotency::Answer;
use crate::web::lists::Listed;
use crate::web::pages::DisplayTime;
use crate::web::respond::{answer, no_content};
use http::StatusCode;

/// What a person or a program enters for a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInput {
    name: TokenName,
    role: Option<Role>,
    days: Option<TokenDays>,
}

impl TokenInput {
    /// Returns the draft of the token. Without a role, it gets that of its account.
    pub fn draft(self, own: Role) -> TokenDraft {
        TokenDraft { name: self.name, role: self.role.unwrap_or(own), days: self.days }
    }
}

impl FromFields for TokenInput {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, role) = (fields.required("name", text), fields.optional("role", text));
        let days = fields.optional("expiresInDays", whole_number);
        Some(Self { name: name?, role, days })
    }
}

/// A new token with its secret, which is returned only once.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    token: &'a Token,
    secret: &'a str,
}

/// Answers with a new token, whose resource is at `location`. The answer to a repeated request does not contain the
/// secret. A token never changes, so it stays at its first version.
pub fn token_created(location: String, token: &Token, secret: Option<&Secret>) -> Answer {
    let (status, version, location) = (StatusCode::CREATED, Version::FIRST.get(), Some(location));
    match secret {
        Some(secret) => answer(status, &WithSecret { token, secret: secret.reveal() }, version, location),
        None => answer(status, token, version, location),
    }
}

/// Answers a repeated form of a new token with the address of its page, which does not show the secret again.
pub fn token_exists(page: &str) -> Answer {
    Answer { location: Some(page.to_owned()), ..no_content() }
}

/// The message for a repeated form of a new token.
pub const TOKEN_EXISTS: &str = "This token was already created, and it was shown then. If you didn't copy it, revoke it and create another one.";

/// The tokens of an account on a page.
pub struct TokenSection {
    /// The path of the tokens, without the base path.
    pub path: String,
    /// The tokens.
    pub rows: Vec<TokenRow>,
    /// The path of the page with older tokens.
    pub older: Option<String>,
    /// What the page says if there is none.
    pub none: &'static str,
    /// The token that was created just now.
    pub new: Option<NewToken>,
    /// The form of a new token, if the reader may create one.
    pub form: Option<TokenForm>,
}

impl TokenSection {
    /// Creates the section of a page of tokens. `older` returns the path of the page after a cursor.
    pub fn new(
        path: String,
        page: Listed<Token>,
        none: &'static str,
        older: impl FnOnce(String) -> String,
    ) -> Self {
        let rows = page.items.into_iter().map(Into::into).collect();
        Self { path, rows, older: page.next.map(older), none, new: None, form: None }
    }

    /// Shows a new token.
    #[must_use]
    pub fn with_new(self, token: &Token, secret: &Secret) -> Self {
        let (name, secret) = (token.name.to_string(), secret.reveal().to_owned());
        Self { new: Some(NewToken { name, secret }), ..self }
    }

    /// Shows the form as it was typed, with its errors.
    #[must_use]
    pub fn with_typed(self, typed: TokenFields, errors: TokenErrors) -> Self {
        let form = self.form.map(|form| TokenForm { fields: typed, errors, ..form });
        Self { form, ..self }
    }
}

/// A token in the list.
pub struct TokenRow {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Its first characters.
    pub prefix: Option<String>,
    /// The creation time.
    pub created: DisplayTime,
    /// The time from which it is refused.
    pub expires: Option<DisplayTime>,
    /// The last use.
    pub last_used: Option<DisplayTime>,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            role: token.role,
            prefix: token.prefix,
            created: token.created_at.into(),
            expires: token.expires_at.map(Into::into),
            last_used: token.last_used_at.map(Into::into),
        }
    }
}

/// A new token with its secret, which is shown only once.
pub struct NewToken {
    /// The name.
    pub name: String,
    /// The secret.
    pub secret: String,
}

/// The form of a new token.
pub struct TokenForm {
    /// The highest role of a token.
    own: Role,
    /// The key that makes a repeated form one token.
    pub key: String,
    /// The typed fields.
    pub fields: TokenFields,
    /// Their errors.
    pub errors: TokenErrors,
}

impl TokenForm {
    /// Creates an empty form for an account with this role.
    pub fn new(own: Role, key: String) -> Self {
        let fields = TokenFields {
            name: String::new(),
            role: own.to_string(),
            days: TokenDays::SUGGESTED.to_string(),
        };
        Self { own, key, fields, errors: TokenErrors::default() }
    }

    /// The roles to choose from, the highest first.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        let own = self.own;
        Role::ALL.into_iter().filter(move |role| *role <= own).rev()
    }
}

/// The typed fields of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFields {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The number of days after which it expires, or nothing.
    pub days: String,
}

impl TokenFields {
    /// Returns the fields of a form.
    pub fn of(form: &RawForm) -> Self {
        Self { name: form.text("name"), role: form.text("role"), days: form.text("days") }
    }

    /// Parses the fields, or returns the errors of all. Without a role, the token gets that of its account; without days,
    /// it does not expire.
    pub fn input(&self) -> Result<TokenInput, Box<TokenErrors>> {
        let mut errors = Box::<TokenErrors>::default();
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let name = checked(self.name.parse(), &mut errors.name);
        let role = given(&self.role).map(|role| checked(role.parse(), &mut errors.role));
        let days = given(&self.days).map(|days| checked(days.parse(), &mut errors.days));
        match (name, role, days) {
            (Some(name), None | Some(Some(_)), None | Some(Some(_))) => {
                Ok(TokenInput { name, role: role.flatten(), days: days.flatten() })
            }
            _ => Err(errors),
        }
    }
}

/// The errors of the fields of a new token.
#[derive(Debug, Default)]
pub struct TokenErrors {
    /// The error of the name, or one that belongs to no field.
    pub name: Option<String>,
    /// The error of the role.
    pub role: Option<String>,
    /// The error of the days.
    pub days: Option<String>,
}

impl TokenErrors {
    /// Returns the message for a token that was not created. `whose` names the account: `Your role` or `The service`.
    ///
    /// # Errors
    /// The error itself, if another page answers it.
    pub fn of(error: AccountError, whose: &str) -> Result<Self, AccountError> {
        match error {
            AccountError::RoleTooHigh(role) => {
                let message = format!("{whose} is {role}. Choose that role or a lower one.");
                Ok(Self { role: Some(message), ..Self::default() })
            }
            other => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, role: &str, days: &str) -> TokenFields {
        TokenFields { name: name.to_owned(), role: role.to_owned(), days: days.to_owned() }
    }

    #[test]
    fn a_form_may_leave_out_the_role_and_the_days() {
        let draft = fields("night import", "", " ").input().unwrap().draft(Role::Agent);
        assert_eq!((draft.name.as_str(), draft.role, draft.days), ("night import", Role::Agent, None));
        let draft = fields("night import", "viewer", "30").input().unwrap().draft(Role::Agent);
        assert_eq!((draft.role, draft.days), (Role::Viewer, Some("30".parse().unwrap())));
    }

    #[test]
    fn all_invalid_fields_are_named_at_once() {
        let errors = fields("", "owner", "soon").input().unwrap_err();
        assert!(errors.name.is_some() && errors.role.is_some() && errors.days.is_some());
    }
}
