//! The page of a link: it signs a person in, lets an invited person join, sets a new password, or sets up the workspace.
//!
//! Invariant: opening the page changes nothing. Its button uses the link, because mail scanners open links.

use super::parts::{Delay, message, redirect_to_next};
use super::sign_in_page::{SignInPage, Step};
use crate::accounts::domain::{LinkPurpose, Secret};
use crate::accounts::links::{LinkInput, OpenLink};
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::second_step::NextStep;
use crate::accounts::{AccountError, Accounts};
use crate::base::text::isolated;
use crate::base::values::{Email, Invalid, Name};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/sign-in/link/{secret}", Access::Anyone, page)
        .post("/sign-in/link/{secret}", Access::Anyone, use_link)
        .with_secrets()
}

async fn page(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: Option<SignedIn>,
    Path(text): Path<String>,
) -> PageAnswer {
    match open(&accounts, &text).await? {
        Some((_, link)) => html(StatusCode::OK, &LinkPage::of(target.context, text, &link)),
        // The browser's Back button opens the used link again.
        None if who.is_some() => Ok(redirect_to_next(&target, "")),
        None => gone(target.context),
    }
}

async fn use_link(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    from: Requester,
    Path(text): Path<String>,
    FormData(form): FormData<LinkForm>,
) -> PageAnswer {
    let Some((secret, link)) = open(&accounts, &text).await? else { return gone(target.context) };
    let input = match read(&link, &form) {
        Ok(input) => input,
        Err(errors) => return rejected(page_of(target.context, text, &link, form), errors),
    };
    match accounts.use_link(&secret, input, &from).await {
        Ok(Some((account, next))) => {
            tracing::info!(account = %account.id, "a link was used");
            let there = if link.is_first_start() { "/welcome" } else { "/" };
            continue_sign_in(&accounts, target, next, there)
        }
        Ok(None) => gone(target.context),
        Err(error) => failed(page_of(target.context, text, &link, form), error),
    }
}

/// Returns the secret and the link with this text, if the link works.
async fn open(accounts: &Accounts, text: &str) -> Result<Option<(Secret, OpenLink)>, AccountError> {
    let Ok(secret) = text.parse::<Secret>() else { return Ok(None) };
    let link = accounts.open_link(&secret).await?;
    Ok(link.map(|link| (secret, link)))
}

/// Redirects a person who is signed in, or shows the second step of signing in.
fn continue_sign_in(accounts: &Accounts, target: RenderTarget, next: NextStep, there: &str) -> PageAnswer {
    let step = match next {
        NextStep::SignedIn(cookies) => return Ok((cookies, target.redirect(there)).into_response()),
        NextStep::Code(ticket) => Step::Code(ticket),
        NextStep::Enroll(enrolling) => Step::Enroll(enrolling),
    };
    let there = target.context.url(there);
    let page = SignInPage::new(target.context, &accounts.sign_up, there);
    html(StatusCode::OK, &SignInPage { step, ..page })
}

/// Renders the form with a message at the rejected field.
fn failed(page: LinkPage, error: AccountError) -> PageAnswer {
    let errors = match error {
        AccountError::EmailTaken(_) => {
            let message = "Another account has this email. Use a different one.";
            LinkErrors { email: Some(message.to_owned()), ..LinkErrors::default() }
        }
        AccountError::NewPassword(invalid) => {
            LinkErrors { password: Some(invalid.to_string()), ..LinkErrors::default() }
        }
        other => {
            let delay = Delay::of(other)?;
            return delay.answer(|status, notice| html(status, &LinkPage { notice: Some(notice), ..page }));
        }
    };
    rejected(page, errors)
}

fn rejected(page: LinkPage, errors: LinkErrors) -> PageAnswer {
    html(StatusCode::UNPROCESSABLE_ENTITY, &LinkPage { errors, ..page })
}

/// Returns the page with the typed text except for the password.
fn page_of(context: PageContext, secret: String, link: &OpenLink, form: LinkForm) -> LinkPage {
    let LinkForm { name, email, .. } = form;
    LinkPage { name, email, ..LinkPage::of(context, secret, link) }
}

fn gone(context: PageContext) -> PageAnswer {
    html(StatusCode::GONE, &LinkGonePage { context })
}

#[derive(Deserialize)]
struct LinkForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// Parses what a link needs, or returns the errors of all fields.
fn read(link: &OpenLink, form: &LinkForm) -> Result<LinkInput, LinkErrors> {
    let password = || form.password.parse::<Password>();
    match link.purpose {
        LinkPurpose::SignIn if link.is_first_start() => {
            match (form.name.parse::<Name>(), own_email(link, &form.email), password()) {
                (Ok(name), Ok(email), Ok(password)) => Ok(LinkInput::FirstStart { name, email, password }),
                (name, email, password) => Err(LinkErrors {
                    name: message(name),
                    email: message(email),
                    password: message(password),
                }),
            }
        }
        LinkPurpose::SignIn => Ok(LinkInput::Nothing),
        LinkPurpose::Invitation => match (form.name.parse::<Name>(), password()) {
            (Ok(name), Ok(password)) => Ok(LinkInput::Join { name, password }),
            (name, password) => {
                Err(LinkErrors { name: message(name), password: message(password), email: None })
            }
        },
        LinkPurpose::Reset => match password() {
            Ok(password) => Ok(LinkInput::Reset(password)),
            password => Err(LinkErrors { password: message(password), ..LinkErrors::default() }),
        },
    }
}

/// Parses the first administrator's address, which replaces the placeholder.
fn own_email(link: &OpenLink, text: &str) -> Result<Email, Invalid> {
    let email: Email = text.parse()?;
    if email.key() == link.account.email.key() {
        return Err(Invalid::new("Enter your own email, for example ann@example.com."));
    }
    Ok(email)
}

/// The errors of the fields.
#[derive(Debug, Default)]
struct LinkErrors {
    name: Option<String>,
    email: Option<String>,
    password: Option<String>,
}

/// The page of a link.
#[derive(Template)]
#[template(path = "accounts/link.html", config = "templates/askama.toml")]
struct LinkPage {
    context: PageContext,
    secret: String,
    heading: &'static str,
    explanation: String,
    button: &'static str,
    /// Whether the page asks for a name and, at the first start, for an address.
    asks_name: bool,
    asks_email: bool,
    asks_password: bool,
    name: String,
    email: String,
    /// The address of the account, for password managers.
    username: String,
    /// An error that does not belong to a field.
    notice: Option<String>,
    errors: LinkErrors,
}

impl LinkPage {
    fn of(context: PageContext, secret: String, link: &OpenLink) -> Self {
        let account = &link.account;
        let (is_first, is_invited) = (link.is_first_start(), link.purpose == LinkPurpose::Invitation);
        let LinkText { heading, explanation, button } = LinkText::of(link);
        Self {
            context,
            secret,
            heading,
            explanation,
            button,
            asks_name: is_first || is_invited,
            asks_email: is_first,
            asks_password: is_first || link.purpose != LinkPurpose::SignIn,
            name: if is_invited { account.name.to_string() } else { String::new() },
            email: String::new(),
            username: account.email.to_string(),
            notice: None,
            errors: LinkErrors::default(),
        }
    }
}

/// What the page of a link says.
struct LinkText {
    heading: &'static str,
    explanation: String,
    button: &'static str,
}

impl LinkText {
    fn of(link: &OpenLink) -> Self {
        let account = &link.account;
        let (heading, explanation, button) = match link.purpose {
            LinkPurpose::SignIn if link.is_first_start() => {
                let explanation =
                    "You're the first administrator. Enter your name, your email, and a password.";
                ("Set up Holdfast", explanation.to_owned(), "Start")
            }
            LinkPurpose::SignIn => {
                ("Sign in", format!("This link signs you in as {}.", isolated(&account.label())), "Sign in")
            }
            LinkPurpose::Invitation => {
                let (role, email) = (account.role, isolated(account.email.as_str()));
                ("Join Holdfast", format!("You're invited as {role} with the email {email}."), "Join")
            }
            LinkPurpose::Reset => {
                let explanation = format!("For {}. All other sessions will end.", isolated(&account.label()));
                ("Choose a new password", explanation, "Set password")
            }
        };
        Self { heading, explanation, button }
    }
}

/// The page of a link that does not work.
#[derive(Template)]
#[template(path = "accounts/link_gone.html", config = "templates/askama.toml")]
struct LinkGonePage {
    context: PageContext,
}
