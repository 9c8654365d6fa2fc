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
  holdfast --port 0                          Serve on any free port, and print which
  holdfast --sign-up off                     Serve, and let nobody make an account of their own
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
                                             Add an account, also while the server runs
  holdfast import leads contacts.csv         Import contacts, also while the server runs
  holdfast export orders --output orders.csv Export fulfilled orders, one row for each lead
  holdfast run 'get_leads state=CA'          Run commands, also while the server runs; 'help' lists them
  holdfast raffle verify proof.json          Check a raffle's draw, without any data but the file
  holdfast consume --brokers localhost:9092 --group holdfast
                                             Apply a Kafka topic's messages to stocks, also while the server runs
  holdfast replay messages.jsonl             Apply a file's messages to stocks, once however often it is given
  holdfast check                             Check the data file, and that every stock is the sum of its movements
  holdfast backup monday.holdfast            Copy the local data to a file, also while the server runs

The first lines on standard output are the address and, on a line of its own, a link that signs the first
administrator in, once, and says so. Logs go to standard error; RUST_LOG=debug shows more. Ctrl-C stops.";

/// A desk for teams who grab at the same things at the same moment.
///
/// Serves pages and a JSON API on this computer alone, with an embedded database that keeps its data across restarts.
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; serve, unless said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Form of the log on standard error
    #[arg(
        long,
        env = "HOLDFAST_LOG",
        value_enum,
        default_value = "text",
        global = true,
        value_name = "FORM"
    )]
    pub log: LogForm,
    /// How to serve, where no command is given.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// Lines for people
    Text,
    /// One JSON object on each line, for programs
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and the JSON API on this computer (this is also what happens without a command)
    Serve(ServeOptions),
    /// Work on accounts
    Account {
        /// What to do with them
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
        /// What to check
        #[command(subcommand)]
        command: RaffleCommand,
    },
    /// Apply the messages of a Kafka topic to stocks, as a member of a consumer group, until Ctrl-C
    Consume(Consume),
    /// Apply files of messages to stocks; the same files again change nothing
    Replay(Replay),
    /// Check all values of the local data, and that every stock is the sum of its movements; name every difference
    Check(Check),
    /// Write a copy of the local data to a new file, also while the server runs
    Backup(Backup),
    /// Put a backup into an empty data directory
    Restore(Restore),
    /// Rewrite what older versions wrote in the present form of items, also while the desk runs
    Upgrade(Upgrade),
    /// Count the statistics anew, also while the server runs
    Recount(Recount),
}

impl Command {
    /// The local data that a command works on, unless it serves them, works on a table on AWS, or on no data.
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

Producers must give all messages of a sku the same key, for only a partition has an order. Start it as often as there are
partitions, and they are shared. Each message counts once, also if it comes again; what cannot be applied is parked, and the
rest goes on. Ctrl-C finishes what runs, commits it and leaves the group; Ctrl-C twice ends at once, which does no harm.
Remote a local server it ends with that server's data: start it again when the server was started again.";

/// Which topic to consume.
#[derive(Debug, Args)]
#[command(after_help = CONSUME_EXAMPLES)]
pub struct Consume {
    /// Brokers to begin with, several with commas
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: String,
    /// Consumer group to be a member of
    #[arg(long)]
    pub group: String,
    /// Topic with the messages
    #[arg(long, default_value = "inventory-events")]
    pub topic: String,
    /// Further setting of librdkafka, as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Where the stocks are
    #[command(flatten)]
    pub table: TableOptions,
}

#[cfg(feature = "kafka")]
impl Consume {
    /// What the consumer is told.
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

A message without a messageId is known by what its file says and its line. A file whose first lines are no messages is
refused before anything is written. The exit code is 1 if none of the rows could be applied, now or before. Online Retail data
is the UCI data set of that name, or Online Retail II: each row of a product is a message, and each product opens with a count of all that goes out of it in all of the files
that are given. So give all files of one history in one command: a later command with more of them counts anew. Ctrl-C
does no harm: the same command again goes on.";

/// In which form a file's messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON message on each line
    Messages,
    /// The CSV columns of the UCI data sets Online Retail and Online Retail II
    OnlineRetail,
}

/// The files to replay.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// Files, in their order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Form of the files
    #[arg(long, value_enum, default_value = "messages")]
    pub format: Format,
    /// Read the files and say what they hold, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the stocks are
    #[command(flatten)]
    pub table: TableOptions,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  holdfast check
  holdfast check --table desk --region us-east-1

The exit code is 0 if every value of the local data is as it was written and every stock is the sum of its movements, and 1
if any is not. Of a table on AWS the stocks are checked.";

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct Check {
    /// Where the stocks are
    #[command(flatten)]
    pub table: TableOptions,
}

const BACKUP_EXAMPLES: &str = "\
Examples:
  holdfast backup monday.holdfast
  holdfast backup /mnt/backups/$(date +%F).holdfast --data-dir ~/desk

The copy shows the data at one moment, and the server keeps running. It holds everything except the key of session
cookies. Keep it where only you can read it. A table on AWS is backed up by AWS (point-in-time recovery).";

/// Where the copy goes.
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

The whole backup is checked before it counts. Everybody signs in once more, for the key of session cookies is new; API tokens
go on.";

/// What to restore.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct Restore {
    /// File that holdfast backup has written
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

/// What to upgrade.
#[derive(Debug, Args)]
#[command(after_help = UPGRADE_EXAMPLES)]
pub struct Upgrade {
    /// Where the items are
    #[command(flatten)]
    pub table: TableOptions,
    /// Say that no earlier version runs any more, so that the present form of items is written from now on
    #[arg(long)]
    pub finish: bool,
}

/// What to count anew.
#[derive(Debug, Args)]
#[command(after_help = RECOUNT_EXAMPLES)]
pub struct Recount {
    /// Where the leads and orders are
    #[command(flatten)]
    pub table: TableOptions,
}

const RECOUNT_EXAMPLES: &str = "\
Examples:
  holdfast recount
  holdfast recount --table desk --region us-east-1

It reads all leads and orders, page by page, and corrects the counts of leads by status, stock and state. Everybody can go on
working: what changes in the meantime is counted as well. Days keep what was counted of them and get what was missed. Run it
after a table was restored to an earlier time, or when counts look wrong. Cut off, it is started again.";

const UPGRADE_EXAMPLES: &str = "\
Examples:
  holdfast upgrade
  holdfast upgrade --table desk --region us-east-1

A new version of Holdfast reads what the version before it wrote, so this may run at any time after a deployment, and must
have run before the next version with another form of items is deployed. It reads the whole table and writes what is of an
older form, each item only as long as nobody changes it meanwhile. Cut off, it is started again.";

/// What to check of raffles.
#[derive(Debug, Subcommand)]
pub enum RaffleCommand {
    /// Check the proof of a draw: that its seed is the one committed to, and that seed and sold tickets give its winner
    Verify(VerifyProof),
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  holdfast raffle verify raffle.json
  curl -s https://desk.example/api/raffles/$ID/proof -H \"Authorization: Bearer $TOKEN\" | holdfast raffle verify -

Nothing but the file is read: no table, no data directory, no network. The exit code is 0 if the proof holds, and 1 if it
does not or cannot be checked. Compare the commitment that is printed with the one that the raffle's page showed before the
draw; that is what no file can prove.";

/// The proof to check.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct VerifyProof {
    /// File with the proof, as the raffle's page and GET /api/raffles/ID/proof give it; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What to export.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Export fulfilled orders as CSV, one row for each lead; times are New York's, with their offset
    Orders(ExportOrders),
    /// Export the sold tickets of a raffle as CSV, one row for each; times are New York's, with their offset
    Tickets(ExportTickets),
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  holdfast export orders > orders.csv
  holdfast export orders --from 2026-03-01 --to 2026-03-31 --output march.csv
  holdfast export orders --table desk --region us-east-1";

/// Which orders to export.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct ExportOrders {
    /// First day of fulfilment in New York, for example 2026-03-01
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub from: Option<Date>,
    /// Last day of fulfilment in New York
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub to: Option<Date>,
    /// New file to write; standard output unless given
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the orders are
    #[command(flatten)]
    pub table: TableOptions,
}

const TICKETS_EXAMPLES: &str = "\
Examples:
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 > tickets.csv
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 --output tickets.csv";

/// Which tickets to export.
#[derive(Debug, Args)]
#[command(after_help = TICKETS_EXAMPLES)]
pub struct ExportTickets {
    /// Id of the raffle, as the address of its page ends
    #[arg(value_name = "RAFFLE_ID")]
    pub raffle: RaffleId,
    /// New file to write; standard output unless given
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the tickets are
    #[command(flatten)]
    pub table: TableOptions,
}

const RUN_EXAMPLES: &str = "\
Examples:
  holdfast run help
  holdfast run 'get_leads status=unassigned state=CA'
  holdfast run < commands.txt
  holdfast run 'get_orders status=open' --table desk --region us-east-1

One command a line. All lines are read before the first one runs; if any is wrong, none runs. A line that fails stops no
other, and the exit code is then 1.";

/// The commands to run.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunCommands {
    /// Commands, one a line; from standard input unless given
    #[arg(value_name = "COMMANDS")]
    pub commands: Option<String>,
    /// Where they are run
    #[command(flatten)]
    pub table: TableOptions,
}

/// What to import.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Import leads from a CSV file with a header row; columns are known by their headers, and a row whose e-mail
    /// address a lead already has is skipped, so the same file twice does no harm
    Leads(ImportLeads),
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  holdfast import leads contacts.csv
  holdfast import leads contacts.csv --rejected corrections.csv
  holdfast import leads contacts.csv --table desk --region us-east-1

The exit code is 1 if no row became a lead, unless all of them are leads already.";

/// The file to import.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportLeads {
    /// CSV file: commas, semicolons or tabs; UTF-8 or Windows-1252
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// New file for the rows that cannot be imported, with the reasons
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Where the leads go
    #[command(flatten)]
    pub table: TableOptions,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; without a password, print a link that signs its person in, once
    Add(AddAccount),
}

const ACCOUNT_EXAMPLES: &str = "\
Examples:
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
  holdfast account add ann@example.com --name 'Ann Lee' --role agent --password-stdin < password.txt
  holdfast account add ann@example.com --name 'Ann Lee' --role administrator --table desk --region us-east-1";

/// The account to add.
#[derive(Debug, Args)]
#[command(after_help = ACCOUNT_EXAMPLES)]
pub struct AddAccount {
    /// E-mail address that the person signs in with
    pub email: Email,
    /// Name of the person
    #[arg(long)]
    pub name: Name,
    /// What the person may do: administrator, agent or participant
    #[arg(long)]
    pub role: Role,
    /// Take the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Where the account goes
    #[command(flatten)]
    pub table: TableOptions,
}

/// Which table a command works on: the local one unless a table on AWS is named.
#[derive(Debug, Args)]
pub struct TableOptions {
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
    /// Table on AWS to work on, instead of the local data; credentials come from the
    /// environment, an AWS profile with keys or a role, or the role of the machine
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile unless given
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

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Table on AWS to serve, instead of the local data; the rest is told by the environment, as README's table
    /// of variables says, and credentials come from the ordinary chain of AWS
    #[arg(long, env = "HOLDFAST_TABLE", value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile unless given
    #[arg(long, requires = "table")]
    pub region: Option<String>,
    /// Address and port to serve a table on AWS on, for example 0.0.0.0:3000; 127.0.0.1 and --port unless given
    #[arg(long, env = "HOLDFAST_LISTEN", requires = "table", value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Make the table on AWS first if it is not there, with its indexes, stream, backups and deletion protection
    #[arg(long, requires = "table")]
    pub create_table: bool,
    /// Neither read the table's stream nor sweep: something else does both, such as the functions on Lambda
    #[arg(long, env = "HOLDFAST_NO_WORKERS", requires = "table")]
    pub no_workers: bool,
    /// Port of 127.0.0.1 to serve on; 0 takes any that is free
    #[arg(long, env = "HOLDFAST_PORT", default_value_t = 3000, value_parser = port)]
    pub port: u16,
    /// Further name under which local data is served, beside 127.0.0.1, localhost and [::1], as often as needed; a
    /// table on AWS is served under these names alone, so it needs at least one
    #[arg(long = "host", env = "HOLDFAST_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub hosts: Vec<String>,
    /// How many reverse proxies stand before the server and append to X-Forwarded-For, 0 to 10: attempts to sign in are
    /// limited by the address that the outermost of them appended
    #[arg(long, env = "HOLDFAST_TRUSTED_PROXIES", default_value = "0", value_name = "NUMBER")]
    pub trusted_proxies: TrustedProxies,
    /// Who may make an account of their own, as a participant: anyone, nobody, or who knows the invitation code
    #[arg(long, env = "HOLDFAST_SIGN_UP", default_value = "open", value_parser = SignUp::MODES, value_name = "WHO")]
    pub sign_up: String,
    /// Invitation code, with --sign-up invitation: 8 to 100 visible characters, best a random one, and best in the
    /// variable, for others on this computer may see the words of a command
    #[arg(long, env = "HOLDFAST_INVITATION_CODE", hide_env_values = true, value_name = "CODE")]
    pub invitation_code: Option<Unchecked>,
    /// What clients may take
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Local data
    #[command(flatten)]
    pub data: DataOptions,
}

/// What clients may take of the server.
#[derive(Debug, Clone, Args)]
pub struct LimitOptions {
    /// Most requests that run at once, from 1 to 100000; a further one is answered 503 at once; 64 for each processor
    /// unless given
    #[arg(long, env = "HOLDFAST_MAX_REQUESTS", value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub max_requests: Option<u32>,
    /// Most open connections, from 1 to 1000000; a new one takes the place of the one that waits longest for its client;
    /// 4096 unless given, and never more than the system lets this process open
    #[arg(long, env = "HOLDFAST_MAX_CONNECTIONS", value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,
    /// Seconds for the headers of a request, from its first byte
    #[arg(long, env = "HOLDFAST_HEADER_TIMEOUT", default_value_t = 10, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub header_timeout: u16,
    /// Seconds between two pieces of a request's body, and of an answer as the client reads it
    #[arg(long, env = "HOLDFAST_BODY_TIMEOUT", default_value_t = 15, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub body_timeout: u16,
    /// Seconds from an answer to the next request on its connection
    #[arg(long, env = "HOLDFAST_IDLE_TIMEOUT", default_value_t = 75, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub idle_timeout: u16,
    /// Seconds from the headers of a request to its answer
    #[arg(long, env = "HOLDFAST_REQUEST_TIMEOUT", default_value_t = 60, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub request_timeout: u16,
}

/// A time limit: a second to an hour.
fn seconds() -> RangedI64ValueParser<u16> {
    value_parser!(u16).range(1..=3_600)
}

impl ServeOptions {
    /// Where a table on AWS is served.
    #[cfg(feature = "aws")]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// The invitation code. One that is set to nothing counts as not set.
    pub fn code(&self) -> Option<&str> {
        self.invitation_code.as_ref().map(|code| code.0.as_str()).filter(|code| !code.is_empty())
    }

    /// Whether people may make accounts of their own.
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

/// A secret as it was given. It is checked later: a value that clap refuses is shown in its message.
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

/// Where local data is.
#[derive(Debug, Clone, Args)]
pub struct DataOptions {
    /// Directory of the local data; made by what writes to it, if it is not there
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
    fn a_wrong_value_is_refused_in_plain_words() {
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
    fn without_a_command_it_serves_as_with_serve() {
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
    fn who_may_sign_up_is_said_by_two_flags() {
        assert!(matches!(sign_up(&[]), Ok(SignUp::Open)));
        assert!(matches!(sign_up(&["--sign-up", "off"]), Ok(SignUp::Off)));
        let invited = sign_up(&["--sign-up", "invitation", "--invitation-code", "k7-Wm2!xQ"]);
        assert!(matches!(invited, Ok(SignUp::Invited(code)) if code.is("k7-Wm2!xQ")));
    }

    #[test]
    fn flags_of_sign_up_that_do_not_fit_are_named_without_the_code() {
        for (words, fault) in [
            (&["--sign-up", "closed"][..], "--sign-up"),
            (&["--sign-up", "invitation"], "--invitation-code is missing"),
            (&["--sign-up", "invitation", "--invitation-code", "k7-Wm"], "is no invitation code"),
            (&["--invitation-code", "k7-Wm2!xQ"], "--invitation-code is of no use"),
        ] {
            let said = sign_up(words).err().unwrap_or_default();
            assert!(said.contains(fault) && !said.contains("k7-Wm"), "{words:?}: {said}");
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
