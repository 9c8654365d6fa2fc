//! `holdfast token`: lists, creates and revokes the API tokens of an account.

use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{Account, Token, TokenDraft};
use holdfast::accounts::{AccountError, Accounts};
use serde::Serialize;

use crate::account::named::{find, made_now, refused};
use crate::cli::{CreateToken, RevokeToken, TokenCommand};
use crate::console::Console;
use crate::failure::{Failure, on_one_line};
use crate::listing::{self, PAGE, all_pages, time};
use crate::output::Output;
use crate::table::{Host, Opened};

const HEAD: [&str; 7] = ["NAME", "ROLE", "PREFIX", "CREATED", "EXPIRES", "LAST USED", "ID"];

/// A new token as JSON.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    token: &'a Token,
    secret: &'a str,
}

/// Runs a command on tokens.
pub async fn run(command: TokenCommand, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let target = command.target();
    let opened = host.open_existing(&target.table).await?;
    let output = Output { console, json: target.json };
    let done = run_on(&opened, &command, &output).await;
    opened.close().await;
    done
}

async fn run_on(opened: &Opened, command: &TokenCommand, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    match command {
        TokenCommand::List(options) => {
            let account = find(&accounts, &options.account).await?;
            list(&accounts, &account, output).await
        }
        TokenCommand::Create(options) => {
            let account = find(&accounts, &options.account).await?;
            create(&accounts, &account, options, output).await
        }
        TokenCommand::Revoke(options) => {
            let account = find(&accounts, &options.account).await?;
            revoke(&accounts, &account, options, output).await
        }
    }
}

async fn list(accounts: &Accounts, account: &Account, output: &Output<'_>) -> Result<(), Failure> {
    let tokens = tokens_of(accounts, account).await?;
    let row = |token: &Token| {
        [
            token.name.to_string(),
            token.role.to_string(),
            token.prefix.clone().unwrap_or_else(|| "unknown".to_owned()),
            time(Some(token.created_at), ""),
            time(token.expires_at, "never"),
            time(token.last_used_at, "never"),
            token.id.to_string(),
        ]
    };
    listing::print(&tokens, HEAD, row, &format!("{} has no token.", account.label()), output)
}

async fn tokens_of(accounts: &Accounts, account: &Account) -> Result<Vec<Token>, Failure> {
    all_pages(async |cursor: Option<&str>| accounts.tokens(account.id, PAGE, cursor).await).await
}

/// Creates a token. Standard output gets the secret alone, so that a script can keep it.
async fn create(
    accounts: &Accounts,
    account: &Account,
    options: &CreateToken,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let role = options.role.unwrap_or(account.role);
    let days = if options.no_expiry { None } else { Some(options.expires_in_days) };
    let draft = TokenDraft { name: options.name.clone(), role, days };
    let made = accounts.create_token(account.id, draft, Operator::Command, None).await;
    let made = made.map_err(|error| not_created(error, account, options))?;
    let (token, secret) = made_now(made, account.label())?;
    if output.json {
        return output.print_json(&WithSecret { token: &token, secret: secret.reveal() });
    }
    let expiry = match token.expires_at {
        Some(at) => format!("expires on {}", time(Some(at), "")),
        None => "does not expire".to_owned(),
    };
    let (name, role) = (&token.name, token.role);
    output.console.note(&format!("Created the token {name} of {} as {role}. It {expiry}.", account.label()));
    output.console.note("This is its secret, which is not shown again:");
    output.write(secret.reveal())
}

/// Returns why a token was not created.
fn not_created(error: AccountError, account: &Account, options: &CreateToken) -> Failure {
    let label = account.label();
    match error {
        AccountError::RoleTooHigh(highest) => {
            let asked = options.role.map(|role| format!(" cannot be {role}")).unwrap_or_default();
            Failure::Refused(format!(
                "{label} is {highest}, so its token{asked}; choose {highest} or a lower role with --role"
            ))
        }
        AccountError::NotActive => Failure::Refused(format!(
            "{label} is {}, so its tokens would not work; the account must be active",
            account.status
        )),
        AccountError::NoLongerAllowed => Failure::Contended(label),
        error => refused(error, label),
    }
}

async fn revoke(
    accounts: &Accounts,
    account: &Account,
    options: &RevokeToken,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let tokens = tokens_of(accounts, account).await?;
    let token = named(&tokens, &options.token, account)?;
    let revoked = accounts.revoke_token(account.id, token.id, Operator::Command, None).await;
    let token = revoked.map_err(|error| match error {
        AccountError::NoSuchToken => missing(&options.token, account),
        error => refused(error, account.label()),
    })?;
    let token = made_now(token, account.label())?;
    output.print(&format!("Revoked the token {} of {}.", token.name, account.label()), &token)
}

/// Returns the token with this id or name. A name may belong to several tokens.
fn named<'a>(tokens: &'a [Token], text: &str, account: &Account) -> Result<&'a Token, Failure> {
    let text = text.trim();
    if let Some(token) = tokens.iter().find(|token| token.id.to_string() == text) {
        return Ok(token);
    }
    let named: Vec<&Token> = tokens.iter().filter(|token| token.name.as_str() == text).collect();
    match named.as_slice() {
        [] => Err(missing(text, account)),
        [token] => Ok(token),
        several => {
            let ids: Vec<_> = several.iter().map(|token| token.id.to_string()).collect();
            Err(Failure::Refused(format!(
                "{} tokens of {} are called {text}; name one by its ID: {}",
                ids.len(),
                account.label(),
                ids.join(", ")
            )))
        }
    }
}

fn missing(text: &str, account: &Account) -> Failure {
    Failure::Refused(format!(
        "{} has no token with the ID or name {}; list them: holdfast token list {}",
        account.label(),
        on_one_line(&text),
        account.email
    ))
}
