//! Why a command ended without having done its work, in words for the person at the terminal.

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
    /// The port is somebody else's.
    #[error("port {port} is in use; choose another with --port, for example --port {}", another(*.port))]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The port is that of a server on the same data.
    #[error(
        "port {port} is in use, by Holdfast on the same data: {held}; open that address, or stop it, or serve other data with --data-dir and --port"
    )]
    Running {
        /// The port.
        port: u16,
        /// Who holds the data.
        held: Held,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port}: {}; choose another with --port", system(.cause))]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        cause: io::Error,
    },
    /// The address cannot be listened on.
    #[cfg(feature = "aws")]
    #[error("cannot listen on {address}: {}; choose another with --listen", system(.cause))]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// A table is served under configured names alone, and there is none.
    #[cfg(feature = "aws")]
    #[error(
        "no name is configured under which this server is opened; give it with --host or HOLDFAST_HOSTS, for example --host desk.example.com"
    )]
    NoHost,
    /// There is no data to read.
    #[error(
        "there is no data in {}; name its directory with --data-dir, or make some there: start holdfast, or import",
        .directory.display()
    )]
    NoData {
        /// The data directory.
        directory: PathBuf,
    },
    /// Another process works on the data.
    #[error("the data in {} is in use: {held}; stop it, or choose other data with --data-dir", .directory.display())]
    DataHeld {
        /// The data directory.
        directory: PathBuf,
        /// Who holds it.
        held: Held,
    },
    /// A file of the data directory cannot be used.
    #[error("cannot {what} {}: {}", .path.display(), system(.cause))]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The embedded engine does not run.
    #[error("cannot open the data: {0}")]
    Engine(String),
    /// There is no backup.
    #[error("no backup was written: {0}")]
    Backup(String),
    /// A backup is restored into an empty directory only.
    #[error("{} has data already ({}); restore into another directory with --data-dir", .directory.display(), .file.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// What is there.
        file: PathBuf,
    },
    /// A recount came to no end.
    #[error("nothing was replaced: {0}")]
    Recount(String),
    /// Values of the local data are not what was written.
    #[error("{} are damaged or missing; restore the data from a backup", counted(*.0))]
    Damaged(u64),
    /// The data of the former engine cannot be taken over.
    #[error("the data of an earlier version in {} cannot be taken over: {cause}; the file is as it was", .path.display())]
    Former {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The server that has the data open does not run a command.
    #[error("the server that has this data open did not finish the command: {} ({at})", system(.cause))]
    Remote {
        /// Where it takes commands: the path of its socket, or its address.
        at: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A second signal asked to end at once.
    #[cfg(feature = "kafka")]
    #[error("ended at once")]
    EndedAtOnce,
    /// Serving ended by itself.
    #[error("the server stopped: {}", system(.0))]
    Serving(io::Error),
    /// The process cannot run tasks or hear signals.
    #[error("the system does not let this process run: {}", system(.0))]
    Runtime(io::Error),
    /// Standard input cannot be read.
    #[error("cannot read standard input: {}", system(.0))]
    Input(io::Error),
    /// The flags of sign-up do not fit.
    #[error("{0}")]
    SignUp(String),
    /// What was given as a password is none.
    #[error("this cannot be a password: {0}")]
    Password(Invalid),
    /// Standard output takes no more.
    #[error("cannot write to the end: {}", system(.0))]
    Output(io::Error),
    /// The days to export are in no order.
    #[error("these are not the days to export: {0}")]
    Days(Invalid),
    /// Commands have mistakes in them, and none was run.
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
    /// What was given as the proof of a draw is none.
    #[error(
        "this is no proof of a raffle: {0}; one is the JSON that the raffle's page and GET /api/raffles/ID/proof give"
    )]
    NoProof(String),
    /// A proof has nothing to check, or is to be checked in another way.
    #[error("this proof cannot be checked: {}", on_one_line(.0))]
    Unchecked(ProofError),
    /// A proof does not hold.
    #[error("this proof does not hold: {0}")]
    Untrue(ProofError),
    /// A file is not in the format that was said.
    #[error("{} was not replayed: {cause}", .path.display())]
    Retail {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: RetailError,
    },
    /// The first lines of a file are no messages.
    #[error(
        "{} was not replayed, for its first lines are no messages: line {line}: {flaw} A CSV file of a shop is read with --format online-retail",
        .path.display()
    )]
    NoMessages {
        /// The file.
        path: PathBuf,
        /// The first of the lines.
        line: u64,
        /// What is wrong with it.
        flaw: ParseError,
    },
    /// Files were read, and none of their rows came to anything.
    #[error("nothing was applied: {0}")]
    NothingApplied(&'static str),
    /// A file was read, and none of its rows became a lead.
    #[error("no lead was created: {0}")]
    NothingCreated(&'static str),
    /// The table took some messages and not others.
    #[error("not all messages were finished; the same command again goes on, and nothing counts twice")]
    Unfinished,
    /// Stocks are not what their movements say.
    #[error("{0} differences were found")]
    Differences(usize),
    /// This build lacks an optional part.
    #[cfg(any(test, not(all(feature = "aws", feature = "kafka"))))]
    #[error("this build has no {part}; build one that has it: cargo run --features {feature} -- {command} …")]
    NotBuilt {
        /// What it lacks.
        part: &'static str,
        /// The feature of Cargo that brings it.
        feature: &'static str,
        /// The command that was asked for.
        command: &'static str,
    },
    /// A topic cannot be consumed.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// Products cannot be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// No client of AWS can be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A table on AWS cannot be made.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    CreateTable(#[from] holdfast::hosts::table::CreateTableError),
    /// The server cannot begin as its environment says.
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

fn counted(values: u64) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

/// What the system said, without the number that Rust adds.
pub fn system(cause: &io::Error) -> String {
    let words = cause.to_string();
    words.rsplit_once(" (os error ").map_or(words.as_str(), |(words, _)| words).to_owned()
}

/// A port worth trying instead.
fn another(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(3000)
}

/// What another's file says in words, without what a terminal would obey.
pub fn on_one_line(words: &impl ToString) -> String {
    words.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Failure {
    /// The exit code: 130 for what a signal has ended, as shells have it, and 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            #[cfg(feature = "kafka")]
            Self::EndedAtOnce => 130,
            _ => 1,
        }
    }

    /// A file could not be used.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { what, path, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_told_without_a_number() {
        let failure = Failure::file("read", "a.csv")(io::Error::from_raw_os_error(2));
        let words = failure.to_string();
        assert!(words.starts_with("cannot read a.csv: ") && !words.contains("os error"), "{words}");
    }

    #[test]
    fn a_part_that_was_not_built_is_named_with_the_command_that_builds_it() {
        let failure = Failure::NotBuilt { part: "Kafka client", feature: "kafka", command: "consume" };
        assert_eq!(
            failure.to_string(),
            "this build has no Kafka client; build one that has it: cargo run --features kafka -- consume …"
        );
    }
}
