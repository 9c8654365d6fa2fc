//! The page of a link: it signs a person in, lets an invited person join, sets a new password, or sets up the workspace.
//!
//! Invariant: opening the page changes nothing. Its button uses the link, because mail scanners open links.

use super::parts::{Delay, redirect_to_next, retry_after};
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
    context: PageContext,
    who: Option<SignedIn>,
    Path(secret): Path<String>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    match open(&accounts, &secret).await? {
        Some(link) => html(StatusCode::OK, &LinkPage::of(context, secret, &link)),
        // The browser's Back button opens the used link again.
        None if who.is_some() => Ok(redirect_to_next(&context, "", fragment)),
        None => gone(context),
    }
}

async fn use_link(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    Path(secret): Path<String>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<LinkForm>,
) -> PageAnswer {
    let Some(link) = open(&accounts, &secret).await? else { return gone(context) };
    let page = LinkPage {
        name: form.name.clone(),
        email: form.email.clone(),
        ..LinkPage::of(context.clone(), secret.clone(), &link)
    };
    let input = match read(&link, &form) {
        Ok(input) => input,
        Err(errors) => return html(StatusCode::UNPROCESSABLE_ENTITY, &LinkPage { errors, ..page }),
    };
    let Ok(secret) = secret.parse::<Secret>() else { return gone(context) };
    match accounts.use_link(&secret, input, &from).await {
        Ok(Some((account, next))) => {
            tracing::info!(account = %account.id, "a link was used");
            let there = if link.is_first_start() { "/welcome" } else { "/" };
            let page = SignInPage::new(context.clone(), &accounts.sign_up, context.url(there));
            match next {
                NextStep::SignedIn(cookies) => {
                    Ok((cookies, see_other(&context, there, fragment)).into_response())
                }
                NextStep::Code(ticket) => {
                    html(StatusCode::OK, &SignInPage { step: Step::Code(ticket), ..page })
                }
                NextStep::Enroll(enrolling) => {
                    html(StatusCode::OK, &SignInPage { step: Step::Enroll(enrolling), ..page })
                }
            }
        }
        Ok(None) => gone(context),
        Err(AccountError::EmailTaken(_)) => {
            let errors = LinkErrors {
                email: Some("Another account has this email. Use a different one.".to_owned()),
                ..LinkErrors::default()
            };
            html(StatusCode::UNPROCESSABLE_ENTITY, &LinkPage { errors, ..page })
        }
        Err(AccountError::NewPassword(invalid)) => {
            let errors = LinkErrors { password: Some(invalid.to_string()), ..LinkErrors::default() };
            html(StatusCode::UNPROCESSABLE_ENTITY, &LinkPage { errors, ..page })
        }
        Err(error) => {
            let Delay { status, message, seconds } = Delay::of(error)?;
            Ok(retry_after(html(status, &LinkPage { notice: Some(message), ..page })?, seconds))
        }
    }
}

async fn open(accounts: &Accounts, secret: &str) -> Result<Option<OpenLink>, AccountError> {
    match secret.parse::<Secret>() {
        Ok(secret) => accounts.open_link(&secret).await,
        Err(_) => Ok(None),
    }
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

fn message<T>(read: Result<T, Invalid>) -> Option<String> {
    read.err().map(|invalid| invalid.to_string())
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
        let is_first = link.is_first_start();
        let (heading, explanation, button) = match link.purpose {
            LinkPurpose::SignIn if is_first => (
                "Set up Holdfast",
                "You're the first administrator. Enter your name, your email, and a password.".to_owned(),
                "Start",
            ),
            LinkPurpose::SignIn => {
                ("Sign in", format!("This link signs you in as {}.", isolated(&account.label())), "Sign in")
            }
            LinkPurpose::Invitation => (
                "Join Holdfast",
                format!(
                    "You're invited as {} with the email {}.",
                    account.role,
                    isolated(account.email.as_str())
                ),
                "Join",
            ),
            LinkPurpose::Reset => (
                "Choose a new password",
                format!("For {}. All other sessions will end.", isolated(&account.label())),
                "Set password",
            ),
        };
        let invited = link.purpose == LinkPurpose::Invitation;
        Self {
            context,
            secret,
            heading,
            explanation,
            button,
            asks_name: is_first || invited,
            asks_email: is_first,
            asks_password: is_first || link.purpose != LinkPurpose::SignIn,
            name: if invited { account.name.to_string() } else { String::new() },
            email: String::new(),
            username: account.email.to_string(),
            notice: None,
            errors: LinkErrors::default(),
        }
    }
}

/// The page of a link that does not work.
#[derive(Template)]
#[template(path = "accounts/link_gone.html", config = "templates/askama.toml")]
struct LinkGonePage {
    context: PageContext,
}
