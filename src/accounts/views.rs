//! The pages of accounts, one struct each.

use askama::Template;

use super::domain::{Token, TokenName};
use super::password::Password;
use crate::web::pages::{Moment, Shell};

/// Where people sign in.
#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
pub(super) struct SignInPage {
    pub(super) shell: Shell,
    /// Where to go afterwards.
    pub(super) next: String,
    /// What was typed.
    pub(super) email: String,
    pub(super) error: Option<String>,
}

/// What participants see until there is a raffle.
#[derive(Template)]
#[template(path = "accounts/welcome.html")]
pub(super) struct WelcomePage {
    pub(super) shell: Shell,
    pub(super) name: String,
}

/// One's own password and tokens.
#[derive(Template)]
#[template(path = "accounts/account.html")]
pub(super) struct AccountPage {
    pub(super) shell: Shell,
    pub(super) email: String,
    pub(super) has_password: bool,
    pub(super) password_changed: bool,
    pub(super) password: PasswordErrors,
    pub(super) tokens: Vec<TokenRow>,
    /// The cursor of the tokens made before these.
    pub(super) next: Option<String>,
    pub(super) new_token: Option<NewToken>,
    /// What was typed as a name.
    pub(super) token_name: String,
    pub(super) token_error: Option<String>,
}

impl AccountPage {
    fn password_minimum(&self) -> usize {
        Password::MIN_CHARS
    }

    fn name_maximum(&self) -> usize {
        TokenName::MAX_CHARS
    }
}

/// What is wrong with the fields of a new password.
#[derive(Debug, Default)]
pub(super) struct PasswordErrors {
    pub(super) current: Option<String>,
    pub(super) new: Option<String>,
    pub(super) again: Option<String>,
}

impl PasswordErrors {
    pub(super) fn any(&self) -> bool {
        self.current.is_some() || self.new.is_some() || self.again.is_some()
    }
}

/// A token in the list.
pub(super) struct TokenRow {
    id: String,
    name: String,
    created: Moment,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self { id: token.id.to_string(), name: token.name.to_string(), created: token.created_at.into() }
    }
}

/// A token just made, with the secret that is shown this once.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) secret: String,
}
