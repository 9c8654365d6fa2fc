//! Options of the commands on whole data: import, export, check, backup, restore, upgrade and recount.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast::orders::period;
use holdfast::raffles::domain::RaffleId;
use jiff::civil::Date;

use super::table::{DataOptions, TableOptions};

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
  holdfast import leads contacts.csv --table holdfast --region us-east-1

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
  holdfast export orders --table holdfast --region us-east-1";

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

const CHECK_EXAMPLES: &str = "\
Examples:
  holdfast check
  holdfast check --table holdfast --region us-east-1

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
  holdfast backup /mnt/backups/$(date +%F).holdfast --data-dir ~/holdfast

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

const UPGRADE_EXAMPLES: &str = "\
Examples:
  holdfast upgrade
  holdfast upgrade --table holdfast --region us-east-1

A new version of Holdfast reads the items of the version before it. So you can run this at any time after a deployment,
and you must run it before you deploy the next version with another schema. It reads the whole table and rewrites items
that use an older schema, unless they change at the same time. If it is interrupted, run it again.";

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

const RECOUNT_EXAMPLES: &str = "\
Examples:
  holdfast recount
  holdfast recount --table holdfast --region us-east-1

Reads all leads and orders page by page, and corrects the counts of leads by status, stock and state. Everyone can keep
working: changes during the recount are counted too. Daily counts keep what they have and gain what was missed. Run it
after you restore a table to an earlier time, or when counts look wrong. If it is interrupted, run it again.";

/// Options of `recount`.
#[derive(Debug, Args)]
#[command(after_help = RECOUNT_EXAMPLES)]
pub struct Recount {
    /// Table with the leads and orders
    #[command(flatten)]
    pub table: TableOptions,
}
