//! `holdfast session`: lists and ends the sessions of an account.

use holdfast::accounts::Accounts;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::Account;
use holdfast::accounts::sessions::ListedSession;
use holdfast::accounts::view::AccountView;

use crate::account::named::{change, find, made_now};
use crate::cli::{EndSessions, SessionCommand, SessionPrefix};
use crate::console::Console;
use crate::failure::{Failure, on_one_line};
use crate::listing::{self, PAGE, all_pages, time};
use crate::output::Output;
use crate::table::{Host, Opened};

const HEAD: [&str; 5] = ["DEVICE", "ADDRESS", "BEGAN", "LAST USED", "ID"];
/// The digits of an id in the table. They are enough to end the session.
const SHOWN_DIGITS: usize = 12;

/// Runs a command on sessions.
pub async fn run(command: SessionCommand, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let target = command.target();
    let opened = host.open_existing(&target.table).await?;
    let output = Output { console, json: target.json };
    let done = match &command {
        SessionCommand::List(options) => {
            let accounts = opened.app.accounts();
            match find(&accounts, &options.account).await {
                Ok(account) => list(&accounts, &account, &output).await,
                Err(failure) => Err(failure),
            }
        }
        SessionCommand::End(options) => end(&opened, options, &output).await,
    };
    opened.close().await;
    done
}

async fn list(accounts: &Accounts, account: &Account, output: &Output<'_>) -> Result<(), Failure> {
    let sessions = sessions_of(accounts, account).await?;
    let row = |session: &ListedSession| {
        [
            on_one_line(&session.device),
            session.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
            time(Some(session.created_at), ""),
            time(Some(session.last_seen_at), ""),
            session.id.as_str().chars().take(SHOWN_DIGITS).collect(),
        ]
    };
    listing::print(&sessions, HEAD, row, &format!("{} has no session.", account.label()), output)
}

/// Returns all sessions of an account, the last used one first.
async fn sessions_of(accounts: &Accounts, account: &Account) -> Result<Vec<ListedSession>, Failure> {
    let page = async |cursor: Option<&str>| accounts.sessions(account, PAGE, cursor).await;
    let mut sessions: Vec<ListedSession> = all_pages(page).await?;
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
    Ok(sessions)
}

async fn end(opened: &Opened, options: &EndSessions, output: &Output<'_>) -> Result<(), Failure> {
    match &options.session {
        Some(prefix) => end_one(opened, options, prefix, output).await,
        None => end_all(opened, options, output).await,
    }
}

async fn end_one(
    opened: &Opened,
    options: &EndSessions,
    prefix: &SessionPrefix,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let account = find(&accounts, &options.account).await?;
    let label = account.label();
    let sessions = sessions_of(&accounts, &account).await?;
    let named: Vec<_> = sessions.iter().filter(|session| prefix.is_of(session.id.as_str())).collect();
    let missing = || {
        Failure::Refused(format!(
            "{label} has no session whose ID begins with {prefix}; list them: holdfast session list {}",
            account.email
        ))
    };
    let session = match named.as_slice() {
        [] => return Err(missing()),
        [session] => *session,
        several => {
            let count = several.len();
            return Err(Failure::Refused(format!(
                "{count} sessions of {label} have IDs that begin with {prefix}; give more digits"
            )));
        }
    };
    if !accounts.end_session_of(account.id, &session.id, Operator::Command).await? {
        return Err(missing());
    }
    let device = on_one_line(&session.device);
    output.print(&format!("Ended a session of {label}: {device}."), session)
}

async fn end_all(opened: &Opened, options: &EndSessions, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let end = async |account: Account| {
        let (id, version) = (account.id, account.version);
        let done = accounts.end_sessions(id, version, options.tokens, Operator::Command, None).await?;
        made_now(done, account.label())
    };
    let account: Account = change(&accounts, &options.account, end).await?;
    let label = account.label();
    let text = match options.tokens {
        true => format!("Ended all sessions of {label} and revoked all its tokens."),
        false => format!("Ended all sessions of {label}. Its tokens still work; --tokens revokes them too."),
    };
    output.print(&text, &AccountView::from(&account))
}
