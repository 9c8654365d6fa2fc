//! The commands on sessions, with their options.

use std::fmt;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use holdfast::accounts::agents::AccountReference;
use holdfast::base::values::Invalid;

use super::account::{AccountTarget, NamedAccount};

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the sessions of an account that have not ended
    #[command(after_help = LIST_EXAMPLES)]
    List(NamedAccount),
    /// End one session of an account, or all of them
    End(EndSessions),
}

impl SessionCommand {
    /// Returns the options that all commands on accounts have.
    pub fn target(&self) -> &AccountTarget {
        match self {
            Self::List(options) => &options.target,
            Self::End(options) => &options.target,
        }
    }
}

const LIST_EXAMPLES: &str = "\
Examples:
  holdfast session list ann@example.com
  holdfast session list ann@example.com --json

Times are in New York; the last use is known to ten minutes. The table shows the first 12 digits of each ID, and --json
all 64.";

const END_EXAMPLES: &str = "\
Examples:
  holdfast session end ann@example.com 3f9a61c07d2e
  holdfast session end ann@example.com --all
  holdfast session end ann@example.com --all --tokens

A server of this data refuses the session at once, and servers of a table on AWS within 10 seconds.";

#[derive(Debug, Args)]
#[command(after_help = END_EXAMPLES, group(ArgGroup::new("sessions").required(true).args(["session", "all"])))]
pub struct EndSessions {
    /// Email or ID of the account
    #[arg(value_name = "EMAIL")]
    pub account: AccountReference,
    /// ID of the session, or its beginning: at least 8 hexadecimal digits
    #[arg(value_name = "ID")]
    pub session: Option<SessionPrefix>,
    /// End all sessions, and withdraw unused sign-in links
    #[arg(long)]
    pub all: bool,
    /// With --all, revoke all tokens too
    #[arg(long, conflicts_with = "session")]
    pub tokens: bool,
    #[command(flatten)]
    pub target: AccountTarget,
}

/// The id of a session, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPrefix(String);

impl SessionPrefix {
    const MIN_DIGITS: usize = 8;
    const MAX_DIGITS: usize = 64;

    /// Returns whether an id begins with it.
    pub fn is_of(&self, id: &str) -> bool {
        id.starts_with(&self.0)
    }
}

impl FromStr for SessionPrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.trim().to_ascii_lowercase();
        let is_valid = (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let message = "Give the ID of a session, or at least the first 8 of its 64 hexadecimal digits.";
        if is_valid { Ok(Self(digits)) } else { Err(Invalid::new(message)) }
    }
}

impl fmt::Display for SessionPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_at_least_eight_digits() {
        let id = "3f9a61c07d2e".to_owned() + &"0".repeat(52);
        for text in ["3f9a61c0", "3F9A61C07D2E", &id] {
            assert!(text.parse::<SessionPrefix>().is_ok_and(|prefix| prefix.is_of(&id)), "{text}");
        }
        assert!("3f9a61c1".parse::<SessionPrefix>().is_ok_and(|prefix| !prefix.is_of(&id)));
        for text in ["", "3f9a61c", "not-an-id", &format!("{id}0")] {
            assert!(text.parse::<SessionPrefix>().is_err(), "{text}");
        }
    }
}
