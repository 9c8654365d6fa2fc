//! The page of one person or service, and the forms that change it.
//!
//! Invariants: every form sends the version that it shows. A person who loses a race sees the account as it is now, and
//! sends the form again with one click.

use http::HeaderMap;

use super::parts::{NewLink, Place, Refusal, page_of};
use super::person_page::{
    Cursors, PersonPage, ProfileErrors, ProfileFields, gone, page_with, person_page, show_refusal,
};
use crate::accounts::AccountError;
use crate::accounts::administer::AccountChanges;
use crate::accounts::change::Operator;
use crate::accounts::domain::{AccountKind, AccountStatus, Token, TokenId};
use crate::accounts::sessions::SessionId;
use crate::accounts::token_view::{TOKEN_EXISTS, TokenErrors, TokenFields, token_exists};
use crate::accounts::tokens::Made;
use crate::base::identity::{AccountId, Role};
use crate::people::{People, PeopleError};
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::store::idempotency::Idempotency;
use crate::web::extract::PathPair;

pub(super) fn routes() -> Routes<People> {
    Routes::default()
        .post("/people/{id}/link", Access::Administrator, renew_link)
        .post("/people/{id}/tokens", Access::Administrator, create_token)
        .with_secrets()
        .get("/people/{id}", Access::Administrator, show)
        .post("/people/{id}", Access::Administrator, save)
        .post("/people/{id}/state", Access::Administrator, switch)
        .post("/people/{id}/link/withdraw", Access::Administrator, withdraw_link)
        .post("/people/{id}/two-factor/reset", Access::Administrator, reset_two_factor)
        .post("/people/{id}/sessions/end", Access::Administrator, end_sessions)
        .post("/people/{id}/sessions/{session}/end", Access::Administrator, end_session)
        .post("/people/{id}/tokens/{token}/revoke", Access::Administrator, revoke_token)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShowQuery {
    history: Option<String>,
    tokens: Option<String>,
    sessions: Option<String>,
}

async fn show(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    Query(query): Query<ShowQuery>,
) -> PageAnswer {
    let [history, tokens, sessions] = [&query.history, &query.tokens, &query.sessions]
        .map(|text| text.as_deref().filter(|text| !text.is_empty()));
    let account = match people.accounts.find(id).await {
        Err(AccountError::NoSuchAccount) => return gone(&people, context, id, history).await,
        found => found?,
    };
    let page = page_with(&people, context, &who, account, Cursors { history, tokens, sessions }).await?;
    html(StatusCode::OK, &page)
}

/// Redirects to the page after a change, with a message.
fn done(context: &PageContext, id: AccountId, fragment: bool, words: &'static str) -> Response {
    with_toast_there(see_other(context, &page_of(id), fragment), Tone::Success, words)
}

/// Saves the name, the address and the role.
async fn save(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (version, typed) = (form.version()?, ProfileFields::of_form(&form));
    let changes = match typed.changes() {
        Ok(changes) => changes,
        Err(errors) => {
            let page = person_page(&people, context, &who, id, None).await?;
            return html(
                StatusCode::UNPROCESSABLE_ENTITY,
                &PersonPage { profile: typed, errors: *errors, ..page },
            );
        }
    };
    let operator = Operator::Administrator(&who);
    match people.accounts.edit(id, version, changes, operator, None).await {
        Ok(after) if after.id == who.id && after.role < Role::Administrator => {
            // The page of people is not theirs any more.
            Ok(with_toast_there(see_other(&context, "/", fragment), Tone::Success, "Your role was changed."))
        }
        Ok(_) => Ok(done(&context, id, fragment, "Saved.")),
        Err(AccountError::EmailTaken(_)) => {
            let email = Some("Another account has this email.".to_owned());
            let page = person_page(&people, context, &who, id, None).await?;
            let errors = ProfileErrors { email, ..ProfileErrors::default() };
            html(StatusCode::UNPROCESSABLE_ENTITY, &PersonPage { profile: typed, errors, ..page })
        }
        Err(error) => {
            let refusal = Refusal::of(Place::Profile, error)?;
            let fresh = refusal.fresh.clone().map(|fresh| *fresh);
            let page = person_page(&people, context, &who, id, fresh).await?;
            let conflict = match refusal.fresh {
                Some(_) => typed.differences(&page.profile),
                None => Vec::new(),
            };
            // The typed values stay in the form, which now sends the current version.
            let status = refusal.status;
            html(status, &PersonPage { profile: typed, conflict, refusal: Some(refusal), ..page })
        }
    }
}

/// Disables or enables the account.
async fn switch(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let disabled = form.get("state") == Some(AccountStatus::Disabled.as_str());
    let changes = AccountChanges { disabled: Some(disabled), ..AccountChanges::default() };
    match people.accounts.edit(id, form.version()?, changes, Operator::Administrator(&who), None).await {
        Ok(_) if disabled && id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(account) if disabled && account.kind == AccountKind::Service => {
            Ok(done(&context, id, fragment, "Service disabled. Its tokens don't work until you enable it."))
        }
        Ok(_) if disabled => Ok(done(
            &context,
            id,
            fragment,
            "Account disabled. Its sessions ended, and its tokens are revoked.",
        )),
        Ok(_) => Ok(done(&context, id, fragment, "Account enabled.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::State, error)?).await,
    }
}

/// Creates a new invitation, or a link that sets a new password.
async fn renew_link(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    Path(id): Path<AccountId>,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.renew_link(id, form.version()?, Operator::Administrator(&who), None).await {
        Ok(made) => {
            let link = NewLink::of(&context, &headers, &made.account, &made.secret);
            let page = person_page(&people, context, &who, id, Some(made.account)).await?;
            html(StatusCode::CREATED, &page.with_link(link))
        }
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

async fn withdraw_link(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.withdraw_link(id, form.version()?, Operator::Administrator(&who), None).await {
        Ok(_) => Ok(done(&context, id, fragment, "The link no longer works.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

/// Switches two-factor authentication off for a person who lost the app and the codes.
async fn reset_two_factor(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.reset_two_factor(id, form.version()?, Operator::Administrator(&who)).await {
        Ok(_) if id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(_) => {
            Ok(done(&context, id, fragment, "Two-factor authentication is off, and all sessions ended."))
        }
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

async fn end_sessions(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (with_tokens, operator) = (form.get("revoke_tokens").is_some(), Operator::Administrator(&who));
    match people.accounts.end_sessions(id, form.version()?, with_tokens, operator, None).await {
        Ok(_) if id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(_) if with_tokens => {
            Ok(done(&context, id, fragment, "All sessions ended and all tokens revoked."))
        }
        Ok(_) => Ok(done(&context, id, fragment, "All sessions ended.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Sessions, error)?).await,
    }
}

async fn end_session(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    PathPair(id, session): PathPair<AccountId, SessionId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    people.accounts.end_session_of(id, &session, Operator::Administrator(&who)).await?;
    Ok(done(&context, id, fragment, "Session ended."))
}

/// Creates a token of a service.
async fn create_token(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (typed, there) = (TokenFields::of(&form), page_of(id));
    let answer = |_: &Token| token_exists(&there);
    let request = form.request_by_key(&format!("{there}/tokens"), &who, people.clock.now());
    let idempotency = request.map(|request| Idempotency { request, answer: &answer });
    let errors = match typed.input() {
        Ok(input) => match people.create_service_token(id, input, &who, idempotency.as_ref()).await {
            Ok(Made::Now(token, secret)) => {
                let page = person_page(&people, context, &who, id, None).await?;
                let tokens = page.tokens.with_new(&token, &secret);
                return html(StatusCode::CREATED, &PersonPage { tokens, ..page });
            }
            Ok(Made::Replayed(_)) => {
                let there = see_other(&context, &there, fragment);
                return Ok(with_toast_there(there, Tone::Info, TOKEN_EXISTS));
            }
            Err(PeopleError::Account(error)) => TokenErrors::of(error, "The service")?,
            Err(error) => return Err(error.into()),
        },
        Err(errors) => *errors,
    };
    let page = person_page(&people, context, &who, id, None).await?;
    let tokens = page.tokens.with_typed(typed, errors);
    html(StatusCode::UNPROCESSABLE_ENTITY, &PersonPage { tokens, ..page })
}

async fn revoke_token(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    PathPair(id, token): PathPair<AccountId, TokenId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    match people.accounts.revoke_token(id, token, Operator::Administrator(&who), None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(done(&context, id, fragment, "Token revoked.")),
        Err(error) => Err(error.into()),
    }
}
