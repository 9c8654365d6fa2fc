//! A person's own sessions.

use http::HeaderMap;

use super::done;
use crate::accounts::sessions::{ListedSession, SessionId};
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) async fn end_session(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<SessionId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    require_session(&who)?;
    accounts.end_session(who.id, &id).await?;
    Ok(done(&context, "session", fragment))
}

pub(super) async fn end_other_sessions(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    require_session(&who)?;
    let this = accounts.session_of(&headers).await.ok_or(AccountError::SessionNeeded)?;
    accounts.end_other_sessions(&who, &this).await?;
    Ok(done(&context, "sessions", fragment))
}

/// A session in the list.
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) device: String,
    pub(super) address: Option<String>,
    pub(super) created: DisplayTime,
    pub(super) last_seen: DisplayTime,
    pub(super) is_this: bool,
}

impl SessionRow {
    pub(super) fn of(session: ListedSession, this: Option<&SessionId>) -> Self {
        Self {
            is_this: this == Some(&session.id),
            id: session.id.to_string(),
            device: session.device,
            address: session.address.map(|address| address.to_string()),
            created: session.created_at.into(),
            last_seen: session.last_seen_at.into(),
        }
    }
}
