//! The page with a person's own name, address, password, sessions and tokens: its parts, and how it is put together.

use http::HeaderMap;

use super::super::parts::{Delay, retry_after};
use crate::accounts::domain::{Account, ListedSession, SessionId, TokenName};
use crate::accounts::password::Password;
use crate::accounts::session_view::SessionSection;
use crate::accounts::token_view::{TokenForm, TokenSection};
use crate::accounts::{AccountError, Accounts};
use crate::base::calendar;
use crate::base::values::Version;
use crate::shared::pages::*;
use crate::web::lists::Listed;
use crate::web::query::address;

/// The number of tokens, and of sessions, on one page.
const ROWS: u16 = 50;

/// What the page says after a change, by the parameter of its address.
pub(super) const DONE: [(&str, &str); 6] = [
    ("two-factor-off", "Two-factor authentication is off."),
    ("profile", "Saved."),
    ("password", "Your password was changed."),
    ("time-zone", "Saved."),
    ("session", "Session ended."),
    ("sessions", "All other sessions ended."),
];

/// Redirects to the page, which says what was done.
pub(super) fn done(target: &RenderTarget, what: &str) -> Response {
    target.redirect(&address("/account", [("done", what)]))
}

/// Returns the page with the newest tokens and the first sessions.
pub(super) async fn account_page(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    headers: &HeaderMap,
) -> Result<AccountPage, AccountError> {
    account_page_at(accounts, context, who, headers, (None, None)).await
}

/// Returns the page with the tokens and the sessions after these cursors.
pub(super) async fn account_page_at(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    headers: &HeaderMap,
    (tokens, sessions): (Option<&str>, Option<&str>),
) -> Result<AccountPage, AccountError> {
    let account = accounts.find(who.id).await?;
    let tokens = accounts.tokens(who.id, ROWS, tokens).await?;
    let older = |cursor| address("/account", [("cursor", cursor)]);
    let tokens = TokenSection::new("/account/tokens".to_owned(), tokens, "No tokens yet.", older);
    let key = accounts.rng.uuid().to_string();
    let this = accounts.session_of(headers).await.map(|cookie| SessionId::of(&cookie.secret));
    let sessions = sessions_with(accounts, &account, this.as_ref(), sessions).await?;
    let (path, warning) = ("/account/sessions".to_owned(), "You must sign in again there.");
    let more = |cursor| address("/account", [("sessions", cursor)]);
    let sessions = SessionSection::new(path, sessions, this.as_ref(), warning, more);
    Ok(AccountPage {
        context,
        done: None,
        profile: ProfileFields::of(&account),
        profile_errors: ProfileErrors::default(),
        has_password: account.password.is_some(),
        password: PasswordErrors::default(),
        has_two_factor: account.two_factor.is_some(),
        time_zone: account.time_zone.as_ref().map(ToString::to_string).unwrap_or_default(),
        sessions,
        tokens: TokenSection { form: Some(TokenForm::new(account.role, key)), ..tokens },
    })
}

/// Returns a page of the sessions. The first one includes this session, wherever it is in the list.
async fn sessions_with(
    accounts: &Accounts,
    account: &Account,
    this: Option<&SessionId>,
    cursor: Option<&str>,
) -> Result<Listed<ListedSession>, AccountError> {
    let mut page = accounts.sessions(account, ROWS, cursor).await?;
    if let Some(this) = this
        && cursor.is_none()
        && page.next.is_some()
        && page.items.iter().all(|session| session.id != *this)
        && let Some(own) = accounts.session(account, this.clone()).await?
    {
        page.items.insert(0, own);
    }
    Ok(page)
}

/// Why a form of the page was refused.
pub(super) struct Rejection<E> {
    status: StatusCode,
    /// The messages at its fields.
    errors: E,
    /// The seconds to wait before the next attempt.
    seconds: Option<u64>,
}

impl<E> Rejection<E> {
    /// Creates the rejection of wrong values.
    pub(super) fn invalid(errors: E) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, errors, seconds: None }
    }

    /// Creates the rejection of a form whose account was changed at the same time.
    pub(super) fn conflict(errors: E) -> Self {
        Self { status: StatusCode::CONFLICT, errors, seconds: None }
    }

    /// Creates the rejection of a form that can be sent again after a delay.
    ///
    /// # Errors
    /// The error itself, if it requires no delay.
    pub(super) fn delayed(
        error: AccountError,
        errors: impl FnOnce(String) -> E,
    ) -> Result<Self, AccountError> {
        let Delay { status, message, seconds } = Delay::of(error)?;
        Ok(Self { status, errors: errors(message), seconds: Some(seconds) })
    }

    /// Answers with the page that `render` returns for the messages.
    pub(super) fn answer(self, render: impl FnOnce(E) -> AccountPage) -> PageAnswer {
        let response = html(self.status, &render(self.errors))?;
        Ok(match self.seconds {
            Some(seconds) => retry_after(response, seconds),
            None => response,
        })
    }
}

/// The page with a person's own name, address, password, sessions and tokens.
#[derive(Template)]
#[template(path = "accounts/account.html", config = "templates/askama.toml")]
pub(super) struct AccountPage {
    pub(super) context: PageContext,
    /// What was done just now.
    pub(super) done: Option<&'static str>,
    pub(super) profile: ProfileFields,
    pub(super) profile_errors: ProfileErrors,
    pub(super) has_password: bool,
    pub(super) password: PasswordErrors,
    pub(super) has_two_factor: bool,
    /// The name of the chosen time zone, or empty.
    pub(super) time_zone: String,
    pub(super) sessions: SessionSection,
    pub(super) tokens: TokenSection,
}

impl AccountPage {
    fn time_zones(&self) -> impl Iterator<Item = &'static str> {
        calendar::zone_names()
    }
}

/// The fields of the name and the address.
pub(super) struct ProfileFields {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) email: String,
}

impl ProfileFields {
    pub(super) fn of(account: &Account) -> Self {
        let (name, email) = (account.name.to_string(), account.email.to_string());
        Self { version: account.version, name, email }
    }
}

/// The errors of the name and the address.
#[derive(Debug, Default)]
pub(super) struct ProfileErrors {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) current: Option<String>,
    /// An error that does not belong to a field.
    pub(super) notice: Option<String>,
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
