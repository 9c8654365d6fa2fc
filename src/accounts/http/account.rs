//! The page with a person's own name, address, password, sessions and tokens.

mod password;
mod profile;
mod sessions;
mod tokens;

use http::HeaderMap;

use self::password::PasswordErrors;
use self::profile::{ProfileErrors, ProfileFields};
use self::sessions::SessionRow;
use self::tokens::{NewToken, TokenFields, TokenRow};
use super::parts::retry_after;
use crate::accounts::domain::TokenName;
use crate::accounts::password::Password;
use crate::accounts::sessions::SessionId;
use crate::accounts::{AccountError, Accounts};
use crate::base::calendar;
use crate::base::identity::Role;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/account", Access::SignedIn, account)
        .post("/account", Access::SignedIn, profile::change_profile)
        .post("/account/password", Access::SignedIn, password::change_password)
        .post("/account/time-zone", Access::SignedIn, profile::change_time_zone)
        .post("/account/sessions/end", Access::SignedIn, sessions::end_other_sessions)
        .post("/account/sessions/{id}/end", Access::SignedIn, sessions::end_session)
        .post("/account/tokens", Access::SignedIn, tokens::create_token)
        .post("/account/tokens/{id}/revoke", Access::SignedIn, tokens::revoke_token)
}

/// The number of tokens, and of sessions, on one page.
const ROWS: u16 = 50;

async fn account(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    Query(query): Query<AccountQuery>,
) -> PageAnswer {
    let page = account_page(&accounts, context, &who, &headers, query.cursor.as_deref()).await?;
    let done = query.done.as_deref().and_then(|done| DONE.iter().find(|(name, _)| *name == done));
    html(StatusCode::OK, &AccountPage { done: done.map(|(_, message)| *message), ..page })
}

/// What the page says after a change, by the parameter of its address.
const DONE: [(&str, &str); 6] = [
    ("two-factor-off", "Two-factor authentication is off."),
    ("profile", "Your name and address are saved."),
    ("password", "Your password is changed."),
    ("time-zone", "Your time zone is saved."),
    ("session", "The session is ended."),
    ("sessions", "All other sessions are ended."),
];

fn done(context: &PageContext, what: &str, fragment: bool) -> Response {
    see_other(context, &format!("/account?done={what}"), fragment)
}

async fn account_page(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    headers: &HeaderMap,
    cursor: Option<&str>,
) -> Result<AccountPage, AccountError> {
    let account = accounts.find(who.id).await?;
    let tokens = accounts.tokens(who.id, ROWS, cursor).await?;
    let sessions = accounts.sessions(&account, ROWS, None).await?;
    let this = accounts.session_of(headers).await.map(|cookie| SessionId::of(&cookie.secret));
    let row = |session| SessionRow::of(session, this.as_ref());
    Ok(AccountPage {
        context,
        done: None,
        profile: ProfileFields::of(&account),
        profile_errors: ProfileErrors::default(),
        has_password: account.password.is_some(),
        password: PasswordErrors::default(),
        has_two_factor: account.two_factor.is_some(),
        time_zone: account.time_zone.as_ref().map(ToString::to_string).unwrap_or_default(),
        sessions: sessions.items.into_iter().map(row).collect(),
        tokens: tokens.items.into_iter().map(Into::into).collect(),
        next: tokens.next,
        new_token: None,
        token: TokenFields::default(),
        token_error: None,
        roles: Role::ALL.into_iter().filter(|role| *role <= account.role).rev().collect(),
    })
}

fn answer(status: StatusCode, page: &AccountPage, seconds: Option<u64>) -> PageAnswer {
    let response = html(status, page)?;
    Ok(match seconds {
        Some(seconds) => retry_after(response, seconds),
        None => response,
    })
}

#[derive(Deserialize)]
struct AccountQuery {
    done: Option<String>,
    cursor: Option<String>,
}

/// The page with a person's own name, address, password, sessions and tokens.
#[derive(Template)]
#[template(path = "accounts/account.html")]
struct AccountPage {
    context: PageContext,
    /// What was done just now.
    done: Option<&'static str>,
    profile: ProfileFields,
    profile_errors: ProfileErrors,
    has_password: bool,
    password: PasswordErrors,
    has_two_factor: bool,
    /// The name of the chosen time zone, or empty.
    time_zone: String,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    /// The cursor of older tokens.
    next: Option<String>,
    new_token: Option<NewToken>,
    /// The typed fields of a new token.
    token: TokenFields,
    token_error: Option<String>,
    /// The roles that a token may have.
    roles: Vec<Role>,
}

impl AccountPage {
    fn time_zones(&self) -> impl Iterator<Item = &'static str> {
        calendar::zone_names()
    }
}
