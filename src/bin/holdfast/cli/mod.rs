//! The command line.

mod account;
mod data;
mod kafka;
mod raffle;
mod run;
mod serve;
mod session;
mod table;
mod token;

pub use account::{
    AccountCommand, AddAccount, ChangeRole, DeleteAccount, InviteAccount, ListAccounts, ResetAccount,
};
pub use data::{
    Backup, ExportCommand, ExportOrders, ExportTarget, ExportTickets, ImportCommand, ImportLeads, Restore,
    Upgrade,
};
pub use kafka::{Consume, Format, Replay};
pub use raffle::{RaffleCommand, VerifyProof};
pub use run::RunCommands;
pub use serve::{LimitOptions, ServeOptions};
pub use session::{EndSessions, SessionCommand, SessionPrefix};
pub use table::{DataOptions, TableOptions};
pub use token::{CreateToken, RevokeToken, TokenCommand};

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  holdfast                                   Serve on http://127.0.0.1:3000 with data in .holdfast
  holdfast --port 8080 --data-dir ~/holdfast     Serve elsewhere, with data elsewhere
  holdfast --port 0                          Serve on any free port, and print it
  holdfast --sign-up off                     Serve without sign-up
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
                                             Add an account; works while the server runs
  holdfast account link ann@example.com      Print a link that signs a person in who is locked out
  holdfast token create ann@example.com 'night import'
                                             Create an API token, and print its secret
  holdfast import leads contacts.csv         Import contacts; works while the server runs
  holdfast export orders --output orders.csv Export fulfilled orders, one row per lead
  holdfast run 'get_leads state=CA'          Run commands; 'help' lists them
  holdfast raffle verify proof.json          Verify a raffle's draw from its proof alone
  holdfast consume --brokers localhost:9092 --group holdfast
                                             Apply messages from a Kafka topic to stock
  holdfast replay messages.jsonl             Apply messages from a file to stock, each only once
  holdfast check                             Check the data file, and that every stock equals the sum of its movements
  holdfast backup monday.holdfast            Copy the local data to a file; works while the server runs

The first line on standard output is the address. The second is a link that signs the first administrator in once.
Logs go to standard error; RUST_LOG=debug shows more. Ctrl-C stops the server.";

/// A workspace for teams who compete for the same things at the same moment.
///
/// Serves pages and a JSON API on this computer, with an embedded database that keeps its data across restarts.
/// Without a command, it serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Log format on standard error
    #[arg(
        long,
        env = "HOLDFAST_LOG",
        value_enum,
        default_value = "text",
        global = true,
        value_name = "FORM"
    )]
    pub log: LogFormat,
    #[command(flatten)]
    pub serve: ServeOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line, for programs
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and the JSON API on this computer (the default command)
    Serve(ServeOptions),
    /// Manage accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// List and end the sessions of an account
    #[command(subcommand)]
    Session(SessionCommand),
    /// List, create, and revoke the API tokens of an account
    #[command(subcommand)]
    Token(TokenCommand),
    /// Import files
    #[command(subcommand)]
    Import(ImportCommand),
    /// Export files
    #[command(subcommand)]
    Export(ExportCommand),
    /// Run commands on leads and orders; 'help' lists them
    Run(RunCommands),
    /// Check raffles
    #[command(subcommand)]
    Raffle(RaffleCommand),
    /// Apply messages from a Kafka topic to stock, as a member of a consumer group, until Ctrl-C
    Consume(Consume),
    /// Apply messages from files to stock; replaying the same files changes nothing
    Replay(Replay),
    /// Check all local data, and that every stock equals the sum of its movements; print every difference
    #[command(after_help = data::CHECK_EXAMPLES)]
    Check(TableOptions),
    /// Write a copy of the local data to a new file; works while the server runs
    Backup(Backup),
    /// Restore a backup into an empty data directory
    Restore(Restore),
    /// Rewrite items from older versions in the current schema; works while the server runs
    Upgrade(Upgrade),
    /// Recompute the statistics; works while the server runs
    #[command(after_help = data::RECOUNT_EXAMPLES)]
    Recount(TableOptions),
}

impl Command {
    /// Returns the local data that a command works on. Returns `None` for `serve`, for a command on a table on AWS,
    /// and for a command that needs no data.
    pub fn local_data(&self) -> Option<&DataOptions> {
        let table = match self {
            Self::Serve(_) | Self::Raffle(_) | Self::Restore(_) => return None,
            Self::Backup(options) => return Some(&options.data),
            Self::Account(command) => &command.target().table,
            Self::Session(command) => &command.target().table,
            Self::Token(command) => &command.target().table,
            Self::Import(ImportCommand::Leads(options)) => &options.table,
            Self::Export(ExportCommand::Orders(options)) => &options.target.table,
            Self::Export(ExportCommand::Tickets(options)) => &options.target.table,
            Self::Run(options) => &options.table,
            Self::Consume(options) => &options.table,
            Self::Replay(options) => &options.table,
            Self::Upgrade(options) => &options.table,
            Self::Check(table) | Self::Recount(table) => table,
        };
        table.table.is_none().then_some(&table.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_invalid_value_gets_a_plain_message() {
        for (words, right) in [
            (&["holdfast", "--port", "x"][..], "A port is a whole number"),
            (&["holdfast", "--port", "65536"], "A port is a whole number"),
            (&["holdfast", "--table", "t", "--listen", "localhost"], "Give an IP address and a port"),
            (&["holdfast", "export", "tickets", "x"], "The ID of a raffle is a UUID"),
            (&["holdfast", "export", "orders", "--from", "x"], "day"),
            (&["holdfast", "account", "link", "ann"], "Give the email or ID of an account"),
            (&["holdfast", "account", "list", "--role", "owner"], "The role must be administrator"),
            (&["holdfast", "account", "list", "--state", "gone"], "invited, active, or disabled"),
            (&["holdfast", "account", "list", "--search", " "], "Give a word to search for"),
            (&["holdfast", "account", "delete", "ann@example.com"], "--leads-to <EMAIL>|--clear-leads"),
            (&["holdfast", "session", "end", "ann@example.com"], "--all"),
            (
                &["holdfast", "token", "create", "ann@example.com", "x", "--expires-in-days", "0"],
                "A token can last 1 to 3,650 days",
            ),
        ] {
            let error = Cli::try_parse_from(words).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                error.contains(right) && !error.contains("digit") && !error.contains("syntax"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_missing_command_means_serve() {
        for line in [&["holdfast", "--port", "8080"][..], &["holdfast", "serve", "--port", "8080"][..]] {
            let parsed = Cli::try_parse_from(line);
            let port = parsed.ok().and_then(|cli| match cli.command {
                Some(Command::Serve(options)) => Some(options.port),
                None => Some(cli.serve.port),
                Some(_) => None,
            });
            assert_eq!(port, Some(8080), "{line:?}");
        }
    }

    #[test]
    fn help_names_every_variable_and_has_examples() {
        let help = Cli::command().render_long_help().to_string();
        for part in [
            "HOLDFAST_PORT",
            "HOLDFAST_SIGN_UP",
            "HOLDFAST_INVITATION_CODE",
            "HOLDFAST_TRUSTED_PROXIES",
            "HOLDFAST_DATA_DIR",
            "--data-dir",
            "Examples:",
        ] {
            assert!(help.contains(part), "{part}");
        }
    }
}
