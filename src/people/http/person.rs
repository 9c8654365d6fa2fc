//! The page of one person or service, and the forms that change it.
//!
//! Invariants: every form sends the version that it shows. A person who loses a race sees the account as it is now, and
//! sends the form again with one click. A form of the profile, the status, the sessions, the second factor or a link that
//! arrives twice makes one change.

use http::HeaderMap;

use super::parts::{NewLink, Place, Refusal, page_of};
use super::person_page::{Cursors, PersonPage, gone, page_with, person_page, show_refusal};
use super::profile::{NotSaved, ProfileFields};
use crate::accounts::AccountError;
use crate::accounts::administer::{AccountChanges, WithLink};
use crate::accounts::change::Operator;
use crate::accounts::domain::{Account, AccountKind, AccountStatus, Secret, Token, TokenId};
use crate::accounts::sessions::SessionId;
use crate::accounts::token_view::{TOKEN_EXISTS, TokenErrors, TokenFields, token_exists};
use crate::base::identity::{AccountId, Role};
use crate::base::values::Version;
use crate::people::{People, PeopleError};
use crate::shared::pages::*;
use crate::store::idempotency::{Done, Idempotency};
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

/// Returns the account after a change. A form that is sent again succeeds as long as no one has changed the account since
/// then. After that, this returns `None`: the change was made, but its message would be wrong.
async fn still_current(
    people: &People,
    id: AccountId,
    expected: Version,
    done: Result<Done<Account>, AccountError>,
) -> Result<Option<Account>, AccountError> {
    match done? {
        Done::Now(account) => Ok(Some(account)),
        Done::Replayed(_) => {
            let account = people.accounts.find(id).await?;
            Ok((account.version == expected.next()).then_some(account))
        }
    }
}

/// Answers a form whose change was made before, and whose account others have changed since then.
fn changed_since(target: &RenderTarget, id: AccountId) -> Response {
    let words = "This was already saved, and the account has changed since then. This is the current one.";
    with_toast_there(target.redirect(&page_of(id)), Tone::Info, words)
}

/// Changes the account as a form says.
async fn edit(
    people: &People,
    id: AccountId,
    expected: Version,
    changes: AccountChanges,
    submission: &Submission,
) -> Result<Option<Account>, AccountError> {
    let (operator, idempotency) = (Operator::Administrator(&submission.who), submission.idempotency());
    let done = people.accounts.edit(id, expected, changes, operator, Some(&idempotency)).await;
    still_current(people, id, expected, done).await
}

/// Shows the page with the reason why a change was refused.
async fn refused(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    id: AccountId,
    place: Place,
    error: AccountError,
) -> PageAnswer {
    show_refusal(people, context, who, id, Refusal::of(place, error)?).await
}

/// Saves the name, the address and the role.
async fn save(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (expected, typed) = (submission.version()?, ProfileFields::of_form(&submission.form));
    let saved = match typed.changes() {
        Ok(changes) => edit(&people, id, expected, changes, &submission).await.map_err(NotSaved::from),
        Err(errors) => Err(NotSaved::Invalid(errors)),
    };
    match saved {
        Ok(None) => Ok(changed_since(&target, id)),
        Ok(Some(after)) if after.id == submission.who.id && after.role < Role::Administrator => {
            // The page of people is not theirs any more.
            Ok(target.done("/", "Your role was changed."))
        }
        Ok(_) => Ok(target.done(&page_of(id), "Saved.")),
        Err(why) => show_typed(&people, target.context, &submission.who, id, typed, why).await,
    }
}

/// Shows the form of the profile again as it was typed, with its errors or with what changed.
async fn show_typed(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    id: AccountId,
    profile: ProfileFields,
    why: NotSaved,
) -> PageAnswer {
    let refusal = match why {
        NotSaved::Invalid(errors) => {
            let page = person_page(people, context, who, id, None).await?;
            let page = PersonPage { profile, errors: *errors, ..page };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        NotSaved::Refused(error) => Refusal::of(Place::Profile, error)?,
    };
    let fresh = refusal.fresh.clone().map(|fresh| *fresh);
    let page = person_page(people, context, who, id, fresh).await?;
    let conflict = match refusal.fresh {
        Some(_) => profile.differences(&page.profile),
        None => Vec::new(),
    };
    // The typed values stay in the form, which now sends the current version.
    html(refusal.status, &PersonPage { profile, conflict, refusal: Some(refusal), ..page })
}

/// Disables or enables the account.
async fn switch(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let disabled = submission.form.get("state") == Some(AccountStatus::Disabled.as_str());
    let changes = AccountChanges { disabled: Some(disabled), ..AccountChanges::default() };
    match edit(&people, id, submission.version()?, changes, &submission).await {
        Ok(None) => Ok(changed_since(&target, id)),
        Ok(_) if disabled && id == submission.who.id => Ok(target.redirect("/sign-in")),
        Ok(Some(account)) => Ok(target.done(&page_of(id), switched(account.kind, disabled))),
        Err(error) => refused(&people, target.context, &submission.who, id, Place::State, error).await,
    }
}

/// Returns what the page says after an account was disabled or enabled.
fn switched(kind: AccountKind, disabled: bool) -> &'static str {
    match kind {
        _ if !disabled => "Account enabled.",
        AccountKind::Service => "Service disabled. Its tokens don't work until you enable it.",
        AccountKind::Person => "Account disabled. Its sessions ended, and its tokens are revoked.",
    }
}

/// Creates a new invitation, or a link that sets a new password.
async fn renew_link(
    State(people): State<People>,
    target: RenderTarget,
    headers: HeaderMap,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (operator, idempotency) = (Operator::Administrator(&submission.who), submission.idempotency());
    let expected = submission.version()?;
    match people.accounts.renew_link(id, expected, operator, Some(&idempotency)).await {
        Ok(Done::Now(made)) => show_link(&people, target.context, &headers, &submission.who, made).await,
        Ok(Done::Replayed(_)) => {
            let words = "This link was already created, and it was shown then. If you didn't copy it, create another one.";
            Ok(with_toast_there(target.redirect(&page_of(id)), Tone::Info, words))
        }
        Err(error) => refused(&people, target.context, &submission.who, id, Place::Link, error).await,
    }
}

/// Shows the page with a new link.
async fn show_link(
    people: &People,
    context: PageContext,
    headers: &HeaderMap,
    who: &SignedIn,
    made: WithLink,
) -> PageAnswer {
    let link = NewLink::of(&context, headers, &made.account, &made.secret);
    let page = person_page(people, context, who, made.account.id, Some(made.account)).await?;
    html(StatusCode::CREATED, &page.with_link(link))
}

async fn withdraw_link(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (operator, idempotency) = (Operator::Administrator(&submission.who), submission.idempotency());
    let expected = submission.version()?;
    let done = people.accounts.withdraw_link(id, expected, operator, Some(&idempotency)).await;
    match still_current(&people, id, expected, done).await {
        Ok(None) => Ok(changed_since(&target, id)),
        Ok(Some(_)) => Ok(target.done(&page_of(id), "The link no longer works.")),
        Err(error) => refused(&people, target.context, &submission.who, id, Place::Link, error).await,
    }
}

/// Switches two-factor authentication off for a person who lost the app and the codes.
async fn reset_two_factor(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (operator, idempotency) = (Operator::Administrator(&submission.who), submission.idempotency());
    let expected = submission.version()?;
    let done = people.accounts.reset_two_factor(id, expected, operator, Some(&idempotency)).await;
    let is_repeated = matches!(done, Ok(Done::Replayed(_)));
    match still_current(&people, id, expected, done).await {
        Ok(None) => Ok(changed_since(&target, id)),
        // It does not say that all sessions ended: a sign-in since then began a new one.
        Ok(_) if is_repeated => Ok(target.done(&page_of(id), "Two-factor authentication is off.")),
        Ok(_) if id == submission.who.id => Ok(target.redirect("/sign-in")),
        Ok(_) => Ok(target.done(&page_of(id), "Two-factor authentication is off, and all sessions ended.")),
        Err(error) => refused(&people, target.context, &submission.who, id, Place::Link, error).await,
    }
}

async fn end_sessions(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (expected, with_tokens) = (submission.version()?, submission.form.get("revoke_tokens").is_some());
    let (operator, idempotency) = (Operator::Administrator(&submission.who), submission.idempotency());
    match people.accounts.end_sessions(id, expected, with_tokens, operator, Some(&idempotency)).await {
        // A sign-in since then has a new session, and does not change the account's version.
        Ok(Done::Replayed(_)) => {
            let words = "The sessions were already ended. If new ones began after that, they are below.";
            Ok(with_toast_there(target.redirect(&page_of(id)), Tone::Info, words))
        }
        Ok(Done::Now(_)) if id == submission.who.id => Ok(target.redirect("/sign-in")),
        Ok(Done::Now(_)) if with_tokens => {
            Ok(target.done(&page_of(id), "All sessions ended and all tokens revoked."))
        }
        Ok(Done::Now(_)) => Ok(target.done(&page_of(id), "All sessions ended.")),
        Err(error) => refused(&people, target.context, &submission.who, id, Place::Sessions, error).await,
    }
}

async fn end_session(
    State(people): State<People>,
    target: RenderTarget,
    who: SignedIn,
    PathPair(id, session): PathPair<AccountId, SessionId>,
) -> PageAnswer {
    people.accounts.end_session_of(id, &session, Operator::Administrator(&who)).await?;
    Ok(target.done(&page_of(id), "Session ended."))
}

/// Creates a token of a service.
async fn create_token(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let typed = TokenFields::of(&submission.form);
    match create_service_token(&people, id, &submission, &typed).await? {
        Ok(Done::Now((token, secret))) => {
            let page = person_page(&people, target.context, &submission.who, id, None).await?;
            let tokens = page.tokens.with_new(&token, &secret);
            html(StatusCode::CREATED, &PersonPage { tokens, ..page })
        }
        Ok(Done::Replayed(_)) => {
            Ok(with_toast_there(target.redirect(&page_of(id)), Tone::Info, TOKEN_EXISTS))
        }
        Err(errors) => show_token_form(&people, target.context, &submission.who, id, typed, errors).await,
    }
}

/// Creates the token of a form, or returns the errors of its fields.
async fn create_service_token(
    people: &People,
    id: AccountId,
    submission: &Submission,
    typed: &TokenFields,
) -> Result<Result<Done<(Token, Secret)>, TokenErrors>, PeopleError> {
    let input = match typed.input() {
        Ok(input) => input,
        Err(errors) => return Ok(Err(*errors)),
    };
    let page = page_of(id);
    let answer = |_: &Token| token_exists(&page);
    let idempotency = submission.request_by_key().map(|request| Idempotency { request, answer: &answer });
    match people.create_service_token(id, input, &submission.who, idempotency.as_ref()).await {
        Ok(done) => Ok(Ok(done)),
        Err(PeopleError::Account(error)) => Ok(Err(TokenErrors::of(error, "The service")?)),
        Err(error) => Err(error),
    }
}

/// Shows the form of a new token again as it was typed, with its errors.
async fn show_token_form(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    id: AccountId,
    typed: TokenFields,
    errors: TokenErrors,
) -> PageAnswer {
    let page = person_page(people, context, who, id, None).await?;
    let tokens = page.tokens.with_typed(typed, errors);
    html(StatusCode::UNPROCESSABLE_ENTITY, &PersonPage { tokens, ..page })
}

async fn revoke_token(
    State(people): State<People>,
    target: RenderTarget,
    who: SignedIn,
    PathPair(id, token): PathPair<AccountId, TokenId>,
) -> PageAnswer {
    match people.accounts.revoke_token(id, token, Operator::Administrator(&who), None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(target.done(&page_of(id), "Token revoked.")),
        Err(error) => Err(error.into()),
    }
}
