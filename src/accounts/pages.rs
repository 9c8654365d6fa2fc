//! The pages for signing in and out and for a person's own account. `pages/sign_up.rs` has the sign-up page.

mod sign_up;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::AccountError;
use super::domain::{Secret, TokenId, TokenName};
use super::password::Password;
use super::requester::Requester;
use super::tokens::{Made, TokenPage};
use super::views::{AccountPage, NewToken, PasswordErrors, SignInPage};
use crate::accounts::Accounts;
use crate::base::identity::{SignedIn, Via};
use crate::base::values::Email;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{html, see_other};
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/sign-in", Access::Anyone, sign_in_page)
        .post("/sign-in", Access::Anyone, sign_in)
        .get("/sign-in/link/{secret}", Access::Anyone, sign_in_by_link)
        .post("/sign-out", Access::Anyone, sign_out)
        .get("/account", Access::SignedIn, account)
        .post("/account/password", Access::SignedIn, change_password)
        .post("/account/tokens", Access::SignedIn, create_token)
        .post("/account/tokens/{id}/revoke", Access::SignedIn, revoke_token)
        .and(sign_up::routes())
}

/// The number of tokens on one page.
const TOKENS_PER_PAGE: u16 = 50;

#[derive(Deserialize)]
struct NextQuery {
    #[serde(default)]
    next: String,
}

async fn sign_in_page(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    Query(query): Query<NextQuery>,
    WantsFragment(fragment): WantsFragment,
) -> Result<Response, Problem> {
    if who.is_some() {
        return Ok(redirect_to_next(&context, &query.next, fragment));
    }
    html(StatusCode::OK, &SignInPage::new(context, &accounts.sign_up, query.next))
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<SignInForm>,
) -> Result<Response, Problem> {
    let SignInForm { email, password, next } = form;
    // An invalid address or password gets the same message as a wrong one.
    let account = match (email.parse::<Email>(), password.parse::<Password>()) {
        (Ok(address), Ok(password)) => accounts.sign_in(&address, password, &from).await,
        _ => Ok(None),
    };
    let page = |status, error: String| {
        let page = SignInPage::new(context.clone(), &accounts.sign_up, next.clone());
        html(status, &SignInPage { email, error: Some(error), ..page })
    };
    match account {
        Ok(Some(account)) => {
            tracing::info!(account = %account.id, "signed in by password");
            let cookies = accounts.begin_session(&account, from.device).await;
            Ok((cookies, redirect_to_next(&context, &next, fragment)).into_response())
        }
        Ok(None) => {
            let message = "The e-mail address or the password is not right.";
            page(StatusCode::UNPROCESSABLE_ENTITY, message.to_owned())
        }
        Err(error) => {
            let Delay { status, message, seconds } = Delay::of(error)?;
            Ok(retry_after(page(status, message)?, seconds))
        }
    }
}

/// Why a person must wait before the next attempt, and how long.
struct Delay {
    status: StatusCode,
    message: String,
    seconds: u64,
}

impl Delay {
    /// Returns the delay that an error requires.
    ///
    /// # Errors
    /// The error itself, if it requires no delay.
    fn of(error: AccountError) -> Result<Self, AccountError> {
        match error {
            AccountError::TooManyAttempts(throttled) => Ok(Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                message: throttled.to_string(),
                seconds: throttled.seconds,
            }),
            AccountError::Busy => Ok(Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "Too many people are signing in right now. Try again in a few seconds.".to_owned(),
                seconds: BUSY_RETRY_SECONDS,
            }),
            other => Err(other),
        }
    }
}

/// The seconds that a full hashing queue takes to empty.
const BUSY_RETRY_SECONDS: u64 = 2;

fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Redirects to `next` if it is a local path, otherwise to the start page.
fn redirect_to_next(context: &PageContext, next: &str, fragment: bool) -> Response {
    see_other(context, local_path(&context.base, next).unwrap_or("/"), fragment)
}

/// Returns the part of a local path after our prefix, or `None` if a browser could resolve the address to another host.
/// Browsers treat `//host` and `/\host` as other hosts, and drop control characters before they parse an address.
fn local_path<'a>(base: &str, next: &'a str) -> Option<&'a str> {
    let path = next.strip_prefix(base)?;
    let plain = next.len() <= 2_000 && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let local = path.starts_with('/') && !path.starts_with("//") && !next.starts_with("//");
    (plain && local).then_some(path)
}

async fn sign_in_by_link(
    State(accounts): State<Accounts>,
    method: Method,
    context: PageContext,
    who: Option<SignedIn>,
    from: Requester,
    Path(secret): Path<String>,
) -> Result<Response, Problem> {
    // A HEAD request does not use up the link.
    if method != Method::GET {
        return Ok(StatusCode::OK.into_response());
    }
    let account = match secret.parse::<Secret>() {
        Ok(secret) => accounts.use_link(&secret).await?,
        Err(_) => None,
    };
    if let Some(account) = account {
        tracing::info!(account = %account.id, "signed in by a link");
        let cookies = accounts.begin_session(&account, from.device).await;
        return Ok((cookies, see_other(&context, "/", false)).into_response());
    }
    // The browser's Back button requests the used link again.
    if who.is_some() {
        return Ok(see_other(&context, "/", false));
    }
    let message = "This sign-in link was already used or is too old. Each link works once: ask for a new one, or start \
                 Holdfast again, which prints one.";
    let page = SignInPage::new(context, &accounts.sign_up, String::new());
    html(StatusCode::GONE, &SignInPage { error: Some(message.to_owned()), ..page })
}

async fn sign_out(
    State(accounts): State<Accounts>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    headers: HeaderMap,
) -> impl IntoResponse {
    (accounts.end_session(&headers).await, see_other(&context, "/sign-in", fragment))
}

#[derive(Deserialize)]
struct AccountQuery {
    password: Option<String>,
    cursor: Option<String>,
}

async fn account(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Problem> {
    let page = account_page(&accounts, context, &who, query.cursor.as_deref()).await?;
    let password_changed = query.password.as_deref() == Some("changed");
    html(StatusCode::OK, &AccountPage { password_changed, ..page })
}

async fn account_page(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    cursor: Option<&str>,
) -> Result<AccountPage, AccountError> {
    let account = accounts.find(who.id).await?;
    let TokenPage { tokens, next } = accounts.tokens(who.id, TOKENS_PER_PAGE, cursor).await?;
    Ok(AccountPage {
        context,
        email: account.email.to_string(),
        has_password: account.password.is_some(),
        password_changed: false,
        password: PasswordErrors::default(),
        tokens: tokens.into_iter().map(Into::into).collect(),
        next,
        new_token: None,
        token_name: String::new(),
        token_error: None,
    })
}

/// Requires a session. With a token, a leaked token could create another one that outlives it.
pub(super) fn require_session(who: &SignedIn) -> Result<(), AccountError> {
    if who.via == Via::Session { Ok(()) } else { Err(AccountError::SessionNeeded) }
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current: String,
    new: String,
    again: String,
}

async fn change_password(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<PasswordForm>,
) -> Result<Response, Problem> {
    require_session(&who)?;
    let (status, password, seconds) = match new_password(&form) {
        Err(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors, None),
        Ok(new) => match accounts.change_password(who.id, form.current.parse().ok(), new).await {
            Ok(account) => {
                tracing::info!(account = %account.id, "password changed");
                let redirect = see_other(&context, "/account?password=changed", fragment);
                let cookies = accounts.begin_session(&account, from.device).await;
                return Ok((cookies, redirect).into_response());
            }
            Err(error) => password_rejection(error)?,
        },
    };
    let page = account_page(&accounts, context, &who, None).await?;
    let response = html(status, &AccountPage { password, ..page })?;
    Ok(match seconds {
        Some(seconds) => retry_after(response, seconds),
        None => response,
    })
}

/// Parses the new password, which must be typed twice.
fn new_password(form: &PasswordForm) -> Result<Password, PasswordErrors> {
    let mut errors = PasswordErrors::default();
    if form.new != form.again {
        errors.again = Some("This is not the same as above. Type the new password twice.".to_owned());
    }
    match form.new.parse() {
        Ok(new) if !errors.any() => Ok(new),
        Ok(_) => Err(errors),
        Err(invalid) => Err(PasswordErrors { new: Some(invalid.to_string()), ..errors }),
    }
}

type PasswordRejection = (StatusCode, PasswordErrors, Option<u64>);

/// Returns the status and message for a failed password change, and how many seconds to wait.
fn password_rejection(error: AccountError) -> Result<PasswordRejection, AccountError> {
    let (status, message, seconds) = match error {
        AccountError::WrongPassword => {
            (StatusCode::UNPROCESSABLE_ENTITY, "This is not your current password.".to_owned(), None)
        }
        AccountError::Changed => {
            let message = "Another request changed your account just now. Nothing was written; try again.";
            (StatusCode::CONFLICT, message.to_owned(), None)
        }
        other => {
            let Delay { status, message, seconds } = Delay::of(other)?;
            (status, message, Some(seconds))
        }
    };
    Ok((status, PasswordErrors { current: Some(message), ..PasswordErrors::default() }, seconds))
}

#[derive(Deserialize)]
struct TokenForm {
    name: String,
}

async fn create_token(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    FormData(form): FormData<TokenForm>,
) -> Result<Response, Problem> {
    require_session(&who)?;
    let created = match form.name.parse::<TokenName>() {
        Ok(name) => Ok(accounts.create_token(&who, name, None).await?),
        Err(invalid) => Err(invalid.to_string()),
    };
    let page = account_page(&accounts, context, &who, None).await?;
    match created {
        Ok(Made::Now(token, secret)) => {
            let new_token =
                Some(NewToken { name: token.name.to_string(), secret: secret.reveal().to_owned() });
            html(StatusCode::CREATED, &AccountPage { new_token, ..page })
        }
        // Forms send no idempotency key.
        Ok(Made::Replayed(answer)) => Ok(answer.into_response()),
        Err(error) => {
            let page = AccountPage { token_name: form.name, token_error: Some(error), ..page };
            html(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn revoke_token(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<TokenId>,
    WantsFragment(fragment): WantsFragment,
) -> Result<Response, Problem> {
    match accounts.revoke_token(who.id, id, None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(see_other(&context, "/account", fragment)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_redirect_targets() {
        for (base, next, path) in [
            ("", "/leads", Some("/leads")),
            ("", "/leads?q=a%20b&state=NY", Some("/leads?q=a%20b&state=NY")),
            ("", "/", Some("/")),
            ("", "/leads?next=//evil.example", Some("/leads?next=//evil.example")),
            ("", "", None),
            ("", "leads", None),
            ("", "//evil.example", None),
            ("", "///evil.example", None),
            ("", "/\\evil.example", None),
            ("", "\\/evil.example", None),
            ("", "/leads\\evil", None),
            ("", "/\t/evil.example", None),
            ("", "/\n/evil.example", None),
            ("", "\t//evil.example", None),
            ("", " /leads", None),
            ("", "/leads x", None),
            ("", "/l\u{e9}ads", None),
            ("", "https://evil.example/", None),
            ("", "javascript:alert(1)", None),
            ("", "@evil.example", None),
            ("", "/leads\r\nSet-Cookie: a=b", None),
            ("/prod", "/prod/leads", Some("/leads")),
            ("/prod", "/prod", None),
            ("/prod", "/production", None),
            ("/prod", "/leads", None),
            ("/prod", "/prod//evil.example", None),
            ("/prod", "//evil.example/prod/", None),
        ] {
            assert_eq!(local_path(base, next), path, "{next:?} under {base:?}");
        }
        assert_eq!(local_path("", &format!("/{}", "x".repeat(2_000))), None);
    }

    #[test]
    fn a_new_password_must_be_typed_twice() {
        let typed = |new: &str, again: &str| {
            let (current, new, again) = (String::new(), new.to_owned(), again.to_owned());
            new_password(&PasswordForm { current, new, again })
        };
        assert!(typed("correct horse battery", "correct horse battery").is_ok());
        let errors = typed("correct horse battery", "correct horse batterY").unwrap_err();
        assert!(errors.new.is_none() && errors.again.is_some());
        let errors = typed("short", "shor").unwrap_err();
        assert!(errors.new.is_some() && errors.again.is_some());
    }
}
