//! The page with a person's own name, address, password, sessions and tokens.

use http::HeaderMap;

use super::parts::{Delay, retry_after};
use crate::accounts::change::Operator;
use crate::accounts::domain::{Account, Token, TokenDays, TokenDraft, TokenId, TokenName};
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::sessions::{ListedSession, SessionId};
use crate::accounts::tokens::{Made, require_session};
use crate::accounts::{AccountError, Accounts};
use crate::base::calendar::{self, ZoneName};
use crate::base::identity::Role;
use crate::base::values::{Email, Name, Version};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/account", Access::SignedIn, account)
        .post("/account", Access::SignedIn, change_profile)
        .post("/account/password", Access::SignedIn, change_password)
        .post("/account/time-zone", Access::SignedIn, change_time_zone)
        .post("/account/sessions/end", Access::SignedIn, end_other_sessions)
        .post("/account/sessions/{id}/end", Access::SignedIn, end_session)
        .post("/account/tokens", Access::SignedIn, create_token)
        .post("/account/tokens/{id}/revoke", Access::SignedIn, revoke_token)
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

async fn change_profile(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<ProfileForm>,
) -> PageAnswer {
    require_session(&who)?;
    let (status, errors, seconds) = match (form.name.parse::<Name>(), form.email.parse::<Email>()) {
        (Ok(name), Ok(email)) => {
            let profile = (name, email);
            match accounts.change_profile(&who, form.version, profile, form.current.parse().ok()).await {
                Ok(_) => return Ok(done(&context, "profile", fragment)),
                Err(error) => profile_rejection(error)?,
            }
        }
        (name, email) => {
            let errors = ProfileErrors {
                name: name.err().map(|invalid| invalid.to_string()),
                email: email.err().map(|invalid| invalid.to_string()),
                ..ProfileErrors::default()
            };
            (StatusCode::UNPROCESSABLE_ENTITY, errors, None)
        }
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    let profile = ProfileFields { name: form.name, email: form.email, ..page.profile };
    let page = AccountPage { profile, profile_errors: errors, ..page };
    answer(status, &page, seconds)
}

/// Returns the status and messages for a refused change of the name or the address, and how many seconds to wait.
fn profile_rejection(error: AccountError) -> Result<(StatusCode, ProfileErrors, Option<u64>), AccountError> {
    let none = ProfileErrors::default;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(match error {
        AccountError::WrongPassword => {
            let message = "This is not your current password. A new address must be confirmed by it.";
            (invalid, ProfileErrors { current: Some(message.to_owned()), ..none() }, None)
        }
        AccountError::EmailTaken(_) => {
            let message = "Another account has this address.";
            (invalid, ProfileErrors { email: Some(message.to_owned()), ..none() }, None)
        }
        AccountError::Conflict(current) => {
            let message = format!(
                "Your account was changed at the same time: it is now {}. Nothing was written; check and save again.",
                current.label()
            );
            (StatusCode::CONFLICT, ProfileErrors { notice: Some(message), ..none() }, None)
        }
        other => {
            let Delay { status, message, seconds } = Delay::of(other)?;
            (status, ProfileErrors { notice: Some(message), ..none() }, Some(seconds))
        }
    })
}

async fn change_password(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    from: Requester,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<PasswordForm>,
) -> PageAnswer {
    require_session(&who)?;
    let (status, password, seconds) = match new_password(&form) {
        Err(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors, None),
        Ok(new) => {
            let (current, revoke) = (form.current.parse().ok(), form.revoke_tokens.is_some());
            match accounts.change_password(&who, current, new, revoke, &from).await {
                Ok(cookies) => {
                    tracing::info!(account = %who.id, "password changed");
                    return Ok((cookies, done(&context, "password", fragment)).into_response());
                }
                Err(error) => password_rejection(error)?,
            }
        }
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    answer(status, &AccountPage { password, ..page }, seconds)
}

fn answer(status: StatusCode, page: &AccountPage, seconds: Option<u64>) -> PageAnswer {
    let response = html(status, page)?;
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

/// Returns the status and message for a failed password change, and how many seconds to wait.
fn password_rejection(
    error: AccountError,
) -> Result<(StatusCode, PasswordErrors, Option<u64>), AccountError> {
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

async fn change_time_zone(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<TimeZoneForm>,
) -> PageAnswer {
    require_session(&who)?;
    let zone = match form.time_zone.as_str() {
        "" => None,
        name => Some(name.parse::<ZoneName>().map_err(|invalid| WebError::field("time_zone", &invalid))?),
    };
    accounts.change_time_zone(&who, zone).await?;
    Ok(done(&context, "time-zone", fragment))
}

async fn end_session(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<SessionId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    require_session(&who)?;
    accounts.end_session(who.id, &id).await?;
    Ok(done(&context, "session", fragment))
}

async fn end_other_sessions(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    require_session(&who)?;
    let this = accounts.session_of(&headers).await.ok_or(AccountError::SessionNeeded)?;
    accounts.end_other_sessions(&who, &this).await?;
    Ok(done(&context, "sessions", fragment))
}

async fn create_token(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    FormData(form): FormData<TokenForm>,
) -> PageAnswer {
    require_session(&who)?;
    let created = match form.draft(who.role) {
        Ok(draft) => match accounts.create_token(who.id, draft, Operator::Owner(&who), None).await {
            Err(AccountError::RoleTooHigh(role)) => {
                Err(format!("Your role is {role}: choose it or a lower one."))
            }
            created => Ok(created?),
        },
        Err(invalid) => Err(invalid.to_string()),
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    match created {
        Ok(Made::Now(token, secret)) => {
            let (name, secret) = (token.name.to_string(), secret.reveal().to_owned());
            html(StatusCode::CREATED, &AccountPage { new_token: Some(NewToken { name, secret }), ..page })
        }
        // Forms send no idempotency key.
        Ok(Made::Replayed(answer)) => Ok(answer.into_response()),
        Err(error) => {
            let TokenForm { name, role, days } = form;
            let page =
                AccountPage { token: TokenFields { name, role, days }, token_error: Some(error), ..page };
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
) -> PageAnswer {
    match accounts.revoke_token(who.id, id, Operator::Owner(&who), None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(see_other(&context, "/account", fragment)),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct AccountQuery {
    done: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct ProfileForm {
    version: Version,
    name: String,
    email: String,
    #[serde(default)]
    current: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current: String,
    new: String,
    again: String,
    /// Present if the box is ticked.
    revoke_tokens: Option<String>,
}

#[derive(Deserialize)]
struct TimeZoneForm {
    time_zone: String,
}

#[derive(Deserialize)]
struct TokenForm {
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    days: String,
}

impl TokenForm {
    /// Parses the form. Without a role, the token gets that of its owner; without days, it does not expire.
    fn draft(&self, own: Role) -> Result<TokenDraft, crate::base::values::Invalid> {
        let role = if self.role.is_empty() { own } else { self.role.parse()? };
        let days = Some(self.days.trim()).filter(|days| !days.is_empty());
        let days = days.map(str::parse::<TokenDays>).transpose()?;
        Ok(TokenDraft { name: self.name.parse()?, role, days })
    }
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

/// The fields of the name and the address.
struct ProfileFields {
    version: Version,
    name: String,
    email: String,
}

impl ProfileFields {
    fn of(account: &Account) -> Self {
        let (name, email) = (account.name.to_string(), account.email.to_string());
        Self { version: account.version, name, email }
    }
}

/// The errors of the name and the address.
#[derive(Debug, Default)]
struct ProfileErrors {
    name: Option<String>,
    email: Option<String>,
    current: Option<String>,
    /// An error that does not belong to a field.
    notice: Option<String>,
}

/// The errors of the fields of a new password.
#[derive(Debug, Default)]
struct PasswordErrors {
    current: Option<String>,
    new: Option<String>,
    again: Option<String>,
}

impl PasswordErrors {
    fn any(&self) -> bool {
        self.current.is_some() || self.new.is_some() || self.again.is_some()
    }
}

/// A session in the list.
struct SessionRow {
    id: String,
    device: String,
    address: Option<String>,
    created: DisplayTime,
    last_seen: DisplayTime,
    is_this: bool,
}

impl SessionRow {
    fn of(session: ListedSession, this: Option<&SessionId>) -> Self {
        Self {
            is_this: this == Some(&session.id),
            id: session.id.to_string(),
            device: session.device,
            address: session.address.map(|address| address.to_string()),
            created: session.created_at.into(),
            last_seen: session.last_seen_at.into(),
        }
    }
}

/// A token in the list.
struct TokenRow {
    id: String,
    name: String,
    role: Role,
    prefix: Option<String>,
    created: DisplayTime,
    expires: Option<DisplayTime>,
    last_used: Option<DisplayTime>,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            role: token.role,
            prefix: token.prefix,
            created: token.created_at.into(),
            expires: token.expires_at.map(Into::into),
            last_used: token.last_used_at.map(Into::into),
        }
    }
}

/// The typed fields of a new token.
struct TokenFields {
    name: String,
    role: String,
    days: String,
}

impl Default for TokenFields {
    fn default() -> Self {
        Self { name: String::new(), role: String::new(), days: TokenDays::SUGGESTED.to_string() }
    }
}

/// A new token with its secret, which is shown only once.
struct NewToken {
    name: String,
    secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_must_be_typed_twice() {
        let typed = |new: &str, again: &str| {
            let (current, new, again) = (String::new(), new.to_owned(), again.to_owned());
            new_password(&PasswordForm { current, new, again, revoke_tokens: None })
        };
        assert!(typed("correct horse battery", "correct horse battery").is_ok());
        let errors = typed("correct horse battery", "correct horse batterY").unwrap_err();
        assert!(errors.new.is_none() && errors.again.is_some());
        let errors = typed("short", "shor").unwrap_err();
        assert!(errors.new.is_some() && errors.again.is_some());
    }
}
