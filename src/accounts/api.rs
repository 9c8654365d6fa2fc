//! The JSON API of accounts: who one is, and one's own tokens.
//!
//! What always holds: a token's secret stands in the one answer that made it. An `Idempotency-Key` makes a repeated
//! request the same token, whose answer is then without the secret: what is not stored cannot be said again.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::domain::{AccountId, Role, SignedIn, Token, TokenId, TokenName, Via};
use super::pages::at_a_browser;
use super::tokens::{self, Made, TokenPage};
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, text};
use crate::values::{Email, Name, Version};
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery, JsonRequest, WithKey};
use crate::web::lists::{Listed, PageParameters};
use crate::web::pages::Shell;
use crate::web::respond::{answer, no_content};

/// The routes of the JSON API.
pub(super) fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/me", Access::SignedIn, me)
        .get("/api/tokens", Access::SignedIn, list)
        .post("/api/tokens", Access::SignedIn, create)
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
    State(app): State<App>,
    who: SignedIn,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<Token>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let TokenPage { tokens, next } = tokens::list(&app, who.id, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: tokens, next }))
}

struct CreateBody {
    name: TokenName,
}

impl FromFields for CreateBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { name: fields.required("name", text)? })
    }
}

/// A token just made, with the secret that is said this once.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    token: &'a Token,
    secret: &'a str,
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    request: JsonRequest<CreateBody>,
) -> Result<Answer, AppError> {
    at_a_browser(&who)?;
    let again = |token: &Token| created(&shell, token, token);
    let once = request.once.map(|request| Once { request, answer: &again });
    Ok(match tokens::create(&app, &who, request.body.name, once.as_ref()).await? {
        Made::Now(token, secret) => {
            created(&shell, &token, &WithSecret { token: &token, secret: secret.reveal() })
        }
        Made::Before(answer) => answer,
    })
}

/// A token never changes, so it stays at its first version.
fn created(shell: &Shell, token: &Token, body: &impl Serialize) -> Answer {
    let location = shell.url(&format!("/api/tokens/{}", token.id));
    answer(StatusCode::CREATED, body, Version::FIRST.get(), Some(location))
}

async fn read(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<TokenId>,
) -> Result<Answer, AppError> {
    let token = tokens::read(&app, who.id, id).await?;
    Ok(answer(StatusCode::OK, &token, Version::FIRST.get(), None))
}

async fn revoke(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<TokenId>,
    WithKey(once): WithKey,
) -> Result<Answer, AppError> {
    let once = once.map(|request| Once { request, answer: &|_: &Token| no_content() });
    let revoke = async { Ok(tokens::revoke(&app, who.id, id, once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, revoke).await?.answer(|_| no_content()))
}
