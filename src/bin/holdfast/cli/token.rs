//! The commands on API tokens, with their options.

use clap::{Args, Subcommand};
use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::domain::{TokenDays, TokenName};
use holdfast::base::identity::Role;

use super::account::{AccountTarget, NamedAccount, with_roles};

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List the tokens of an account that were not revoked, newest first
    #[command(after_help = LIST_EXAMPLES)]
    List(NamedAccount),
    /// Create a token for an account, and print its secret, which is not shown again
    Create(CreateToken),
    /// Revoke a token of an account
    Revoke(RevokeToken),
}

impl TokenCommand {
    /// Returns the options that all commands on accounts have.
    pub fn target(&self) -> &AccountTarget {
        match self {
            Self::List(options) => &options.target,
            Self::Create(options) => &options.target,
            Self::Revoke(options) => &options.target,
        }
    }
}

const LIST_EXAMPLES: &str = "\
Examples:
  holdfast token list ann@example.com
  holdfast token list ann@example.com --json

Times are in New York; the last use is known to ten minutes. The prefix is the beginning of the secret.";

const CREATE_EXAMPLES: &str = "\
Examples:
  TOKEN=$(holdfast token create ann@example.com 'night import')
  holdfast token create ann@example.com 'night import' --role viewer --expires-in-days 30
  holdfast token create ann@example.com 'night import' --no-expiry --json | jq -r .secret

Standard output has the secret and nothing else, so a script can keep it; the explanation goes to standard error. With
--json, the secret is a field of the document.";

#[derive(Debug, Args)]
#[command(after_help = with_roles(CREATE_EXAMPLES))]
pub struct CreateToken {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    /// Name of the token, for example that of the program that uses it
    pub name: TokenName,
    /// Role of the token, not above that of the account; that of the account if omitted
    #[arg(long)]
    pub role: Option<Role>,
    /// Days after which it expires, from 1 to 3,650
    #[arg(long, value_name = "DAYS", default_value = "90", conflicts_with = "no_expiry")]
    pub expires_in_days: TokenDays,
    /// The token does not expire
    #[arg(long)]
    pub no_expiry: bool,
    #[command(flatten)]
    pub target: AccountTarget,
}

const REVOKE_EXAMPLES: &str = "\
Examples:
  holdfast token revoke ann@example.com 'night import'
  holdfast token revoke ann@example.com 019f0000-0000-7000-8000-000000000000

A server of this data refuses the token at once, and servers of a table on AWS within 10 seconds.";

#[derive(Debug, Args)]
#[command(after_help = REVOKE_EXAMPLES)]
pub struct RevokeToken {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    /// ID or name of the token
    #[arg(value_name = "TOKEN")]
    pub token: String,
    #[command(flatten)]
    pub target: AccountTarget,
}
