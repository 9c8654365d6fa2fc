//! The JSON API of the tokens of any account, for administrators.
//!
//! Invariants: an administrator revokes anyone's tokens and creates those of services, because a token acts in the name
//! of its account. Only the answer that creates a token contains its secret.

use crate::accounts::change::Operator;
use crate::accounts::domain::{Secret, Token, TokenId};
use crate::accounts::token_view::{TokenInput, token_created};
use crate::base::identity::AccountId;
use crate::base::values::Version;
use crate::people::People;
use crate::shared::api::*;
use crate::store::idempotency::Done;
use crate::web::extract::PathPair;

/// Returns the routes of the API.
pub(super) fn routes() -> Routes<People> {
    Routes::default()
        .post("/api/accounts/{id}/tokens", Access::Administrator, create)
        .with_secrets()
        .get("/api/accounts/{id}/tokens", Access::Administrator, list)
        .get("/api/accounts/{id}/tokens/{token}", Access::Administrator, read)
        .delete("/api/accounts/{id}/tokens/{token}", Access::Administrator, revoke)
}

async fn list(
    State(people): State<People>,
    Path(id): Path<AccountId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Token>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(people.accounts.tokens(id, limit, cursor.as_deref()).await?))
}

async fn create(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    request: JsonRequest<TokenInput>,
) -> Result<Answer, Problem> {
    let created = |token: &Token, secret: Option<&Secret>| {
        token_created(context.url(&format!("/api/accounts/{id}/tokens/{}", token.id)), token, secret)
    };
    let replay = |token: &Token| created(token, None);
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &replay });
    Ok(match people.create_service_token(id, request.body, &who, idempotency.as_ref()).await? {
        Done::Now((token, secret)) => created(&token, Some(&secret)),
        Done::Replayed(answer) => answer,
    })
}

async fn read(
    State(people): State<People>,
    PathPair(id, token): PathPair<AccountId, TokenId>,
) -> Result<Answer, Problem> {
    let token = people.accounts.token(id, token).await?;
    Ok(answer(StatusCode::OK, &token, Version::FIRST.get(), None))
}

async fn revoke(
    State(people): State<People>,
    who: SignedIn,
    PathPair(id, token): PathPair<AccountId, TokenId>,
    WithKey(idempotency): WithKey,
) -> Result<Answer, Problem> {
    let answer = |_: &Token| no_content();
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
    let operator = Operator::Administrator(&who);
    Ok(people.accounts.revoke_token(id, token, operator, idempotency.as_ref()).await?.answer(answer))
}
