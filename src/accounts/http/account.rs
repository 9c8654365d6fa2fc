//! The page with a person's own name, address, password, sessions and tokens.

mod page;
mod password;
mod profile;
mod sessions;
mod tokens;

use http::HeaderMap;

use self::page::{AccountPage, DONE, account_page_at};
use crate::accounts::Accounts;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .post("/account/tokens", Access::SignedIn, tokens::create_token)
        .with_secrets()
        .get("/account", Access::SignedIn, account)
        .post("/account", Access::SignedIn, profile::change_profile)
        .post("/account/password", Access::SignedIn, password::change_password)
        .post("/account/time-zone", Access::SignedIn, profile::change_time_zone)
        .post("/account/sessions/end", Access::SignedIn, sessions::end_other_sessions)
        .post("/account/sessions/{id}/end", Access::SignedIn, sessions::end_session)
        .post("/account/tokens/{id}/revoke", Access::SignedIn, tokens::revoke_token)
}

async fn account(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    Query(query): Query<AccountQuery>,
) -> PageAnswer {
    let cursors = (query.cursor.as_deref(), query.sessions.as_deref());
    let page = account_page_at(&accounts, context, &who, &headers, cursors).await?;
    let done = query.done.as_deref().and_then(|done| DONE.iter().find(|(name, _)| *name == done));
    html(StatusCode::OK, &AccountPage { done: done.map(|(_, message)| *message), ..page })
}

#[derive(Deserialize)]
struct AccountQuery {
    done: Option<String>,
    /// Where the tokens continue.
    cursor: Option<String>,
    /// Where the sessions continue.
    sessions: Option<String>,
}
