//! A person's own tokens.

use http::HeaderMap;

use super::page::{AccountPage, NewToken, TokenFields, account_page};
use crate::accounts::change::Operator;
use crate::accounts::domain::{TokenDays, TokenDraft, TokenId};
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
                Err(format!("Your role is {role}. Choose that role or a lower one."))
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
