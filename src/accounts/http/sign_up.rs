//! The sign-up page, where people create their own accounts.
//!
//! Invariants: the new account is a participant's, and no field of the form can change that. No answer contains the
//! password or the invitation code, or says whether an address has an account: the answer is always "Now sign in". If
//! sign-up is off, both the page and the form answer 403, because sign-up is forbidden for everyone, and the page says
//! so.

use super::parts::{Delay, NextQuery, message, redirect_to_next, with_next};
use crate::accounts::password::Password;
use crate::accounts::register::SignUpDraft;
use crate::accounts::requester::Requester;
use crate::accounts::sign_up::SignUp;
use crate::accounts::{AccountError, Accounts};
use crate::base::values::{Email, Invalid, Name, begins_formula};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default().get("/sign-up", Access::Anyone, page).post("/sign-up", Access::Anyone, sign_up)
}

async fn page(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: Option<SignedIn>,
    Query(query): Query<NextQuery>,
) -> PageAnswer {
    if who.is_some() {
        return Ok(redirect_to_next(&target, &query.next));
    }
    if accounts.sign_up.is_off() {
        return off(target.context, query.next);
    }
    html(StatusCode::OK, &SignUpPage::new(target.context, &accounts.sign_up, query.next))
}

async fn sign_up(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: Option<SignedIn>,
    from: Requester,
    FormData(form): FormData<SignUpForm>,
) -> PageAnswer {
    // The form was sent from another tab, or twice.
    if who.is_some() {
        return Ok(redirect_to_next(&target, &form.next));
    }
    if accounts.sign_up.is_off() {
        return off(target.context, form.next);
    }
    let result = match read(&form, accounts.sign_up.needs_code()) {
        Ok(draft) => accounts.sign_up(draft, &form.code, &from).await,
        Err(errors) => return rejected(SignUpPage { errors, ..page_of(&accounts, target.context, form) }),
    };
    match result {
        Ok(()) => Ok(target.redirect(&now_sign_in(&form.next))),
        Err(error) => failed(page_of(&accounts, target.context, form), error),
    }
}

/// Returns the path of the sign-in page that says that the account is ready. It is the same whether or not the address
/// had an account.
fn now_sign_in(next: &str) -> String {
    let query = serde_urlencoded::to_string([("signed_up", "1"), ("next", next)]);
    format!("/sign-in?{}", query.unwrap_or_default())
}

/// Returns the page with the typed text except for the secrets.
fn page_of(accounts: &Accounts, context: PageContext, form: SignUpForm) -> SignUpPage {
    let SignUpForm { name, email, next, .. } = form;
    SignUpPage { name, email, ..SignUpPage::new(context, &accounts.sign_up, next) }
}

/// Renders the form with a message at the rejected field.
fn failed(page: SignUpPage, error: AccountError) -> PageAnswer {
    let errors = match error {
        AccountError::WrongInvitationCode => {
            let message = "Incorrect invitation code. Ask the person who invited you.";
            SignUpErrors { code: Some(message.to_owned()), ..SignUpErrors::default() }
        }
        AccountError::NewPassword(invalid) => {
            SignUpErrors { password: Some(invalid.to_string()), ..SignUpErrors::default() }
        }
        other => {
            let delay = Delay::of(other)?;
            return delay.answer(|status, notice| html(status, &SignUpPage { notice: Some(notice), ..page }));
        }
    };
    rejected(SignUpPage { errors, ..page })
}

fn rejected(page: SignUpPage) -> PageAnswer {
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn off(context: PageContext, next: String) -> PageAnswer {
    html(StatusCode::FORBIDDEN, &SignUpOffPage { context, next })
}

/// The typed text. Other fields of a request, for example a role, are ignored.
#[derive(Deserialize)]
struct SignUpForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// Parses the form, or returns the errors of all fields.
fn read(form: &SignUpForm, needs_code: bool) -> Result<SignUpDraft, SignUpErrors> {
    let no_code = needs_code && form.code.trim().is_empty();
    let code = no_code.then(|| "Enter your invitation code.".to_owned());
    match (parse_name(&form.name), form.email.parse(), form.password.parse(), code) {
        (Ok(name), Ok(email), Ok(password), None) => Ok(SignUpDraft { name, email, password }),
        (name, email, password, code) => Err(SignUpErrors {
            name: message(name),
            email: message::<Email>(email),
            password: message::<Password>(password),
            code,
        }),
    }
}

/// Parses a stranger's name. Administrators may export it and open the file in a spreadsheet, which would run a
/// formula.
fn parse_name(text: &str) -> Result<Name, Invalid> {
    let name: Name = text.parse()?;
    if begins_formula(name.as_str()) {
        return Err(Invalid::new(
            "A name can't begin with =, +, -, or @: a spreadsheet would run it as a formula.",
        ));
    }
    Ok(name)
}

/// The sign-up page.
#[derive(Template)]
#[template(path = "accounts/sign_up.html", config = "templates/askama.toml")]
struct SignUpPage {
    context: PageContext,
    /// The address to redirect to afterwards.
    next: String,
    needs_code: bool,
    /// The typed name.
    name: String,
    /// The typed email address.
    email: String,
    /// An error that does not belong to a field.
    notice: Option<String>,
    errors: SignUpErrors,
}

impl SignUpPage {
    /// Creates the empty page.
    fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        let (needs_code, errors) = (sign_up.needs_code(), SignUpErrors::default());
        Self { context, next, needs_code, name: String::new(), email: String::new(), notice: None, errors }
    }

    /// Returns the field that gets the focus: the first one with an error, or the first one.
    fn focus(&self) -> &'static str {
        let SignUpErrors { code, name, email, password } = &self.errors;
        let wrong = [
            ("code", code.is_some()),
            ("name", name.is_some()),
            ("email", email.is_some()),
            ("password", password.is_some()),
        ];
        let first = wrong.into_iter().find_map(|(field, is_wrong)| is_wrong.then_some(field));
        first.unwrap_or(if self.needs_code { "code" } else { "name" })
    }

    /// Returns whether the form was sent before, so that the person must type the secrets again.
    fn is_second_try(&self) -> bool {
        !self.name.is_empty() || !self.email.is_empty()
    }

    fn sign_in(&self) -> String {
        with_next(&self.context, "/sign-in", &self.next)
    }
}

/// The errors of the sign-up fields.
#[derive(Debug, Default)]
struct SignUpErrors {
    code: Option<String>,
    name: Option<String>,
    email: Option<String>,
    password: Option<String>,
}

/// The page that replaces the sign-up page if sign-up is off.
#[derive(Template)]
#[template(path = "accounts/sign_up_off.html", config = "templates/askama.toml")]
struct SignUpOffPage {
    context: PageContext,
    /// The address to redirect to after signing in.
    next: String,
}

impl SignUpOffPage {
    fn sign_in(&self) -> String {
        with_next(&self.context, "/sign-in", &self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, email: &str, password: &str, code: &str) -> SignUpForm {
        let [name, email, password, code] = [name, email, password, code].map(str::to_owned);
        SignUpForm { name, email, password, code, next: String::new() }
    }

    #[test]
    fn all_invalid_fields_are_reported_at_once() {
        let errors = read(&typed(" ", "ann", "short", " "), true).unwrap_err();
        for message in [&errors.name, &errors.email, &errors.password, &errors.code] {
            assert!(message.as_ref().is_some_and(|message| message.ends_with('.')), "{errors:?}");
        }
        for name in ["=1+1", " +1", "-Ann", "@SUM(A1)"] {
            let errors = read(&typed(name, "ann@example.com", "correct horse battery", ""), false);
            assert!(errors.is_err_and(|errors| errors.name.is_some() && errors.email.is_none()), "{name}");
        }
    }

    #[test]
    fn a_code_is_required_only_if_sign_up_needs_one() {
        let form = typed("Ann Lee", "ann@example.com", "correct horse battery", "");
        assert!(read(&form, false).is_ok());
        assert!(read(&form, true).is_err_and(|errors| errors.code.is_some() && errors.name.is_none()));
    }
}
