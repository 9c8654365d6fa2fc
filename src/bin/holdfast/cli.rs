//! The command line.

use std::fmt;
#[cfg(feature = "aws")]
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::RangedI64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use holdfast::accounts::sign_up::{SignUp, SignUpFaults};
use holdfast::base::identity::Role;
use holdfast::base::values::{Email, Invalid, Name};
use holdfast::hosts::kafka::Setting;
use holdfast::orders::period;
use holdfast::raffles::domain::RaffleId;
use holdfast::web::client::TrustedProxies;
use jiff::civil::Date;

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  holdfast                                   Serve on http://127.0.0.1:3000 with data in .holdfast
  holdfast --port 8080 --data-dir ~/desk     Serve elsewhere, with data elsewhere
  holdfast --port 0                          Serve on any free port, and print it
  holdfast --sign-up off                     Serve without sign-up
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
                                             Add an account; works while the server runs
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
    /// Command to run; serves if omitted.
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
    /// Options for serving when no command is given.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// A log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line, for programs
    Json,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and the JSON API on this computer (the default command)
    Serve(ServeOptions),
    /// Manage accounts
    Account {
        /// Account command
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Import files
    Import {
        /// What to import
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Export files
    Export {
        /// What to export
        #[command(subcommand)]
        command: ExportCommand,
    },
    /// Run commands on leads and orders; 'help' lists them
    Run(RunCommands),
    /// Check raffles
    Raffle {
        /// Raffle command
        #[command(subcommand)]
        command: RaffleCommand,
    },
    /// Apply messages from a Kafka topic to stock, as a member of a consumer group, until Ctrl-C
    Consume(Consume),
    /// Apply messages from files to stock; replaying the same files changes nothing
    Replay(Replay),
    /// Check all local data, and that every stock equals the sum of its movements; print every difference
    Check(Check),
    /// Write a copy of the local data to a new file; works while the server runs
    Backup(Backup),
    /// Restore a backup into an empty data directory
    Restore(Restore),
    /// Rewrite items from older versions in the current schema; works while the server runs
    Upgrade(Upgrade),
    /// Recompute the statistics; works while the server runs
    Recount(Recount),
}

impl Command {
    /// Returns the local data that a command works on. Returns `None` for `serve`, for a command on a table on AWS,
    /// and for a command that needs no data.
    pub fn local_data(&self) -> Option<&DataOptions> {
        let table = match self {
            Self::Serve(_) | Self::Raffle { .. } | Self::Restore(_) => return None,
            Self::Backup(options) => return Some(&options.data),
            Self::Account { command: AccountCommand::Add(options) } => &options.table,
            Self::Import { command: ImportCommand::Leads(options) } => &options.table,
            Self::Export { command: ExportCommand::Orders(options) } => &options.table,
            Self::Export { command: ExportCommand::Tickets(options) } => &options.table,
            Self::Run(options) => &options.table,
            Self::Consume(options) => &options.table,
            Self::Replay(options) => &options.table,
            Self::Check(options) => &options.table,
            Self::Upgrade(options) => &options.table,
            Self::Recount(options) => &options.table,
        };
        table.table.is_none().then_some(&table.data)
    }
}

const CONSUME_EXAMPLES: &str = "\
Examples:
  holdfast consume --brokers localhost:9092 --group holdfast
  holdfast consume --brokers b1:9092,b2:9092 --group holdfast --set session.timeout.ms=30000
  holdfast consume --brokers localhost:9092 --group holdfast --table desk --region us-east-1

Producers must give all messages of a SKU the same key, because Kafka orders messages only within a partition. Run one
consumer per partition to share the work. Each message counts once, even if it is delivered again. A message that cannot
be applied becomes a dead letter, and the consumer continues. Ctrl-C finishes running work, commits it and leaves the
group. A second Ctrl-C stops immediately, which is safe. A consumer that runs on a local server's data stops with that
server: start it again after you restart the server.";

/// Options of `consume`.
#[derive(Debug, Args)]
#[command(after_help = CONSUME_EXAMPLES)]
pub struct Consume {
    /// Initial brokers, separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: String,
    /// Consumer group to join
    #[arg(long)]
    pub group: String,
    /// Topic with the messages
    #[arg(long, default_value = "inventory-events")]
    pub topic: String,
    /// Additional librdkafka setting; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Table with the stock
    #[command(flatten)]
    pub table: TableOptions,
}

#[cfg(feature = "kafka")]
impl Consume {
    /// Returns the options of the consumer.
    pub fn kafka(&self) -> holdfast::hosts::kafka::Options {
        holdfast::hosts::kafka::Options {
            brokers: self.brokers.clone(),
            group: self.group.clone(),
            topic: self.topic.clone(),
            settings: self.set.clone(),
        }
    }
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  holdfast replay messages.jsonl
  holdfast replay --dry-run messages.jsonl
  holdfast replay --format online-retail 2010-12-01.csv 2010-12-02.csv
  holdfast replay messages.jsonl --table desk --region us-east-1

A message without a messageId is identified by its file's contents and its line. If the first lines of a file are not
messages, the file is refused before anything is written. The exit code is 1 if no row could be applied, now or before.
Online Retail data is the UCI data set of that name, or Online Retail II: each row of a product is a message, and each
product starts with a count of everything that leaves it in all given files. So give all files of one history in one
command: a later command with more files counts again. Ctrl-C is safe: run the same command again to continue.";

/// The format of the files to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON message per line
    Messages,
    /// The CSV columns of the UCI data sets Online Retail and Online Retail II
    OnlineRetail,
}

/// Options of `replay`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// Files, in order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Format of the files
    #[arg(long, value_enum, default_value = "messages")]
    pub format: Format,
    /// Read the files and report their contents without writing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Table with the stock
    #[command(flatten)]
    pub table: TableOptions,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  holdfast check
  holdfast check --table desk --region us-east-1

The exit code is 0 if every value of the local data is intact and every stock equals the sum of its movements, and 1
otherwise. For a table on AWS, only the stock is checked.";

/// Options of `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct Check {
    /// Table with the stock
    #[command(flatten)]
    pub table: TableOptions,
}

const BACKUP_EXAMPLES: &str = "\
Examples:
  holdfast backup monday.holdfast
  holdfast backup /mnt/backups/$(date +%F).holdfast --data-dir ~/desk

The copy shows the data at one moment, and the server keeps running. It contains everything except the session cookie
key. Keep it where only you can read it. AWS backs up a table on AWS (point-in-time recovery).";

/// Options of `backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub struct Backup {
    /// New file for the copy
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  holdfast restore monday.holdfast --data-dir restored
  holdfast --data-dir restored

The whole backup is checked before it is used. Everyone must sign in again, because the session cookie key is new. API
tokens stay valid.";

/// Options of `restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct Restore {
    /// File written by holdfast backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

/// Options of `upgrade`.
#[derive(Debug, Args)]
#[command(after_help = UPGRADE_EXAMPLES)]
pub struct Upgrade {
    /// Table with the items
    #[command(flatten)]
    pub table: TableOptions,
    /// Confirm that no earlier version runs any more, so that all new items use the current schema
    #[arg(long)]
    pub finish: bool,
}

/// Options of `recount`.
#[derive(Debug, Args)]
#[command(after_help = RECOUNT_EXAMPLES)]
pub struct Recount {
    /// Table with the leads and orders
    #[command(flatten)]
    pub table: TableOptions,
}

const RECOUNT_EXAMPLES: &str = "\
Examples:
  holdfast recount
  holdfast recount --table desk --region us-east-1

Reads all leads and orders page by page, and corrects the counts of leads by status, stock and state. Everyone can keep
working: changes during the recount are counted too. Daily counts keep what they have and gain what was missed. Run it
after you restore a table to an earlier time, or when counts look wrong. If it is interrupted, run it again.";

const UPGRADE_EXAMPLES: &str = "\
Examples:
  holdfast upgrade
  holdfast upgrade --table desk --region us-east-1

A new version of Holdfast reads the items of the version before it. So you can run this at any time after a deployment,
and you must run it before you deploy the next version with another schema. It reads the whole table and rewrites items
that use an older schema, unless they change at the same time. If it is interrupted, run it again.";

/// A raffle command.
#[derive(Debug, Subcommand)]
pub enum RaffleCommand {
    /// Verify the proof of a draw: that the seed matches the commitment, and that the seed and the sold tickets give
    /// the winner
    Verify(VerifyProof),
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  holdfast raffle verify raffle.json
  curl -s https://desk.example/api/raffles/$ID/proof -H \"Authorization: Bearer $TOKEN\" | holdfast raffle verify -

Only the file is read: no table, no data directory, no network. The exit code is 0 if the proof holds, and 1 if it does
not or cannot be checked. Compare the printed commitment with the one that the raffle's page showed before the draw: no
file can prove that.";

/// Options of `raffle verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct VerifyProof {
    /// File with the proof, from the raffle's page or GET /api/raffles/ID/proof; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What to export.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Export fulfilled orders as CSV, one row per lead; times are in New York time with their offset
    Orders(ExportOrders),
    /// Export a raffle's sold tickets as CSV, one row per ticket; times are in New York time with their offset
    Tickets(ExportTickets),
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  holdfast export orders > orders.csv
  holdfast export orders --from 2026-03-01 --to 2026-03-31 --output march.csv
  holdfast export orders --table desk --region us-east-1";

/// Options of `export orders`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct ExportOrders {
    /// First day of fulfillment in New York, for example 2026-03-01
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub from: Option<Date>,
    /// Last day of fulfillment in New York
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub to: Option<Date>,
    /// New file to write; standard output if omitted
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Table with the orders
    #[command(flatten)]
    pub table: TableOptions,
}

const TICKETS_EXAMPLES: &str = "\
Examples:
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 > tickets.csv
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 --output tickets.csv";

/// Options of `export tickets`.
#[derive(Debug, Args)]
#[command(after_help = TICKETS_EXAMPLES)]
pub struct ExportTickets {
    /// Id of the raffle, from the end of its page's address
    #[arg(value_name = "RAFFLE_ID")]
    pub raffle: RaffleId,
    /// New file to write; standard output if omitted
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Table with the tickets
    #[command(flatten)]
    pub table: TableOptions,
}

const RUN_EXAMPLES: &str = "\
Examples:
  holdfast run help
  holdfast run 'get_leads status=unassigned state=CA'
  holdfast run < commands.txt
  holdfast run 'get_orders status=open' --table desk --region us-east-1

One command per line. All lines are parsed before the first one runs; if any is invalid, none runs. A failed line does
not stop the others, and the exit code is then 1.";

/// Options of `run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunCommands {
    /// Commands, one per line; read from standard input if omitted
    #[arg(value_name = "COMMANDS")]
    pub commands: Option<String>,
    /// Table to run them on
    #[command(flatten)]
    pub table: TableOptions,
}

/// What to import.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Import leads from a CSV file with a header row; columns are matched by their headers, and rows whose email
    /// address belongs to an existing lead are skipped, so importing the same file twice does no harm
    Leads(ImportLeads),
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  holdfast import leads contacts.csv
  holdfast import leads contacts.csv --rejected corrections.csv
  holdfast import leads contacts.csv --table desk --region us-east-1

The exit code is 1 if no row became a lead, unless all rows are leads already.";

/// Options of `import leads`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportLeads {
    /// CSV file, separated by commas, semicolons or tabs, in UTF-8 or Windows-1252
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// New file for the rejected rows, with the reasons
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Table to import the leads into
    #[command(flatten)]
    pub table: TableOptions,
}

/// An account command.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; without a password, print a link that signs the person in once
    Add(AddAccount),
}

const ACCOUNT_EXAMPLES: &str = "\
Examples:
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
  holdfast account add ann@example.com --name 'Ann Lee' --role agent --password-stdin < password.txt
  holdfast account add ann@example.com --name 'Ann Lee' --role administrator --table desk --region us-east-1";

/// Options of `account add`.
#[derive(Debug, Args)]
#[command(after_help = ACCOUNT_EXAMPLES)]
pub struct AddAccount {
    /// Email address that the person signs in with
    pub email: Email,
    /// Name of the person
    #[arg(long)]
    pub name: Name,
    /// Role of the person: administrator, agent or participant
    #[arg(long)]
    pub role: Role,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Table to add the account to
    #[command(flatten)]
    pub table: TableOptions,
}

/// The table that a command works on: the local one unless a table on AWS is named.
#[derive(Debug, Args)]
pub struct TableOptions {
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
    /// Table on AWS to use instead of the local data; credentials come from the environment, an AWS profile with keys
    /// or a role, or the machine's role
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile if omitted
    #[arg(long, requires = "table")]
    pub region: Option<String>,
}

fn port(text: &str) -> Result<u16, Invalid> {
    let words = "A port is a whole number from 0 to 65535; 0 takes any that is free.";
    text.parse().map_err(|_| Invalid::new(words))
}

fn address(text: &str) -> Result<SocketAddr, Invalid> {
    text.parse().map_err(|_| Invalid::new("Give an IP address and a port, for example 0.0.0.0:3000."))
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Table on AWS to serve instead of the local data; the environment variables listed in the README configure the
    /// rest, and credentials come from the standard AWS credential chain
    #[arg(long, env = "HOLDFAST_TABLE", value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile if omitted
    #[arg(long, requires = "table")]
    pub region: Option<String>,
    /// Address and port to serve a table on AWS on, for example 0.0.0.0:3000; 127.0.0.1 and --port if omitted
    #[arg(long, env = "HOLDFAST_LISTEN", requires = "table", value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Create the table on AWS if it does not exist, with its indexes, stream, backups and deletion protection
    #[arg(long, requires = "table")]
    pub create_table: bool,
    /// Do not read the table's stream and do not sweep, because something else does, such as the Lambda functions
    #[arg(long, env = "HOLDFAST_NO_WORKERS", requires = "table")]
    pub no_workers: bool,
    /// Port on 127.0.0.1 to serve on; 0 picks any free port
    #[arg(long, env = "HOLDFAST_PORT", default_value_t = 3000, value_parser = port)]
    pub port: u16,
    /// Additional host name for local data, besides 127.0.0.1, localhost and [::1]; can be repeated. A table on AWS
    /// is served under these names only, so it needs at least one
    #[arg(long = "host", env = "HOLDFAST_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Number of reverse proxies in front of the server that append to X-Forwarded-For, 0 to 10; sign-in attempts are
    /// limited by the address that the outermost proxy appended
    #[arg(long, env = "HOLDFAST_TRUSTED_PROXIES", default_value = "0", value_name = "NUMBER")]
    pub trusted_proxies: TrustedProxies,
    /// Who may sign up as a participant: anyone, nobody, or people with the invitation code
    #[arg(long, env = "HOLDFAST_SIGN_UP", default_value = "open", value_parser = SignUp::MODES, value_name = "WHO")]
    pub sign_up: String,
    /// Invitation code for --sign-up invitation: 8 to 100 visible characters, preferably random; prefer the variable,
    /// because other users of this computer can see command-line arguments
    #[arg(long, env = "HOLDFAST_INVITATION_CODE", hide_env_values = true, value_name = "CODE")]
    pub invitation_code: Option<Unchecked>,
    /// Limits for clients
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

/// Limits for clients of the server.
#[derive(Debug, Clone, Args)]
pub struct LimitOptions {
    /// Maximum number of concurrent requests, from 1 to 100000; further requests get 503 immediately; 64 per
    /// processor if omitted
    #[arg(long, env = "HOLDFAST_MAX_REQUESTS", value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub max_requests: Option<u32>,
    /// Maximum number of open connections, from 1 to 1000000; a new connection replaces the one that has waited
    /// longest for its client; 4096 if omitted, and never more than the system allows
    #[arg(long, env = "HOLDFAST_MAX_CONNECTIONS", value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,
    /// Seconds to receive the headers of a request, from its first byte
    #[arg(long, env = "HOLDFAST_HEADER_TIMEOUT", default_value_t = 10, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub header_timeout: u16,
    /// Seconds between two pieces of a request body, or between two reads of a response by the client
    #[arg(long, env = "HOLDFAST_BODY_TIMEOUT", default_value_t = 15, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub body_timeout: u16,
    /// Seconds between a response and the next request on the same connection
    #[arg(long, env = "HOLDFAST_IDLE_TIMEOUT", default_value_t = 75, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub idle_timeout: u16,
    /// Seconds from the headers of a request to its response
    #[arg(long, env = "HOLDFAST_REQUEST_TIMEOUT", default_value_t = 60, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub request_timeout: u16,
}

/// Parses a time limit from one second to one hour.
fn seconds() -> RangedI64ValueParser<u16> {
    value_parser!(u16).range(1..=3_600)
}

impl ServeOptions {
    /// Returns the address to serve a table on AWS on.
    #[cfg(feature = "aws")]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// Returns the invitation code. An empty one counts as missing.
    pub fn code(&self) -> Option<&str> {
        self.invitation_code.as_ref().map(|code| code.0.as_str()).filter(|code| !code.is_empty())
    }

    /// Returns the sign-up policy.
    ///
    /// # Errors
    /// [`Failure::SignUp`].
    pub fn sign_up(&self) -> Result<SignUp, Failure> {
        SignUp::from_settings(Some(&self.sign_up), self.code()).map_err(|SignUpFaults { mode, code }| {
            let mode = mode.map(|fault| format!("--sign-up {fault}"));
            let code = code.map(|fault| format!("--invitation-code {fault}"));
            Failure::SignUp(mode.into_iter().chain(code).collect::<Vec<_>>().join(" "))
        })
    }
}

/// A secret as given. It is checked later, because clap shows a value that it refuses in its message.
#[derive(Clone)]
pub struct Unchecked(String);

impl From<String> for Unchecked {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unchecked(…)")
    }
}

/// The location of local data.
#[derive(Debug, Clone, Args)]
pub struct DataOptions {
    /// Directory of the local data; created when a command writes to it
    #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = ".holdfast", value_name = "DIR")]
    pub data_dir: PathBuf,
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
            (&["holdfast", "export", "tickets", "x"], "The id of a raffle is a UUID"),
            (&["holdfast", "export", "orders", "--from", "x"], "day"),
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

    fn sign_up(words: &[&str]) -> Result<SignUp, String> {
        let cli = Cli::try_parse_from([&["holdfast"], words].concat()).map_err(|error| error.to_string())?;
        cli.serve.sign_up().map_err(|failure| failure.to_string())
    }

    #[test]
    fn two_flags_set_the_sign_up_policy() {
        assert!(matches!(sign_up(&[]), Ok(SignUp::Open)));
        assert!(matches!(sign_up(&["--sign-up", "off"]), Ok(SignUp::Off)));
        let invited = sign_up(&["--sign-up", "invitation", "--invitation-code", "k7-Wm2!xQ"]);
        assert!(matches!(invited, Ok(SignUp::Invited(code)) if code.is("k7-Wm2!xQ")));
    }

    #[test]
    fn invalid_sign_up_flags_are_named_without_the_code() {
        for (words, fault) in [
            (&["--sign-up", "closed"][..], "--sign-up"),
            (&["--sign-up", "invitation"], "--invitation-code is missing"),
            (&["--sign-up", "invitation", "--invitation-code", "k7-Wm"], "is no invitation code"),
            (&["--invitation-code", "k7-Wm2!xQ"], "--invitation-code is of no use"),
        ] {
            let message = sign_up(words).err().unwrap_or_default();
            assert!(message.contains(fault) && !message.contains("k7-Wm"), "{words:?}: {message}");
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
