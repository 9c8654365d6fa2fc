//! The JSON API of the tokens of any account, for administrators.
//!
//! Invariants: an administrator revokes anyone's tokens and creates those of services, because a token acts in the name
//! of its account. Only the answer that creates a token contains its secret.

use crate::accounts::change::Operator;
use crate::accounts::domain::{Token, TokenDays, TokenId, TokenName};
use crate::accounts::tokens::Made;
use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::identity::{AccountId, Role};
use crate::base::values::Version;
use crate::people::People;
use crate::shared::api::*;
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

struct CreateBody {
    name: TokenName,
    role: Option<Role>,
    days: Option<TokenDays>,
}

impl FromFields for CreateBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, role) = (fields.required("name", text), fields.optional("role", text));
        let days = fields.optional("expiresInDays", whole_number);
        Some(Self { name: name?, role, days })
    }
}

/// A new token with its secret, which is returned only once.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    token: &'a Token,
    secret: &'a str,
}

async fn create(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    request: JsonRequest<CreateBody>,
) -> Result<Answer, Problem> {
    let CreateBody { name, role, days } = request.body;
    let replay = |token: &Token| created(&context, id, token, token);
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &replay });
    let made = people.create_service_token(id, (name, role, days), &who, idempotency.as_ref()).await?;
    Ok(match made {
        Made::Now(token, secret) => {
            created(&context, id, &token, &WithSecret { token: &token, secret: secret.reveal() })
        }
        Made::Replayed(answer) => answer,
    })
}

/// A token never changes, so it stays at its first version.
fn created(context: &PageContext, owner: AccountId, token: &Token, body: &impl Serialize) -> Answer {
    let location = context.url(&format!("/api/accounts/{owner}/tokens/{}", token.id));
    answer(StatusCode::CREATED, body, Version::FIRST.get(), Some(location))
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
    let revoke = people.accounts.revoke_token(id, token, operator, idempotency.as_ref());
    Ok(Idempotency::run(idempotency.as_ref(), &people.dynamo, revoke).await?.answer(answer))
}
