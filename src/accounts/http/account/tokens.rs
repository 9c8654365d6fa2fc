//! A person's own tokens.

use http::HeaderMap;

use super::page::{AccountPage, account_page};
use crate::accounts::change::Operator;
use crate::accounts::domain::{Secret, Token, TokenId};
use crate::accounts::token_view::{TOKEN_EXISTS, TokenErrors, TokenFields, token_exists};
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;
use crate::store::idempotency::{Done, Idempotency};

const PATH: &str = "/account";

pub(super) async fn create_token(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    headers: HeaderMap,
    submission: Submission,
) -> PageAnswer {
    require_session(&submission.who)?;
    let typed = TokenFields::of(&submission.form);
    match create(&accounts, &submission, &typed).await? {
        Ok(Done::Now((token, secret))) => {
            let page = account_page(&accounts, target.context, &submission.who, &headers).await?;
            let tokens = page.tokens.with_new(&token, &secret);
            html(StatusCode::CREATED, &AccountPage { tokens, ..page })
        }
        Ok(Done::Replayed(_)) => Ok(with_toast_there(target.redirect(PATH), Tone::Info, TOKEN_EXISTS)),
        Err(errors) => {
            let page = account_page(&accounts, target.context, &submission.who, &headers).await?;
            let tokens = page.tokens.with_typed(typed, errors);
            html(StatusCode::UNPROCESSABLE_ENTITY, &AccountPage { tokens, ..page })
        }
    }
}

/// Creates the token of a form, or returns the errors of its fields.
async fn create(
    accounts: &Accounts,
    submission: &Submission,
    typed: &TokenFields,
) -> Result<Result<Done<(Token, Secret)>, TokenErrors>, AccountError> {
    let input = match typed.input() {
        Ok(input) => input,
        Err(errors) => return Ok(Err(*errors)),
    };
    let answer = |_: &Token| token_exists(PATH);
    let idempotency = submission.request_by_key().map(|request| Idempotency { request, answer: &answer });
    let (draft, operator) = (input.draft(submission.who.role), Operator::Owner(&submission.who));
    match accounts.create_token(submission.who.id, draft, operator, idempotency.as_ref()).await {
        Ok(made) => Ok(Ok(made)),
        Err(error) => TokenErrors::of(error, "Your role").map(Err),
    }
}

pub(super) async fn revoke_token(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<TokenId>,
) -> PageAnswer {
    match accounts.revoke_token(who.id, id, Operator::Owner(&who), None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(target.redirect(PATH)),
        Err(error) => Err(error.into()),
    }
}
