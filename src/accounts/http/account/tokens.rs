//! A person's own tokens.

use http::HeaderMap;

use super::{AccountPage, account_page};
use crate::accounts::change::Operator;
use crate::accounts::domain::{Token, TokenDays, TokenDraft, TokenId};
use crate::accounts::tokens::{Made, require_session};
use crate::accounts::{AccountError, Accounts};
use crate::base::identity::Role;
use crate::base::values::Invalid;
use crate::shared::pages::*;

pub(super) async fn create_token(
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

pub(super) async fn revoke_token(
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
pub(super) struct TokenForm {
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    days: String,
}

impl TokenForm {
    /// Parses the form. Without a role, the token gets that of its owner; without days, it does not expire.
    fn draft(&self, own: Role) -> Result<TokenDraft, Invalid> {
        let role = if self.role.is_empty() { own } else { self.role.parse()? };
        let days = Some(self.days.trim()).filter(|days| !days.is_empty());
        let days = days.map(str::parse::<TokenDays>).transpose()?;
        Ok(TokenDraft { name: self.name.parse()?, role, days })
    }
}

/// A token in the list.
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) prefix: Option<String>,
    pub(super) created: DisplayTime,
    pub(super) expires: Option<DisplayTime>,
    pub(super) last_used: Option<DisplayTime>,
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
pub(super) struct TokenFields {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) days: String,
}

impl Default for TokenFields {
    fn default() -> Self {
        Self { name: String::new(), role: String::new(), days: TokenDays::SUGGESTED.to_string() }
    }
}

/// A new token with its secret, which is shown only once.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) secret: String,
}
