//! The page with a person's own password and tokens.

use super::parts::{Delay, retry_after};
use crate::accounts::domain::{Token, TokenId, TokenName};
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::tokens::{Made, require_session};
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/account", Access::SignedIn, account)
        .post("/account/password", Access::SignedIn, change_password)
        .post("/account/tokens", Access::SignedIn, create_token)
        .post("/account/tokens/{id}/revoke", Access::SignedIn, revoke_token)
}

/// The number of tokens on one page.
const TOKENS_PER_PAGE: u16 = 50;

async fn account(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    Query(query): Query<AccountQuery>,
) -> PageAnswer {
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
    let tokens = accounts.tokens(who.id, TOKENS_PER_PAGE, cursor).await?;
    Ok(AccountPage {
        context,
        email: account.email.to_string(),
        has_password: account.password.is_some(),
        password_changed: false,
        password: PasswordErrors::default(),
        tokens: tokens.items.into_iter().map(Into::into).collect(),
        next: tokens.next,
        new_token: None,
        token_name: String::new(),
        token_error: None,
    })
}

async fn change_password(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<PasswordForm>,
) -> PageAnswer {
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

async fn create_token(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    FormData(form): FormData<TokenForm>,
) -> PageAnswer {
    require_session(&who)?;
    let created = match form.name.parse::<TokenName>() {
        Ok(name) => Ok(accounts.create_token(&who, name, None).await?),
        Err(invalid) => Err(invalid.to_string()),
    };
    let page = account_page(&accounts, context, &who, None).await?;
    match created {
        Ok(Made::Now(token, secret)) => {
            let (name, secret) = (token.name.to_string(), secret.reveal().to_owned());
            html(StatusCode::CREATED, &AccountPage { new_token: Some(NewToken { name, secret }), ..page })
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
) -> PageAnswer {
    match accounts.revoke_token(who.id, id, None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(see_other(&context, "/account", fragment)),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct AccountQuery {
    password: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current: String,
    new: String,
    again: String,
}

#[derive(Deserialize)]
struct TokenForm {
    name: String,
}

/// The page with a person's own password and tokens.
#[derive(Template)]
#[template(path = "accounts/account.html")]
struct AccountPage {
    context: PageContext,
    email: String,
    has_password: bool,
    password_changed: bool,
    password: PasswordErrors,
    tokens: Vec<TokenRow>,
    /// The cursor of older tokens.
    next: Option<String>,
    new_token: Option<NewToken>,
    /// The typed name.
    token_name: String,
    token_error: Option<String>,
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

/// A token in the list.
struct TokenRow {
    id: String,
    name: String,
    created: DisplayTime,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self { id: token.id.to_string(), name: token.name.to_string(), created: token.created_at.into() }
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
            new_password(&PasswordForm { current, new, again })
        };
        assert!(typed("correct horse battery", "correct horse battery").is_ok());
        let errors = typed("correct horse battery", "correct horse batterY").unwrap_err();
        assert!(errors.new.is_none() && errors.again.is_some());
        let errors = typed("short", "shor").unwrap_err();
        assert!(errors.new.is_some() && errors.again.is_some());
    }
}
