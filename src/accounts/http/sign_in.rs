//! The sign-in page with its two steps, and signing out.

use http::HeaderMap;

use super::parts::{Delay, local_path, redirect_to_next};
use super::sign_in_page::{AfterCodes, RecoveryCodesPage, SendAgainPage, SignInPage, Step};
use crate::accounts::domain::Account;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::second_step::NextStep;
use crate::accounts::sign_in::{INCORRECT, SessionCookies};
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
    target: RenderTarget,
    who: Option<SignedIn>,
    Query(query): Query<SignInQuery>,
) -> PageAnswer {
    match who {
        Some(who) if target.fragment => Ok(signed_in(&who)),
        Some(_) => Ok(redirect_to_next(&target, &query.next)),
        None => {
            let signed_up = query.signed_up.is_some();
            let page = SignInPage::new(target.context, &accounts.sign_up, query.next);
            SignInPage { signed_up, ..page }.render_as(StatusCode::OK, target.fragment)
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
    target: RenderTarget,
    from: Requester,
    FormData(form): FormData<SignInForm>,
) -> PageAnswer {
    let step = match form.ticket.is_empty() {
        true => first_step(&accounts, &form, &from).await,
        false => second_step(&accounts, &form, &from).await,
    };
    match step {
        Ok(outcome) => answer(&accounts, target, form, outcome),
        Err(error) => Delay::of(error)?.answer(|status, message| {
            let page = form.page(&accounts, target.context);
            SignInPage { error: Some(message), ..page }.render_as(status, target.fragment)
        }),
    }
}

/// Renders what a step of signing in leads to.
fn answer(accounts: &Accounts, target: RenderTarget, form: SignInForm, outcome: Outcome) -> PageAnswer {
    match outcome {
        Outcome::SignedIn(account, cookies) => {
            tracing::info!(account = %account.id, "signed in");
            Ok((cookies, after(target, &form, *account)?).into_response())
        }
        Outcome::Enrolled(account, cookies, codes) => {
            tracing::info!(account = %account.id, "signed in with a new second factor");
            Ok((cookies, after_codes(target, &form, *account, codes)?).into_response())
        }
        Outcome::Asks(step) => {
            let page = form.page(accounts, target.context);
            SignInPage { step, ..page }.render_as(StatusCode::OK, target.fragment)
        }
        Outcome::Refused(step, message) => {
            let page = form.page(accounts, target.context);
            let page = SignInPage { step, error: Some(message), ..page };
            page.render_as(StatusCode::UNPROCESSABLE_ENTITY, target.fragment)
        }
    }
}

/// Leads to the page after signing in.
fn after(target: RenderTarget, form: &SignInForm, account: Account) -> PageAnswer {
    let who = account.signed_in(Via::Session);
    match form.unsent() {
        _ if target.fragment => Ok(signed_in(&who)),
        Some(unsent) => SendAgainPage::new(target.context, who, form.next.clone(), unsent).render(),
        None => Ok(redirect_to_next(&target, &form.next)),
    }
}

/// Shows new recovery codes, and then continues as after any other sign-in.
fn after_codes(target: RenderTarget, form: &SignInForm, account: Account, codes: Vec<String>) -> PageAnswer {
    let who = account.signed_in(Via::Session);
    let next = local_path(&target.context.base, &form.next).unwrap_or("/").to_owned();
    let then = match form.unsent() {
        _ if target.fragment => AfterCodes::Dialog,
        Some(unsent) => AfterCodes::SendAgain(unsent.into()),
        None => AfterCodes::Page,
    };
    let context = PageContext { account: Some(who.clone()), ..target.context };
    let page = RecoveryCodesPage { context, codes, next, then }.render()?;
    Ok(if target.fragment { saying_who(page, &who) } else { page })
}

/// What a step of signing in leads to.
enum Outcome {
    SignedIn(Box<Account>, SessionCookies),
    /// The person set up two-factor authentication and sees these recovery codes once.
    Enrolled(Box<Account>, SessionCookies, Vec<String>),
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
    let Some(account) = accounts.of_ticket(&form.ticket).await? else { return Ok(too_late()) };
    let Some(again) = shown_again(accounts, form, &account).await? else { return Ok(too_late()) };
    let code = match form.code.parse::<SecondFactorCode>() {
        Ok(code) => code,
        Err(invalid) => return Ok(Outcome::Refused(again, invalid.to_string())),
    };
    let done = match form.enrollment.is_empty() {
        true => by_code(accounts, account, &code, from).await,
        false => by_enrollment(accounts, account, form, &code, from).await,
    };
    unless_refused(done, again)
}

/// Returns the step that is shown again after a wrong code, or `None` if its secret cannot be read.
async fn shown_again(
    accounts: &Accounts,
    form: &SignInForm,
    account: &Account,
) -> Result<Option<Step>, AccountError> {
    if form.enrollment.is_empty() {
        return Ok(Some(Step::Code(form.ticket.clone())));
    }
    let enrolling = accounts.shown_again(account, form.enrollment.clone()).await?;
    Ok(enrolling.map(Step::Enroll))
}

async fn by_code(
    accounts: &Accounts,
    account: Account,
    code: &SecondFactorCode,
    from: &Requester,
) -> Result<Outcome, AccountError> {
    let cookies = accounts.sign_in_by_code(&account, code, from).await?;
    Ok(Outcome::SignedIn(Box::new(account), cookies))
}

async fn by_enrollment(
    accounts: &Accounts,
    account: Account,
    form: &SignInForm,
    code: &SecondFactorCode,
    from: &Requester,
) -> Result<Outcome, AccountError> {
    let sealed = form.enrollment.clone();
    let (cookies, codes) = accounts.enroll_and_sign_in(&account, sealed, code, from).await?;
    let codes = codes.iter().map(|code| code.reveal()).collect();
    Ok(Outcome::Enrolled(Box::new(account), cookies, codes))
}

/// Shows the step again if the code was refused and another one may help.
fn unless_refused(done: Result<Outcome, AccountError>, again: Step) -> Result<Outcome, AccountError> {
    match done {
        Err(AccountError::TwoFactor(TwoFactorError::WrongCode)) => {
            Ok(Outcome::Refused(again, "Incorrect code.".to_owned()))
        }
        Err(AccountError::TwoFactor(TwoFactorError::UsedCode)) => {
            let message = "This code was already used. Wait for the next one, up to 30 seconds.";
            Ok(Outcome::Refused(again, message.to_owned()))
        }
        // Another code does not help: the person starts again.
        Err(AccountError::Changed) => Ok(too_late()),
        done => done,
    }
}

fn too_late() -> Outcome {
    let message = "Signing in took too long, or your account changed. Sign in again.";
    Outcome::Refused(Step::Password, message.to_owned())
}

async fn sign_out(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    from: Requester,
    headers: HeaderMap,
) -> PageAnswer {
    let expired = accounts.sign_out(&headers, &from).await?;
    Ok((expired, target.redirect("/sign-in")).into_response())
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

impl SignInForm {
    /// Returns the form that the sign-in page carries, if it can be sent to this site.
    fn unsent(&self) -> Option<UnsentForm> {
        local_path("", &self.unsent_to)?;
        UnsentForm::new(self.unsent_to.clone(), self.unsent.clone())
    }

    /// Returns the first step with what was typed, except for the password.
    fn page(self, accounts: &Accounts, context: PageContext) -> SignInPage {
        let unsent = self.unsent();
        SignInPage { email: self.email, unsent, ..SignInPage::new(context, &accounts.sign_up, self.next) }
    }
}
