//! `holdfast`: the desk on a computer of one's own, and commands on its data or on a table on AWS.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a process of its own knows where it runs"
)]

mod account;
mod backup;
mod check;
mod cli;
#[cfg_attr(not(feature = "aws"), path = "cloud_not_built.rs")]
mod cloud;
mod console;
#[cfg_attr(not(feature = "kafka"), path = "consume_not_built.rs")]
mod consume;
mod data;
mod engine;
mod export;
mod failure;
mod hosts;
mod http_server;
mod import;
mod lock;
mod raffle;
mod recount;
mod remote;
mod replay;
mod run;
mod serve;
mod signals;
mod table;
mod takeover;
mod upgrade;
mod workers;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::process::ExitCode;

use clap::Parser as _;
use holdfast::hosts::process;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::{AccountCommand, Cli, Command, ExportCommand, ImportCommand, LogForm, RaffleCommand};
use console::{Console, Terminal};
use failure::Failure;
use table::Host;

/// A request allocates thousands of small values, which took a quarter of its time with the allocator of glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is logged unless `RUST_LOG` says otherwise.
const LOGGED: &str = "info";

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.log);
    process::log_panics();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
        .and_then(|runtime| runtime.block_on(run_here_or_in_the_server(cli)));
    done.unwrap_or_else(|failure| {
        // Nobody may be listening any more, and then there is nobody to tell.
        let _ = writeln!(stderr(), "holdfast: {failure}");
        ExitCode::from(failure.exit_code())
    })
}

/// Begins to log. Each request is told where the log is a deployment's (JSON), and on one's own computer if it is asked for.
fn log(form: LogForm) {
    let usual = match form {
        LogForm::Text => LOGGED.to_owned() + ",holdfast::requests=warn",
        LogForm::Json => LOGGED.to_owned(),
    };
    let registry = tracing_subscriber::registry().with(process::redact()).with(process::log_filter(&usual));
    let events = tracing_subscriber::fmt::layer().with_writer(stderr);
    match form {
        LogForm::Text => registry.with(events.with_ansi(stderr().is_terminal())).init(),
        LogForm::Json => registry.with(events.json().flatten_event(true).with_span_list(false)).init(),
    }
}

/// Obeys here, unless a server has the data open that the command works on: then it obeys, in this command's stead.
async fn run_here_or_in_the_server(cli: Cli) -> Result<ExitCode, Failure> {
    let terminal = Terminal::new();
    if let Some(server) = cli.command.as_ref().and_then(Command::local_data).and_then(server_on) {
        // Only this one ends in its own time. Any other command that is cut off can be run again.
        let consumes = matches!(cli.command, Some(Command::Consume(_)));
        let interrupts = if consumes { Some(terminal.signals()?) } else { None };
        return remote::send(server, std::env::args_os().collect(), interrupts).await;
    }
    obey(cli, &Host::Process, &terminal).await.map(|()| ExitCode::SUCCESS)
}

/// The server that has the data in this directory open, if it takes commands.
fn server_on(options: &cli::DataOptions) -> Option<remote::ServerAddress> {
    remote::ServerAddress::of(&data::DataDirectory::at(&options.data_dir).holder()?.0?)
}

async fn obey(cli: Cli, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::run(&options).await,
        Command::Account { command: AccountCommand::Add(options) } => {
            account::add(options, host, console).await
        }
        Command::Import { command: ImportCommand::Leads(options) } => {
            import::leads(options, host, console).await
        }
        Command::Export { command: ExportCommand::Orders(options) } => {
            export::orders(options, host, console).await
        }
        Command::Export { command: ExportCommand::Tickets(options) } => {
            export::tickets(options, host, console).await
        }
        Command::Run(options) => run::commands(options, host, console).await,
        Command::Raffle { command: RaffleCommand::Verify(options) } => raffle::verify(&options, console),
        Command::Consume(options) => consume::run(options, host, console).await,
        Command::Replay(options) => replay::run(options, host, console).await,
        Command::Check(options) => check::run(options, host, console).await,
        Command::Backup(options) => backup::backup(options, host, console).await,
        Command::Restore(options) => backup::restore(options, console).await,
        Command::Recount(options) => recount::run(options, host, console).await,
        Command::Upgrade(options) => upgrade::run(options, host, console).await,
    }
}

/// How the history names who works from a shell.
const ACTOR: &str = "Command line";
