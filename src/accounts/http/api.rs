//! The JSON API of accounts: the signed-in person and their own tokens.
//!
//! Invariants: only the answer that creates a token contains its secret. Repeating the request with the same
//! `Idempotency-Key` answers with the same token but without the secret, because the secret is not stored.

use crate::accounts::Accounts;
use crate::accounts::change::Operator;
use crate::accounts::domain::{Secret, Token, TokenId};
use crate::accounts::token_view::{TokenInput, token_created};
use crate::accounts::tokens::require_session;
use crate::base::identity::{AccountId, Role, Via};
use crate::base::values::{Email, Name, Version};
use crate::shared::api::*;
use crate::store::idempotency::Done;

/// Returns the routes of the JSON API.
pub(in crate::accounts) fn routes() -> Routes<Accounts> {
    Routes::default()
        .post("/api/tokens", Access::SignedIn, create)
        .with_secrets()
        .get("/api/me", Access::SignedIn, me)
        .get("/api/tokens", Access::SignedIn, list)
        .get("/api/tokens/{id}", Access::SignedIn, read)
        .delete("/api/tokens/{id}", Access::SignedIn, revoke)
}

#[derive(Serialize)]
struct Me {
    id: AccountId,
    name: Name,
    email: Email,
    role: Role,
    /// The name of the token that the request came with, or null.
    token: Option<String>,
}

async fn me(who: SignedIn) -> Json<Me> {
    let token = match who.via {
        Via::Session => None,
        Via::Token(name) => Some(name),
    };
    Json(Me { id: who.id, name: who.name, email: who.email, role: who.role, token })
}

async fn list(
    State(accounts): State<Accounts>,
    who: SignedIn,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Token>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(accounts.tokens(who.id, limit, cursor.as_deref()).await?))
}

async fn create(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<TokenInput>,
) -> Result<Answer, Problem> {
    require_session(&who)?;
    let created = |token: &Token, secret: Option<&Secret>| {
        token_created(context.url(&format!("/api/tokens/{}", token.id)), token, secret)
    };
    let replay = |token: &Token| created(token, None);
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &replay });
    let (draft, operator) = (request.body.draft(who.role), Operator::Owner(&who));
    Ok(match accounts.create_token(who.id, draft, operator, idempotency.as_ref()).await? {
        Done::Now((token, secret)) => created(&token, Some(&secret)),
        Done::Replayed(answer) => answer,
    })
}

async fn read(
    State(accounts): State<Accounts>,
    who: SignedIn,
    Path(id): Path<TokenId>,
) -> Result<Answer, Problem> {
    let token = accounts.token(who.id, id).await?;
    Ok(answer(StatusCode::OK, &token, Version::FIRST.get(), None))
}

async fn revoke(
    State(accounts): State<Accounts>,
    who: SignedIn,
    Path(id): Path<TokenId>,
    WithKey(idempotency): WithKey,
) -> Result<Answer, Problem> {
    let answer = |_: &Token| no_content();
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
    let done = accounts.revoke_token(who.id, id, Operator::Owner(&who), idempotency.as_ref()).await?;
    Ok(done.answer(answer))
}
