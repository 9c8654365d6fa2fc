//! The sign-in page with its two steps, and signing out.

use axum_extra::extract::CookieJar;
use http::HeaderMap;

use super::parts::{Delay, local_path, redirect_to_next, retry_after};
use super::sign_in_page::{AfterCodes, RecoveryCodesPage, SendAgainPage, SignInPage, Step};
use crate::accounts::domain::Account;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::second_step::NextStep;
use crate::accounts::sign_in::INCORRECT;
use crate::accounts::two_factor::{SecondFactorCode, TwoFactorError};
use crate::accounts::{AccountError, Accounts};
use crate::base::identity::Via;
use crate::base::values::Email;
use crate::shared::pages::*;
use crate::web::respond::with_event;
use crate::web::unsent::UnsentForm;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        // The second step shows a new second factor and its recovery codes.
        .post("/sign-in", Access::Anyone, sign_in)
        .with_secrets()
        .get("/sign-in", Access::Anyone, sign_in_page)
        .post("/sign-out", Access::Anyone, sign_out)
}

async fn sign_in_page(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    Query(query): Query<SignInQuery>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    match who {
        Some(who) if fragment => Ok(signed_in(&who)),
        Some(_) => Ok(redirect_to_next(&context, &query.next, false)),
        None => {
            let signed_up = query.signed_up.is_some();
            let page = SignInPage::new(context, &accounts.sign_up, query.next);
            SignInPage { signed_up, ..page }.render_as(StatusCode::OK, fragment)
        }
    }
}

fn signed_in(who: &SignedIn) -> Response {
    saying_who(StatusCode::NO_CONTENT.into_response(), who)
}

/// Says who is signed in now, to the dialog in which a page signs in again.
fn saying_who(response: Response, who: &SignedIn) -> Response {
    let account = serde_json::json!({
        "id": who.id, "name": who.name, "email": who.email, "role": who.role.label(),
    });
    with_event(response, "signed-in", &account)
}

async fn sign_in(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<SignInForm>,
) -> PageAnswer {
    let there = There {
        context: context.clone(),
        next: form.next.clone(),
        unsent: unsent_form(&form.unsent_to, &form.unsent),
        fragment,
    };
    let page = SignInPage::new(context, &accounts.sign_up, form.next.clone());
    let page = SignInPage { email: form.email.clone(), unsent: there.unsent.clone(), ..page };
    let step = match form.ticket.is_empty() {
        true => first_step(&accounts, &form, &from).await,
        false => second_step(&accounts, &form, &from).await,
    };
    match step {
        Ok(Outcome::SignedIn(account, cookies)) => {
            tracing::info!(account = %account.id, "signed in");
            Ok((cookies, there.after(&account)?).into_response())
        }
        Ok(Outcome::Enrolled(account, cookies, codes)) => {
            tracing::info!(account = %account.id, "signed in with a new second factor");
            Ok((cookies, there.after_codes(*account, codes)?).into_response())
        }
        Ok(Outcome::Asks(step)) => SignInPage { step, ..page }.render_as(StatusCode::OK, fragment),
        Ok(Outcome::Refused(step, message)) => {
            let page = SignInPage { step, error: Some(message), ..page };
            page.render_as(StatusCode::UNPROCESSABLE_ENTITY, fragment)
        }
        Err(error) => {
            let Delay { status, message, seconds } = Delay::of(error)?;
            let response = SignInPage { error: Some(message), ..page }.render_as(status, fragment)?;
            Ok(retry_after(response, seconds))
        }
    }
}

/// What a step of signing in leads to.
enum Outcome {
    SignedIn(Box<Account>, (CookieJar, CookieJar)),
    /// The person set up two-factor authentication and sees these recovery codes once.
    Enrolled(Box<Account>, (CookieJar, CookieJar), Vec<String>),
    Asks(Step),
    Refused(Step, String),
}

async fn first_step(
    accounts: &Accounts,
    form: &SignInForm,
    from: &Requester,
) -> Result<Outcome, AccountError> {
    // An invalid address or password gets the same message as a wrong one.
    let account = match (form.email.parse::<Email>(), form.password.parse::<Password>()) {
        (Ok(address), Ok(password)) => accounts.sign_in(&address, password, from).await?,
        (address, _) => {
            accounts.refuse_malformed(address.as_ref().ok(), from).await?;
            None
        }
    };
    let Some(account) = account else {
        return Ok(Outcome::Refused(Step::Password, INCORRECT.to_owned()));
    };
    if let Some(next) = accounts.second_step(&account).await? {
        return Ok(asks(next, account));
    }
    let cookies = accounts.begin_session(&account, from, "Signed in by password with").await?;
    Ok(Outcome::SignedIn(Box::new(account), cookies))
}

fn asks(next: NextStep, account: Account) -> Outcome {
    match next {
        NextStep::SignedIn(cookies) => Outcome::SignedIn(Box::new(account), cookies),
        NextStep::Code(ticket) => Outcome::Asks(Step::Code(ticket)),
        NextStep::Enroll(enrolling) => Outcome::Asks(Step::Enroll(enrolling)),
    }
}

async fn second_step(
    accounts: &Accounts,
    form: &SignInForm,
    from: &Requester,
) -> Result<Outcome, AccountError> {
    let too_late = "Signing in took too long, or your account changed. Sign in again.";
    let too_late = || Ok(Outcome::Refused(Step::Password, too_late.to_owned()));
    let Some(account) = accounts.of_ticket(&form.ticket).await? else { return too_late() };
    // The same step is shown again.
    let again = match form.enrollment.is_empty() {
        true => Step::Code(form.ticket.clone()),
        false => match accounts.shown_again(&account, form.enrollment.clone()).await? {
            Some(enrolling) => Step::Enroll(enrolling),
            None => return too_late(),
        },
    };
    let code = match form.code.parse::<SecondFactorCode>() {
        Ok(code) => code,
        Err(invalid) => return Ok(Outcome::Refused(again, invalid.to_string())),
    };
    let done = match form.enrollment.is_empty() {
        true => {
            let cookies = accounts.sign_in_by_code(&account, &code, from).await;
            cookies.map(|cookies| Outcome::SignedIn(Box::new(account), cookies))
        }
        false => {
            let enrolled = accounts.enroll_and_sign_in(&account, form.enrollment.clone(), &code, from).await;
            enrolled.map(|(cookies, codes)| {
                let codes = codes.iter().map(|code| code.reveal()).collect();
                Outcome::Enrolled(Box::new(account), cookies, codes)
            })
        }
    };
    match done {
        Err(AccountError::TwoFactor(TwoFactorError::WrongCode)) => {
            Ok(Outcome::Refused(again, "Incorrect code.".to_owned()))
        }
        // Another code does not help: the person starts again.
        Err(AccountError::Changed) => too_late(),
        Err(AccountError::TwoFactor(TwoFactorError::UsedCode)) => {
            let message = "This code was already used. Wait for the next one, up to 30 seconds.";
            Ok(Outcome::Refused(again, message.to_owned()))
        }
        done => done,
    }
}

/// Where a person goes after signing in.
struct There {
    context: PageContext,
    next: String,
    unsent: Option<UnsentForm>,
    fragment: bool,
}

impl There {
    fn after(self, account: &Account) -> PageAnswer {
        let who = account.clone().signed_in(Via::Session);
        match self.unsent {
            _ if self.fragment => Ok(signed_in(&who)),
            Some(form) => SendAgainPage::new(self.context, who, self.next, form).render(),
            None => Ok(redirect_to_next(&self.context, &self.next, false)),
        }
    }

    /// Shows new recovery codes, and then continues as after any other sign-in.
    fn after_codes(self, account: Account, codes: Vec<String>) -> PageAnswer {
        let who = account.signed_in(Via::Session);
        let next = local_path(&self.context.base, &self.next).unwrap_or("/").to_owned();
        let then = match self.unsent {
            _ if self.fragment => AfterCodes::Dialog,
            Some(form) => AfterCodes::SendAgain(form.into()),
            None => AfterCodes::Page,
        };
        let context = PageContext { account: Some(who.clone()), ..self.context };
        let page = RecoveryCodesPage { context, codes, next, then }.render()?;
        Ok(if self.fragment { saying_who(page, &who) } else { page })
    }
}

async fn sign_out(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    headers: HeaderMap,
) -> PageAnswer {
    let expired = accounts.sign_out(&headers, &from).await?;
    Ok((expired, see_other(&context, "/sign-in", fragment)).into_response())
}

#[derive(Deserialize)]
struct SignInQuery {
    #[serde(default)]
    next: String,
    /// Present after signing up.
    signed_up: Option<String>,
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    /// The ticket of the second step.
    #[serde(default)]
    ticket: String,
    /// The encrypted secret of a new second factor.
    #[serde(default)]
    enrollment: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
    /// Where to send the form that arrived without a session.
    #[serde(default)]
    unsent_to: String,
    /// The fields of this form, URL-encoded.
    #[serde(default)]
    unsent: String,
}

/// Returns the form that the sign-in page carries, if it can be sent to this site.
fn unsent_form(to: &str, fields: &str) -> Option<UnsentForm> {
    local_path("", to)?;
    UnsentForm::new(to.to_owned(), fields.to_owned())
}
