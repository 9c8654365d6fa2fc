//! The commands on accounts, with their options.

use clap::{ArgGroup, Args, Subcommand};
use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::domain::AccountStatus;
use holdfast::base::identity::Role;
use holdfast::base::values::{Email, Invalid, Name};
use holdfast::shared::search::SearchQuery;

use super::table::TableOptions;

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; without a password, print a link that signs the person in once
    Add(AddAccount),
    /// List all accounts by name, or those with a role, in a state, or found by a search
    List(ListAccounts),
    /// Invite a person: print a link with which they join once, within seven days
    Invite(InviteAccount),
    /// Disable an account: end its sessions and links, and revoke its tokens
    #[command(after_help = DISABLE_EXAMPLES)]
    Disable(NamedAccount),
    /// Enable a disabled account; the tokens of a service work again
    #[command(after_help = ENABLE_EXAMPLES)]
    Enable(NamedAccount),
    /// Change the role of an account
    Role(ChangeRole),
    /// Print a link that signs a person in once, within a day, or for an invited person a new invitation
    #[command(after_help = LINK_EXAMPLES)]
    Link(NamedAccount),
    /// Print a link with which a person chooses a new password once, within a day
    #[command(after_help = RESET_EXAMPLES)]
    Reset(ResetAccount),
    /// Delete an account, after its leads are given to another person or to none
    Delete(DeleteAccount),
}

impl AccountCommand {
    /// Returns the options that all commands on accounts have.
    pub fn target(&self) -> &AccountTarget {
        match self {
            Self::Add(options) => &options.target,
            Self::List(options) => &options.target,
            Self::Invite(options) => &options.target,
            Self::Disable(options) | Self::Enable(options) | Self::Link(options) => &options.target,
            Self::Reset(options) => &options.named.target,
            Self::Role(options) => &options.target,
            Self::Delete(options) => &options.target,
        }
    }
}

/// Adds what each role may do to the examples of a command that gives a role.
pub(super) fn with_roles(examples: &str) -> String {
    let role = |role: &Role| format!("  {:13}  {}", role.as_str(), role.explanation());
    let roles: Vec<String> = Role::ALL.iter().rev().map(role).collect();
    format!("{examples}\n\nRoles:\n{}", roles.join("\n"))
}

/// Options of every command on accounts, sessions, and tokens.
#[derive(Debug, Args)]
pub struct AccountTarget {
    /// Print one JSON document, with the fields of the JSON API, instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub table: TableOptions,
}

/// A command on one account that needs nothing else.
#[derive(Debug, Args)]
pub struct NamedAccount {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    #[command(flatten)]
    pub target: AccountTarget,
}

/// A reset of a person's password and possibly of the second factor.
#[derive(Debug, Args)]
pub struct ResetAccount {
    /// Also switch two-factor authentication off, for a person who lost the app and the recovery codes
    #[arg(long)]
    pub two_factor: bool,
    #[command(flatten)]
    pub named: NamedAccount,
}

const ADD_EXAMPLES: &str = "\
Examples:
  holdfast account add ann@example.com --name 'Ann Lee' --role agent
  holdfast account add ann@example.com --name 'Ann Lee' --role agent --password-stdin < password.txt
  holdfast account add ann@example.com --name 'Ann Lee' --role administrator --table holdfast --region us-east-1";

#[derive(Debug, Args)]
#[command(after_help = with_roles(ADD_EXAMPLES))]
pub struct AddAccount {
    /// Email that the person signs in with
    pub email: Email,
    /// Name of the person
    #[arg(long)]
    pub name: Name,
    /// Role of the person: administrator, agent, viewer, or participant
    #[arg(long)]
    pub role: Role,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    #[command(flatten)]
    pub target: AccountTarget,
}

const LIST_EXAMPLES: &str = "\
Examples:
  holdfast account list
  holdfast account list --role administrator --state active
  holdfast account list --search lee
  holdfast account list --json | jq -r '.items[] | select(.lastSignInAt == null) | .email'

Times are in New York. Accounts of version 0.1 are in the list after `holdfast upgrade`.";

#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListAccounts {
    /// Only accounts with this role: administrator, agent, viewer, or participant
    #[arg(long)]
    pub role: Option<Role>,
    /// Only accounts in this state: invited, active, or disabled
    #[arg(long)]
    pub state: Option<AccountStatus>,
    /// Only accounts whose name or email has words that begin with these
    #[arg(long, value_name = "TEXT", value_parser = search)]
    pub search: Option<SearchQuery>,
    #[command(flatten)]
    pub target: AccountTarget,
}

fn search(text: &str) -> Result<SearchQuery, Invalid> {
    let empty = || Invalid::new("Give a word to search for, for example a part of a name.");
    SearchQuery::parse(text)?.ok_or_else(empty)
}

const INVITE_EXAMPLES: &str = "\
Examples:
  holdfast account invite 'Ann Lee' ann@example.com --role agent
  holdfast account invite 'Ann Lee' ann@example.com --role viewer --table holdfast --region us-east-1

Send the link to the person. `holdfast account link` prints a new one, which replaces it.";

#[derive(Debug, Args)]
#[command(after_help = with_roles(INVITE_EXAMPLES))]
pub struct InviteAccount {
    /// Name of the person
    pub name: Name,
    /// Email that the person signs in with
    pub email: Email,
    /// Role of the person: administrator, agent, viewer, or participant
    #[arg(long)]
    pub role: Role,
    #[command(flatten)]
    pub target: AccountTarget,
}

const DISABLE_EXAMPLES: &str = "\
Examples:
  holdfast account disable ann@example.com

A server of this data refuses the person at once, and servers of a table on AWS within 10 seconds. The tokens of a person
do not come back when the account is enabled; those of a service do. The last active administrator cannot be disabled.";

const ENABLE_EXAMPLES: &str = "\
Examples:
  holdfast account enable ann@example.com

The person signs in again and creates new tokens. If they had never joined, they need a new invitation from `holdfast account link`.";

const ROLE_EXAMPLES: &str = "\
Examples:
  holdfast account role ann@example.com viewer

The tokens of the account never have a higher role than the account. The last active administrator keeps the role.";

#[derive(Debug, Args)]
#[command(after_help = with_roles(ROLE_EXAMPLES))]
pub struct ChangeRole {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    /// New role: administrator, agent, viewer, or participant
    pub role: Role,
    #[command(flatten)]
    pub target: AccountTarget,
}

const LINK_EXAMPLES: &str = "\
Examples:
  holdfast account link ann@example.com
  holdfast account link ann@example.com | tail -n 1

The link is the last line. The password of the person does not change; `holdfast account reset` is for a lost one.";

const RESET_EXAMPLES: &str = "\
Examples:
  holdfast account reset ann@example.com

The link is the last line. The current password works until the person chooses a new one, which ends all sessions.";

const DELETE_EXAMPLES: &str = "\
Examples:
  holdfast account delete ann@example.com --leads-to bob@example.com
  holdfast account delete ann@example.com --clear-leads

The account is disabled first, then its leads change one by one, and at last it is deleted. If it is interrupted, run it
again. Histories keep the name of the person. The last active administrator cannot be deleted.";

#[derive(Debug, Args)]
#[command(
    after_help = DELETE_EXAMPLES,
    group(ArgGroup::new("leads").required(true).args(["leads_to", "clear_leads"]))
)]
pub struct DeleteAccount {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    /// Give its leads to this active agent or administrator, by email or ID
    #[arg(long, value_name = "EMAIL")]
    pub leads_to: Option<AccountReference>,
    /// Leave its leads without an owner
    #[arg(long)]
    pub clear_leads: bool,
    #[command(flatten)]
    pub target: AccountTarget,
}
