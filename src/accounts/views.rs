//! The pages of accounts, one struct for each template.

use askama::Template;

use super::domain::{Token, TokenName};
use super::password::Password;
use super::sign_up::SignUp;
use crate::web::pages::{DisplayTime, PageContext};

/// The sign-in page.
#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
pub(super) struct SignInPage {
    pub(super) context: PageContext,
    /// The address to redirect to afterwards.
    pub(super) next: String,
    /// The typed address.
    pub(super) email: String,
    pub(super) error: Option<String>,
    /// Whether people may create their own accounts.
    pub(super) sign_up_offered: bool,
}

impl SignInPage {
    /// Creates the empty page.
    pub(super) fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        Self { context, next, email: String::new(), error: None, sign_up_offered: !sign_up.is_off() }
    }

    fn sign_up(&self) -> String {
        with_next(&self.context, "/sign-up", &self.next)
    }
}

/// Returns the address of a page that redirects to `next` afterwards.
fn with_next(context: &PageContext, path: &str, next: &str) -> String {
    let query = if next.is_empty() { None } else { serde_urlencoded::to_string([("next", next)]).ok() };
    query.map_or_else(|| context.url(path), |query| format!("{}?{query}", context.url(path)))
}

/// The sign-up page.
#[derive(Template)]
#[template(path = "accounts/sign_up.html")]
pub(super) struct SignUpPage {
    pub(super) context: PageContext,
    /// The address to redirect to afterwards.
    pub(super) next: String,
    pub(super) needs_code: bool,
    /// The typed name.
    pub(super) name: String,
    /// The typed email address.
    pub(super) email: String,
    /// An error that does not belong to a field.
    pub(super) notice: Option<String>,
    pub(super) errors: SignUpErrors,
}

impl SignUpPage {
    /// Creates the empty page.
    pub(super) fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        let (needs_code, errors) = (sign_up.needs_code(), SignUpErrors::default());
        Self { context, next, needs_code, name: String::new(), email: String::new(), notice: None, errors }
    }

    /// Returns the field that gets the focus: the first one with an error, or the first one.
    fn focus(&self) -> &'static str {
        let SignUpErrors { code, name, password, .. } = &self.errors;
        let wrong = [
            ("code", code.is_some()),
            ("name", name.is_some()),
            ("email", self.errors.is_email_wrong()),
            ("password", password.is_some()),
        ];
        let first = wrong.into_iter().find_map(|(field, is_wrong)| is_wrong.then_some(field));
        first.unwrap_or(if self.needs_code { "code" } else { "name" })
    }

    /// Returns whether the form was sent before, so that the person must type the secrets again.
    fn is_second_try(&self) -> bool {
        !self.name.is_empty() || !self.email.is_empty()
    }

    fn password_minimum(&self) -> usize {
        Password::MIN_CHARS
    }

    fn sign_in(&self) -> String {
        with_next(&self.context, "/sign-in", &self.next)
    }
}

/// The errors of the sign-up fields.
#[derive(Debug, Default)]
pub(super) struct SignUpErrors {
    pub(super) code: Option<String>,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    /// Another account has the address.
    pub(super) is_taken: bool,
    pub(super) password: Option<String>,
}

impl SignUpErrors {
    fn is_email_wrong(&self) -> bool {
        self.email.is_some() || self.is_taken
    }
}

/// The page that replaces the sign-up page if sign-up is off.
#[derive(Template)]
#[template(path = "accounts/sign_up_off.html")]
pub(super) struct SignUpOffPage {
    pub(super) context: PageContext,
    /// The address to redirect to after signing in.
    pub(super) next: String,
}

impl SignUpOffPage {
    fn sign_in(&self) -> String {
        with_next(&self.context, "/sign-in", &self.next)
    }
}

/// The page with a person's own password and tokens.
#[derive(Template)]
#[template(path = "accounts/account.html")]
pub(super) struct AccountPage {
    pub(super) context: PageContext,
    pub(super) email: String,
    pub(super) has_password: bool,
    pub(super) password_changed: bool,
    pub(super) password: PasswordErrors,
    pub(super) tokens: Vec<TokenRow>,
    /// The cursor of older tokens.
    pub(super) next: Option<String>,
    pub(super) new_token: Option<NewToken>,
    /// The typed name.
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

/// The errors of the fields of a new password.
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
    created: DisplayTime,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self { id: token.id.to_string(), name: token.name.to_string(), created: token.created_at.into() }
    }
}

/// A new token with its secret, which is shown only once.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) secret: String,
}
