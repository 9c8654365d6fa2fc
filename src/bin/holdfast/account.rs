//! `holdfast account`: manages accounts from the shell.

mod add;
mod change;
mod delete;
mod link;
mod list;
pub mod named;

use holdfast::accounts::password::Password;

use crate::cli::AccountCommand;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Host, Opened};

/// Runs a command on accounts.
pub async fn run(command: AccountCommand, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    // A password that is refused leaves no data directory behind.
    let password = match &command {
        AccountCommand::Add(options) => add::password(options, console)?,
        _ => None,
    };
    let target = command.target();
    let opened = match &command {
        AccountCommand::Add(_) | AccountCommand::Invite(_) => host.open(&target.table).await?,
        _ => host.open_existing(&target.table).await?,
    };
    let output = Output { console, json: target.json };
    let done = run_on(&opened, command, password, &output).await;
    opened.close().await;
    done
}

async fn run_on(
    opened: &Opened,
    command: AccountCommand,
    password: Option<Password>,
    output: &Output<'_>,
) -> Result<(), Failure> {
    match command {
        AccountCommand::Add(options) => add::add(opened, options, password, output).await,
        AccountCommand::List(options) => list::list(opened, &options, output).await,
        AccountCommand::Invite(options) => link::invite(opened, options, output).await,
        AccountCommand::Disable(options) => change::disable(opened, &options.account, output).await,
        AccountCommand::Enable(options) => change::enable(opened, &options.account, output).await,
        AccountCommand::Role(options) => change::role(opened, &options, output).await,
        AccountCommand::Link(options) => link::link(opened, &options.account, output).await,
        AccountCommand::Reset(options) => link::reset(opened, &options, output).await,
        AccountCommand::Delete(options) => delete::delete(opened, &options, output).await,
    }
}
