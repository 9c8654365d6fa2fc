//! `holdfast`: the desk on a computer of one's own, and commands on its data or on a table on AWS.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

mod account;
mod check;
mod cli;
#[cfg_attr(not(feature = "aws"), path = "cloud_not_built.rs")]
mod cloud;
#[cfg_attr(not(feature = "kafka"), path = "consume_not_built.rs")]
mod consume;
mod data;
mod engine;
mod export;
mod failure;
mod import;
mod lock;
mod raffle;
mod replay;
mod run;
mod serve;
mod signals;
mod table;
mod upgrade;
mod workers;

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::process::ExitCode;

use clap::Parser as _;
use holdfast::native;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::{AccountCommand, Cli, Command, ExportCommand, ImportCommand, LogForm, RaffleCommand};
use failure::Failure;

/// What is logged unless `RUST_LOG` says otherwise. The engine warns of every refused condition, which here is not a
/// fault but somebody who lost a race.
const LOGGED: &str = "info,dynoxide=error";

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.log);
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
        .and_then(|runtime| runtime.block_on(obey(cli)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody may be listening any more, and then there is nobody to tell.
            let _ = writeln!(stderr(), "holdfast: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Begins to log. Each request is told where the log is a deployment's (JSON), and on one's own computer if it is asked for.
fn log(form: LogForm) {
    let usual = match form {
        LogForm::Text => LOGGED.to_owned() + ",holdfast::requests=warn",
        LogForm::Json => LOGGED.to_owned(),
    };
    let registry = tracing_subscriber::registry().with(native::discreet()).with(native::log_filter(&usual));
    let events = tracing_subscriber::fmt::layer().with_writer(stderr);
    match form {
        LogForm::Text => registry.with(events.with_ansi(stderr().is_terminal())).init(),
        LogForm::Json => registry.with(events.json().flatten_event(true).with_span_list(false)).init(),
    }
}

async fn obey(cli: Cli) -> Result<(), Failure> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::run(&options).await,
        Command::Account { command: AccountCommand::Add(options) } => account::add(options).await,
        Command::Import { command: ImportCommand::Leads(options) } => import::leads(options).await,
        Command::Export { command: ExportCommand::Orders(options) } => export::orders(options).await,
        Command::Export { command: ExportCommand::Tickets(options) } => export::tickets(options).await,
        Command::Run(options) => run::commands(options).await,
        Command::Raffle { command: RaffleCommand::Verify(options) } => raffle::verify(&options),
        Command::Consume(options) => consume::run(options).await,
        Command::Replay(options) => replay::run(options).await,
        Command::Check(options) => check::run(options).await,
        Command::Upgrade(options) => upgrade::run(options).await,
    }
}

/// How the history names who works from a shell.
const ACTOR: &str = "Command line";

/// Writes a line to standard output. Where nobody reads it (a closed pipe), the work goes on.
fn say(line: &str) {
    let mut stdout = stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
