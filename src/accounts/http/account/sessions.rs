//! A person's own sessions.

use http::HeaderMap;

use super::page::done;
use crate::accounts::change::Operator;
use crate::accounts::domain::SessionId;
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) async fn end_session(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<SessionId>,
) -> PageAnswer {
    require_session(&who)?;
    accounts.end_session_of(who.id, &id, Operator::Owner(&who)).await?;
    Ok(done(&target, "session"))
}

pub(super) async fn end_other_sessions(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    headers: HeaderMap,
) -> PageAnswer {
    require_session(&who)?;
    let this = accounts.session_of(&headers).await.ok_or(AccountError::SessionNeeded)?;
    accounts.end_other_sessions(&who, &this).await?;
    Ok(done(&target, "sessions"))
}
