//! The sessions of an account on a page: the same for a person's own and for those that administrators see.

use super::domain::{ListedSession, SessionId};
use crate::web::lists::Listed;
use crate::web::pages::DisplayTime;

/// The sessions of an account on a page.
pub struct SessionSection {
    /// The path of the sessions, without the base path.
    pub path: String,
    /// The sessions.
    pub rows: Vec<SessionRow>,
    /// The path of the page with further sessions.
    pub more: Option<String>,
    /// What the page says about the end of one session.
    pub warning: &'static str,
}

impl SessionSection {
    /// Creates the section of a page of sessions. `this` is the session of the reader, if it may be among them. `more`
    /// returns the path of the page after a cursor.
    pub fn new(
        path: String,
        page: Listed<ListedSession>,
        this: Option<&SessionId>,
        warning: &'static str,
        more: impl FnOnce(String) -> String,
    ) -> Self {
        let rows = page.items.into_iter().map(|session| SessionRow::of(session, this)).collect();
        Self { path, rows, more: page.next.map(more), warning }
    }
}

/// A session in the list.
pub struct SessionRow {
    /// The id.
    pub id: String,
    /// The browser and its system.
    pub device: String,
    /// The network address.
    pub address: Option<String>,
    /// The time of the sign-in.
    pub created: DisplayTime,
    /// The last use.
    pub last_seen: DisplayTime,
    /// Whether the reader uses it.
    pub is_this: bool,
}

impl SessionRow {
    fn of(session: ListedSession, this: Option<&SessionId>) -> Self {
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
