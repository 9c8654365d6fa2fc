//! A person's own tokens.

use http::HeaderMap;

use super::page::{AccountPage, account_page};
use crate::accounts::change::Operator;
use crate::accounts::domain::{Token, TokenId};
use crate::accounts::token_view::{TOKEN_EXISTS, TokenErrors, TokenFields, token_exists};
use crate::accounts::tokens::{Made, require_session};
use crate::accounts::{AccountError, Accounts};
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::store::idempotency::Idempotency;

const PATH: &str = "/account";

pub(super) async fn create_token(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    require_session(&who)?;
    let typed = TokenFields::of(&form);
    let answer = |_: &Token| token_exists(PATH);
    let request = form.request_by_key("/account/tokens", &who, accounts.clock.now());
    let idempotency = request.map(|request| Idempotency { request, answer: &answer });
    let errors = match typed.input() {
        Ok(input) => {
            let (draft, operator) = (input.draft(who.role), Operator::Owner(&who));
            match accounts.create_token(who.id, draft, operator, idempotency.as_ref()).await {
                Ok(Made::Now(token, secret)) => {
                    let page = account_page(&accounts, context, &who, &headers, None).await?;
                    let tokens = page.tokens.with_new(&token, &secret);
                    return html(StatusCode::CREATED, &AccountPage { tokens, ..page });
                }
                Ok(Made::Replayed(_)) => {
                    let there = see_other(&context, PATH, fragment);
                    return Ok(with_toast_there(there, Tone::Info, TOKEN_EXISTS));
                }
                Err(error) => TokenErrors::of(error, "Your role")?,
            }
        }
        Err(errors) => *errors,
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    let tokens = page.tokens.with_typed(typed, errors);
    html(StatusCode::UNPROCESSABLE_ENTITY, &AccountPage { tokens, ..page })
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
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(see_other(&context, PATH, fragment)),
        Err(error) => Err(error.into()),
    }
}
