//! The commands on accounts, with their options.

use clap::{Args, Subcommand};
use holdfast::base::identity::Role;
use holdfast::base::values::{Email, Name};

use super::table::TableOptions;

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; without a password, print a link that signs the person in once
    Add(AddAccount),
}

const ACCOUNT_EXAMPLES: &str = "\
Examples:
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
  holdfast account add ann@example.com --name 'Ann Lee' --role agent --password-stdin < password.txt
  holdfast account add ann@example.com --name 'Ann Lee' --role administrator --table holdfast --region us-east-1";

#[derive(Debug, Args)]
#[command(after_help = ACCOUNT_EXAMPLES)]
pub struct AddAccount {
    /// Email address that the person signs in with
    pub email: Email,
    /// Name of the person
    #[arg(long)]
    pub name: Name,
    /// Role of the person: administrator, agent, viewer or participant
    #[arg(long)]
    pub role: Role,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    #[command(flatten)]
    pub table: TableOptions,
}
