//! Why a command failed, as a message for the person at the terminal.

use std::io;
#[cfg(feature = "aws")]
use std::net::SocketAddr;
use std::path::PathBuf;

use holdfast::accounts::AccountError;
use holdfast::base::values::Invalid;
#[cfg(feature = "kafka")]
use holdfast::hosts::kafka::ConsumeError;
use holdfast::hosts::process::{ClientError, StartError};
use holdfast::imports::ImportError;
use holdfast::inventory::InventoryError;
use holdfast::inventory::domain::ParseError;
use holdfast::inventory::retail::RetailError;
use holdfast::orders::OrderError;
use holdfast::raffles::RaffleError;
use holdfast::raffles::domain::ProofError;
use holdfast::rules::RuleError;
use holdfast::store::StoreError;

use crate::lock::Held;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another process uses the port.
    #[error("port {port} is in use; choose another with --port, for example --port {}", another_port(*.port))]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A server on the same data uses the port.
    #[error(
        "port {port} is in use, by Holdfast on the same data: {held}; open that address, or stop it, or serve other data with --data-dir and --port"
    )]
    Running {
        /// The port.
        port: u16,
        /// The process that holds the data.
        held: Held,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port}: {}; choose another with --port", system(.cause))]
    Listen {
        /// The port.
        port: u16,
        /// The system's error.
        cause: io::Error,
    },
    /// The address cannot be listened on.
    #[cfg(feature = "aws")]
    #[error("cannot listen on {address}: {}; choose another with --listen", system(.cause))]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// A table is served under configured names only, and none is configured.
    #[cfg(feature = "aws")]
    #[error(
        "no host name is configured for this server; set one with --host or HOLDFAST_HOSTS, for example --host holdfast.example.com"
    )]
    NoHost,
    /// There is no data to read.
    #[error(
        "there is no data in {}; set its directory with --data-dir, or create data: start holdfast or import a file",
        .directory.display()
    )]
    NoData {
        /// The data directory.
        directory: PathBuf,
    },
    /// Another process uses the data.
    #[error("the data in {} is in use: {held}; stop it, or choose other data with --data-dir", .directory.display())]
    DataHeld {
        /// The data directory.
        directory: PathBuf,
        /// The process that holds it.
        held: Held,
    },
    /// A file of the data directory cannot be used.
    #[error("cannot {what} {}: {}", .path.display(), system(.cause))]
    File {
        /// The operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The embedded engine cannot be opened.
    #[error("cannot open the data: {0}")]
    Engine(String),
    /// No backup was written.
    #[error("no backup was written: {0}")]
    Backup(String),
    /// A backup can be restored only into an empty directory.
    #[error("{} has data already ({}); restore into another directory with --data-dir", .directory.display(), .file.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// A file in it.
        file: PathBuf,
    },
    /// A recount did not finish.
    #[error("nothing was replaced: {0}")]
    Recount(String),
    /// Values of the local data are damaged.
    #[error("{} are damaged or missing; restore the data from a backup", plural(*.0))]
    Damaged(u64),
    /// The data of the former engine cannot be imported.
    #[error("the data of an earlier version in {} cannot be imported: {cause}; the file is unchanged", .path.display())]
    Former {
        /// Its file.
        path: PathBuf,
        /// The reason.
        cause: String,
    },
    /// The server that has the data open did not run a command.
    #[error("the server that has this data open did not finish the command: {} ({at})", system(.cause))]
    Remote {
        /// The path of its socket, or its address.
        at: String,
        /// The system's error.
        cause: io::Error,
    },
    /// A second signal stopped the command immediately.
    #[cfg(feature = "kafka")]
    #[error("stopped immediately")]
    EndedAtOnce,
    /// The server stopped by itself.
    #[error("the server stopped: {}", system(.0))]
    Serving(io::Error),
    /// The process cannot run tasks or receive signals.
    #[error("cannot start the process: {}", system(.0))]
    Runtime(io::Error),
    /// Standard input cannot be read.
    #[error("cannot read standard input: {}", system(.0))]
    Input(io::Error),
    /// The sign-up flags are invalid.
    #[error("{0}")]
    SignUp(String),
    /// A password is invalid.
    #[error("invalid password: {0}")]
    Password(Invalid),
    /// Standard output cannot be written.
    #[error("cannot write all output: {}", system(.0))]
    Output(io::Error),
    /// The range of days to export is invalid.
    #[error("invalid days to export: {0}")]
    Days(Invalid),
    /// The commands have errors, and none was run.
    #[error("nothing was run: {0}")]
    Commands(String),
    /// Some commands failed.
    #[error("{failed} of {all} commands failed")]
    CommandsFailed {
        /// How many failed.
        failed: usize,
        /// How many there were.
        all: usize,
    },
    /// A file is not the proof of a draw.
    #[error(
        "this is not a raffle proof: {0}; a proof is the JSON from the raffle's page or GET /api/raffles/ID/proof"
    )]
    NoProof(String),
    /// A proof is incomplete, or must be checked in another way.
    #[error("this proof cannot be checked: {}", on_one_line(.0))]
    Unchecked(ProofError),
    /// A proof does not hold.
    #[error("this proof does not hold: {0}")]
    Untrue(ProofError),
    /// A file does not have the given format.
    #[error("{} was not replayed: {cause}", .path.display())]
    Retail {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: RetailError,
    },
    /// The first lines of a file are not messages.
    #[error(
        "{} was not replayed, because its first lines are not messages: line {line}: {cause} Use --format online-retail for a shop's CSV file",
        .path.display()
    )]
    NoMessages {
        /// The file.
        path: PathBuf,
        /// The first of these lines.
        line: u64,
        /// The reason.
        cause: ParseError,
    },
    /// None of the rows of the files could be applied.
    #[error("nothing was applied: {0}")]
    NothingApplied(&'static str),
    /// None of the rows of a file became a lead.
    #[error("no lead was created: {0}")]
    NothingCreated(&'static str),
    /// The table accepted some messages and not others.
    #[error("not all messages were finished; run the same command again to continue; nothing counts twice")]
    Unfinished,
    /// Some stock differs from the sum of its movements.
    #[error("{0} differences were found")]
    Differences(usize),
    /// This build lacks an optional part.
    #[cfg(any(test, not(all(feature = "aws", feature = "kafka"))))]
    #[error("this build has no {part}; build one that has it: cargo run --features {feature} -- {command} …")]
    NotBuilt {
        /// The missing part.
        part: &'static str,
        /// The Cargo feature that adds it.
        feature: &'static str,
        /// The requested command.
        command: &'static str,
    },
    /// A topic cannot be consumed.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// Products cannot be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// No AWS client can be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A table on AWS cannot be created.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    CreateTable(#[from] holdfast::hosts::table::CreateTableError),
    /// The environment is invalid.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file cannot be imported, or its import failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Orders cannot be read.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A raffle cannot be read.
    #[error(transparent)]
    Raffle(#[from] RaffleError),
    /// A rule cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something about accounts failed.
    #[error(transparent)]
    Account(#[from] AccountError),
}

fn plural(values: u64) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

/// Returns the system's error message, without the number that Rust appends.
pub fn system(cause: &io::Error) -> String {
    let words = cause.to_string();
    words.rsplit_once(" (os error ").map_or(words.as_str(), |(words, _)| words).to_owned()
}

/// Returns another port to try.
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
