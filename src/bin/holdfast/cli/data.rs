//! Options of the commands on whole data: import, export, check, backup, restore, upgrade and recount.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast::leads::import::KnownEmails;
use holdfast::orders::period;
use holdfast::raffles::domain::RaffleId;
use jiff::civil::Date;

use super::table::{DataOptions, TableOptions};

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Import leads from a CSV file or a workbook; columns are matched by their headers, all others are kept as custom
    /// fields, and rows whose email belongs to an existing lead are skipped, so importing the same file twice
    /// does no harm
    Leads(ImportLeads),
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  holdfast import leads contacts.csv
  holdfast import leads contacts.csv --dry-run
  holdfast import leads contacts.csv --map 'Cust. name=name' --map 'Mail 1=email' --map 'Notes=ignore'
  holdfast import leads contacts.csv --map-value 'Working=QUALIFIED' --map-value 'state:Calif=CA'
  holdfast import leads contacts.csv --known fill --report report.csv --rejected corrections.csv
  holdfast import leads contacts.csv --table holdfast --region us-east-1

Fields: name, first-name, last-name, email, phone, company, state, country, lead-score, status, source, owner, keep
(as a custom field), ignore. The exit code is 1 if a row was rejected or nothing was created, filled, or updated.
--allow-rejects allows rejected rows, and a file whose rows are all leads already.";

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportLeads {
    /// CSV file, separated by commas, semicolons, tabs, or bars, in UTF-8, UTF-16, or Windows-1252; or an .xlsx workbook
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Meaning of a column; may be repeated
    #[arg(long, value_name = "HEADER=FIELD", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Meaning of a status word, or with `FIELD:` of a state, a lead score, or a source; may be repeated
    #[arg(long, value_name = "[FIELD:]TEXT=VALUE", value_parser = pair)]
    pub map_value: Vec<(String, String)>,
    /// What to do with rows whose email a lead already has: skip, fill (empty fields), or update
    #[arg(long, value_name = "WAY", default_value = "skip")]
    pub known: KnownEmails,
    /// The first row is data; the columns are named "Column 1", "Column 2", and so on
    #[arg(long)]
    pub no_header: bool,
    /// Only read the file and report what would happen to its rows
    #[arg(long)]
    pub dry_run: bool,
    /// New file with the result of each row
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Succeed although rows were rejected, or all rows are leads already
    #[arg(long)]
    pub allow_rejects: bool,
    /// New file for the rejected rows, with the reasons
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    #[command(flatten)]
    pub table: TableOptions,
}

/// Splits at the last equals sign, because a header may have one.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((left, right)) if !left.trim().is_empty() => Ok((left.to_owned(), right.trim().to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

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

#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct ExportOrders {
    /// First day of fulfillment in New York, for example 2026-03-01
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub from: Option<Date>,
    /// Last day of fulfillment in New York
    #[arg(long, value_name = "DAY", value_parser = period::day)]
    pub to: Option<Date>,
    #[command(flatten)]
    pub target: ExportTarget,
}

const TICKETS_EXAMPLES: &str = "\
Examples:
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 > tickets.csv
  holdfast export tickets 019f0000-0000-7000-8000-000000000000 --output tickets.csv";

#[derive(Debug, Args)]
#[command(after_help = TICKETS_EXAMPLES)]
pub struct ExportTickets {
    /// ID of the raffle, from the end of its page's address
    #[arg(value_name = "RAFFLE_ID")]
    pub raffle: RaffleId,
    #[command(flatten)]
    pub target: ExportTarget,
}

/// Options of every export.
#[derive(Debug, Args)]
pub struct ExportTarget {
    /// New file to write; standard output if omitted
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub table: TableOptions,
}

pub const CHECK_EXAMPLES: &str = "\
Examples:
  holdfast check
  holdfast check --table holdfast --region us-east-1

The exit code is 0 if every value of the local data is intact and every stock equals the sum of its movements, and 1
otherwise. For a table on AWS, only the stock is checked.";

const BACKUP_EXAMPLES: &str = "\
Examples:
  holdfast backup monday.holdfast
  holdfast backup /mnt/backups/$(date +%F).holdfast --data-dir ~/holdfast

The copy shows the data at one moment, and the server keeps running. It contains everything except the session cookie
key. Keep it where only you can read it. AWS backs up a table on AWS (point-in-time recovery).";

#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub struct Backup {
    /// New file for the copy
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub data: DataOptions,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  holdfast restore monday.holdfast --data-dir restored
  holdfast --data-dir restored

The whole backup is checked before it is used. Everyone must sign in again, because the session cookie key is new. API
tokens stay valid. For two-factor sign-in, the directory needs data.key of the former directory.";

#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct Restore {
    /// File written by holdfast backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
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

#[derive(Debug, Args)]
#[command(after_help = UPGRADE_EXAMPLES)]
pub struct Upgrade {
    #[command(flatten)]
    pub table: TableOptions,
    /// Confirm that no earlier version runs any more, so that all new items use the current schema
    #[arg(long)]
    pub finish: bool,
}

pub const RECOUNT_EXAMPLES: &str = "\
Examples:
  holdfast recount
  holdfast recount --table holdfast --region us-east-1

Reads all leads and orders page by page, and corrects the counts of leads by status, stock, and state. Everyone can keep
working: changes during the recount are counted too. Daily counts keep what they have and gain what was missed. Run it
after you restore a table to an earlier time, or when counts look wrong. If it is interrupted, run it again.";
