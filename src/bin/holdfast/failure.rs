//! Why a command failed, as a message for the person at the terminal.

use std::io;
#[cfg(feature = "aws")]
use std::net::SocketAddr;
use std::path::PathBuf;

use holdfast::accounts::AccountError;
use holdfast::accounts::agents::AccountReference;
use holdfast::base::values::Invalid;
#[cfg(feature = "kafka")]
use holdfast::hosts::kafka::ConsumeError;
use holdfast::hosts::process::{ClientError, StartError};
use holdfast::imports::ImportError;
use holdfast::inventory::InventoryError;
use holdfast::inventory::domain::ParseError;
use holdfast::inventory::retail::RetailError;
use holdfast::leads::LeadError;
use holdfast::orders::OrderError;
use holdfast::raffles::RaffleError;
use holdfast::raffles::domain::ProofError;
use holdfast::rules::RuleError;
use holdfast::shared::numbers::counted;
use holdfast::store::StoreError;

use crate::lock::Held;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("port {port} is in use; choose another with --port, for example --port {}", another_port(*.port))]
    PortTaken { port: u16 },
    #[error(
        "port {port} is in use, by Holdfast on the same data: {held}; open that address, or stop it, or serve other data with --data-dir and --port"
    )]
    Running { port: u16, held: Held },
    #[error("cannot listen on port {port}: {}; choose another with --port", system(.cause))]
    Listen { port: u16, cause: io::Error },
    #[cfg(feature = "aws")]
    #[error("cannot listen on {address}: {}; choose another with --listen", system(.cause))]
    Address { address: SocketAddr, cause: io::Error },
    #[cfg(feature = "aws")]
    #[error(
        "no host name is configured for this server; set one with --host or HOLDFAST_HOSTS, for example --host holdfast.example.com"
    )]
    NoHost,
    #[error(
        "there is no data in {}; set its directory with --data-dir, or create data: start holdfast or import a file",
        .directory.display()
    )]
    NoData { directory: PathBuf },
    #[error("the data in {} is in use: {held}; stop it, or choose other data with --data-dir", .directory.display())]
    DataHeld { directory: PathBuf, held: Held },
    #[error("cannot {what} {}: {}", .path.display(), system(.cause))]
    File { what: &'static str, path: PathBuf, cause: io::Error },
    #[error("cannot open the data: {0}")]
    Engine(String),
    #[error("no backup was written: {0}")]
    Backup(String),
    #[error("{} already has data ({}); restore into another directory with --data-dir", .directory.display(), .file.display())]
    NotEmpty { directory: PathBuf, file: PathBuf },
    #[error("nothing was replaced: {0}")]
    Recount(String),
    #[error("{} damaged or missing; restore the data from a backup", counted(*.0, "value is", "values are"))]
    Damaged(u64),
    #[error("the data of an earlier version in {} cannot be imported: {cause}; the file is unchanged", .path.display())]
    Former { path: PathBuf, cause: String },
    #[error("the server that has this data open did not finish the command: {} ({at})", system(.cause))]
    Remote { at: String, cause: io::Error },
    /// A second signal stopped the command immediately.
    #[cfg(feature = "kafka")]
    #[error("stopped immediately")]
    EndedAtOnce,
    #[error("the server stopped: {}", system(.0))]
    Serving(io::Error),
    #[error("cannot start the process: {}", system(.0))]
    Runtime(io::Error),
    #[error("cannot read standard input: {}", system(.0))]
    Input(io::Error),
    #[error("{0}")]
    SignUp(String),
    #[error("invalid password: {0}")]
    Password(Invalid),
    #[error("no account has {}; `holdfast account list` shows all accounts", named(.0))]
    NoAccount(AccountReference),
    #[error(
        "{0} is the last active administrator; make another person an administrator first: holdfast account role EMAIL administrator"
    )]
    LastAdministrator(String),
    #[error("the account of {0} just changed; run the command again")]
    Contended(String),
    /// An account, a session or a token does not allow the command. The text says why.
    #[error("{0}")]
    Refused(String),
    #[error("cannot write all output: {}", system(.0))]
    Output(io::Error),
    #[error("invalid days to export: {0}")]
    Days(Invalid),
    #[error("nothing was run: {0}")]
    Commands(String),
    #[error("{failed} of {} failed", counted(*.all, "command", "commands"))]
    CommandsFailed { failed: usize, all: usize },
    #[error(
        "this is not a raffle proof: {0}; a proof is the JSON from the raffle's page or GET /api/raffles/ID/proof"
    )]
    NoProof(String),
    #[error("this proof cannot be checked: {}", on_one_line(.0))]
    Unchecked(ProofError),
    #[error("this proof does not hold: {0}")]
    Untrue(ProofError),
    #[error("{} was not replayed: {cause}", .path.display())]
    Retail { path: PathBuf, cause: RetailError },
    #[error(
        "{} was not replayed, because its first lines are not messages: line {line}: {cause} Use --format online-retail for a shop's CSV file",
        .path.display()
    )]
    NoMessages { path: PathBuf, line: u64, cause: ParseError },
    #[error("nothing was applied: {0}")]
    NothingApplied(&'static str),
    #[error("nothing was created: {0}")]
    NothingCreated(String),
    #[error("the file has more than {0} MB; split it, with the headers in each part")]
    LargeFile(u64),
    #[error("{} rejected; correct them, or use --allow-rejects if that is expected", counted(*.0, "row was", "rows were"))]
    RowsRejected(u64),
    #[error("not all messages were finished; run the same command again to continue; nothing counts twice")]
    Unfinished,
    #[error("{} found", counted(*.0, "difference was", "differences were"))]
    Differences(usize),
    #[cfg(any(test, not(all(feature = "aws", feature = "kafka"))))]
    #[error("this build has no {part}; build one that has it: cargo run --features {feature} -- {command} …")]
    NotBuilt { part: &'static str, feature: &'static str, command: &'static str },
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    CreateTable(#[from] holdfast::hosts::table::CreateTableError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Lead(#[from] LeadError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Raffle(#[from] RaffleError),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Account(#[from] AccountError),
}

fn named(account: &AccountReference) -> String {
    match account {
        AccountReference::Id(id) => format!("the ID {id}"),
        AccountReference::Email(email) => format!("the email {email}"),
    }
}

/// Returns the system's error message, without the number that Rust appends.
pub fn system(cause: &io::Error) -> String {
    let words = cause.to_string();
    words.rsplit_once(" (os error ").map_or(words.as_str(), |(words, _)| words).to_owned()
}

fn another_port(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(3000)
}

/// Returns text from an untrusted file, with control characters replaced, which a terminal could act on.
pub fn on_one_line(words: &impl ToString) -> String {
    words.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Failure {
    /// Returns the exit code: 130 after a signal, as in shells, and 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            #[cfg(feature = "kafka")]
            Self::EndedAtOnce => 130,
            _ => 1,
        }
    }

    pub fn engine(error: impl ToString) -> Self {
        Self::Engine(error.to_string())
    }

    /// Returns a function that wraps an error of this file.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { what, path, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_error_is_shown_without_its_number() {
        let failure = Failure::file("read", "a.csv")(io::Error::from_raw_os_error(2));
        let words = failure.to_string();
        assert!(words.starts_with("cannot read a.csv: ") && !words.contains("os error"), "{words}");
    }

    #[test]
    fn a_missing_part_names_the_command_that_builds_it() {
        let failure = Failure::NotBuilt { part: "Kafka client", feature: "kafka", command: "consume" };
        assert_eq!(
            failure.to_string(),
            "this build has no Kafka client; build one that has it: cargo run --features kafka -- consume …"
        );
    }
}
