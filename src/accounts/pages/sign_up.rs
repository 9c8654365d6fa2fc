//! Signing up: the page where people make an account of their own.
//!
//! What always holds: the role is a participant's, and no field of the form can say another; neither the password nor
//! the invitation code comes back in an answer. Where sign-up is switched off, page and form answer 403 alike: the
//! address is known and what it is for is refused, to everybody, and the page says so.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::{Delay, NextQuery, onward, retry_after};
use crate::accounts::AccountError;
use crate::accounts::Accounts;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::store::SignUpDraft;
use crate::accounts::views::{SignUpErrors, SignUpOffPage, SignUpPage};
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Invalid, Name, begins_formula};
use crate::web::access::Access;
use crate::web::extract::{FormData, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::html;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default().get("/sign-up", Access::Anyone, page).post("/sign-up", Access::Anyone, sign_up)
}

async fn page(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    Query(query): Query<NextQuery>,
    WantsFragment(fragment): WantsFragment,
) -> Result<Response, Problem> {
    if who.is_some() {
        return Ok(onward(&context, &query.next, fragment));
    }
    if accounts.sign_up.is_off() {
        return off(context, query.next);
    }
    html(StatusCode::OK, &SignUpPage::new(context, &accounts.sign_up, query.next))
}

/// What was typed. Whatever else a request says, a role for example, is not read.
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

async fn sign_up(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<SignUpForm>,
) -> Result<Response, Problem> {
    // The form of another tab, or the same form a second time.
    if who.is_some() {
        return Ok(onward(&context, &form.next, fragment));
    }
    if accounts.sign_up.is_off() {
        return off(context, form.next);
    }
    let made = match read(&form, accounts.sign_up.needs_code()) {
        Ok(draft) => accounts.sign_up(draft, &form.code, &from).await,
        Err(errors) => return again(SignUpPage { errors, ..page_of(&accounts, context, form) }),
    };
    match made {
        Ok(account) => {
            tracing::info!(account = %account.id, "signed up");
            let cookies = accounts.begin_session(&account, from.device).await;
            Ok((cookies, onward(&context, &form.next, fragment)).into_response())
        }
        Err(error) => refused(page_of(&accounts, context, form), error),
    }
}

/// The form with what was typed, but for what is secret.
fn page_of(accounts: &Accounts, context: PageContext, form: SignUpForm) -> SignUpPage {
    let SignUpForm { name, email, next, .. } = form;
    SignUpPage { name, email, ..SignUpPage::new(context, &accounts.sign_up, next) }
}

/// The form with what was refused, in words at the field.
fn refused(page: SignUpPage, error: AccountError) -> Result<Response, Problem> {
    match error {
        AccountError::EmailTaken(_) => {
            let errors = SignUpErrors { is_taken: true, ..SignUpErrors::default() };
            again(SignUpPage { errors, ..page })
        }
        AccountError::WrongInvitationCode => {
            let words = "This is not the invitation code. Ask whoever invited you.";
            let errors = SignUpErrors { code: Some(words.to_owned()), ..SignUpErrors::default() };
            again(SignUpPage { errors, ..page })
        }
        other => {
            let Delay { status, words, seconds } = Delay::of(other)?;
            let page = SignUpPage { notice: Some(words), ..page };
            Ok(retry_after(html(status, &page)?, seconds))
        }
    }
}

fn again(page: SignUpPage) -> Result<Response, Problem> {
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn off(context: PageContext, next: String) -> Result<Response, Problem> {
    html(StatusCode::FORBIDDEN, &SignUpOffPage { context, next })
}

/// What an account is made of, if all of it is right.
fn read(form: &SignUpForm, needs_code: bool) -> Result<SignUpDraft, SignUpErrors> {
    let no_code = needs_code && form.code.trim().is_empty();
    let code = no_code.then(|| "Type the invitation code that you were given.".to_owned());
    match (own_name(&form.name), form.email.parse(), form.password.parse(), code) {
        (Ok(name), Ok(email), Ok(password), None) => Ok(SignUpDraft { name, email, password }),
        (name, email, password, code) => Err(SignUpErrors {
            name: words(name),
            email: words::<Email>(email),
            password: words::<Password>(password),
            code,
            ..SignUpErrors::default()
        }),
    }
}

fn words<T>(read: Result<T, Invalid>) -> Option<String> {
    read.err().map(|invalid| invalid.to_string())
}

/// A stranger's name, which goes to administrators in files that a spreadsheet opens.
fn own_name(text: &str) -> Result<Name, Invalid> {
    let name: Name = text.parse()?;
    if begins_formula(name.as_str()) {
        return Err(Invalid::new(
            "A name does not begin with =, +, - or @: a spreadsheet would run it as a formula.",
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, email: &str, password: &str, code: &str) -> SignUpForm {
        let [name, email, password, code] = [name, email, password, code].map(str::to_owned);
        SignUpForm { name, email, password, code, next: String::new() }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_at_its_field() {
        let errors = read(&typed(" ", "ann", "short", " "), true).unwrap_err();
        for words in [&errors.name, &errors.email, &errors.password, &errors.code] {
            assert!(words.as_ref().is_some_and(|words| words.ends_with('.')), "{errors:?}");
        }
        for name in ["=1+1", " +1", "-Ann", "@SUM(A1)"] {
            let errors = read(&typed(name, "ann@example.com", "correct horse battery", ""), false);
            assert!(errors.is_err_and(|errors| errors.name.is_some() && errors.email.is_none()), "{name}");
        }
    }

    #[test]
    fn a_code_is_asked_for_where_one_is_needed() {
        let form = typed("Ann Lee", "ann@example.com", "correct horse battery", "");
        assert!(read(&form, false).is_ok());
        assert!(read(&form, true).is_err_and(|errors| errors.code.is_some() && errors.name.is_none()));
    }
}
