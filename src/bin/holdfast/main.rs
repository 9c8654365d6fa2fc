//! `holdfast`: the server for your own computer, and commands on its data or on a table on AWS.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program may use the system")]

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
mod files;
mod hosts;
mod http_server;
mod import;
mod listing;
mod local;
mod lock;
mod output;
mod raffle;
mod recount;
mod remote;
mod replay;
mod run;
mod serve;
mod session;
mod shutdown;
mod signals;
mod table;
mod takeover;
mod token;
mod upgrade;
mod workers;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::process::ExitCode;

use clap::Parser as _;
use holdfast::hosts::process;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::{Cli, Command, ExportCommand, ImportCommand, LogFormat, RaffleCommand};
use console::{Console, Terminal};
use failure::Failure;
use table::Host;

/// A request allocates thousands of small values, which took a quarter of its time with glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The default log filter. `RUST_LOG` overrides it.
const DEFAULT_FILTER: &str = "info";

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
        // Standard error may be closed, and then there is nowhere to report to.
        let _ = writeln!(stderr(), "holdfast: {failure}");
        ExitCode::from(failure.exit_code())
    })
}

/// Starts logging. Logs each request in JSON format, which deployments use; in text format, only if asked to.
fn log(format: LogFormat) {
    let filter = match format {
        LogFormat::Text => DEFAULT_FILTER.to_owned() + ",holdfast::requests=warn",
        LogFormat::Json => DEFAULT_FILTER.to_owned(),
    };
    let registry = tracing_subscriber::registry().with(process::redact()).with(process::log_filter(&filter));
    let events = tracing_subscriber::fmt::layer().with_writer(stderr);
    match format {
        LogFormat::Text => registry.with(events.with_ansi(stderr().is_terminal())).init(),
        LogFormat::Json => registry.with(events.json().flatten_event(true).with_span_list(false)).init(),
    }
}

/// Runs the command here, or in the server that has its data open.
async fn run_here_or_in_the_server(cli: Cli) -> Result<ExitCode, Failure> {
    let terminal = Terminal::new();
    if let Some(server) = cli.command.as_ref().and_then(Command::local_data).and_then(server_on) {
        // Only this command stops gracefully. Any other interrupted command can be run again.
        let consumes = matches!(cli.command, Some(Command::Consume(_)));
        let interrupts = if consumes { Some(terminal.signals()?) } else { None };
        return remote::send(server, std::env::args_os().collect(), interrupts).await;
    }
    execute(cli, &Host::Process, &terminal).await.map(|()| ExitCode::SUCCESS)
}

/// Returns the server that has the data in this directory open, if it accepts commands.
fn server_on(options: &cli::DataOptions) -> Option<remote::ServerAddress> {
    remote::ServerAddress::of(&data::DataDirectory::at(&options.data_dir).holder()?.0?)
}

async fn execute(cli: Cli, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve::run(&options).await,
        Command::Account(command) => account::run(command, host, console).await,
        Command::Session(command) => session::run(command, host, console).await,
        Command::Token(command) => token::run(command, host, console).await,
        Command::Import(ImportCommand::Leads(options)) => import::leads(options, host, console).await,
        Command::Export(ExportCommand::Orders(options)) => export::orders(options, host, console).await,
        Command::Export(ExportCommand::Tickets(options)) => export::tickets(options, host, console).await,
        Command::Run(options) => run::commands(options, host, console).await,
        Command::Raffle(RaffleCommand::Verify(options)) => raffle::verify(&options, console),
        Command::Consume(options) => consume::run(options, host, console).await,
        Command::Replay(options) => replay::run(options, host, console).await,
        Command::Check(table) => check::run(table, host, console).await,
        Command::Backup(options) => backup::backup(options, host, console).await,
        Command::Restore(options) => backup::restore(options, console).await,
        Command::Recount(table) => recount::run(table, host, console).await,
        Command::Upgrade(options) => upgrade::run(options, host, console).await,
    }
}

/// The actor in the history for changes from a shell.
const ACTOR: &str = "Command line";
