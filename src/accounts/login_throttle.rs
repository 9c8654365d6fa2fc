//! Limits how often passwords and invitation codes can be guessed. Pure; `login_throttle/store.rs` writes to the table.
//!
//! | budget | attempts in 15 minutes | used by |
//! | --- | --- | --- |
//! | email address | 10 | signing in and signing up from a device that did not sign in to the account before |
//! | network | 100 | the same, for all email addresses together; one IPv4 address or a /64 of IPv6 |
//! | known device | 10 | signing in from a device that signed in to the account before |
//! | codes of an account | 10 | typing a code of the second factor after the right password or link |
//! | signed-in person | 10 | entering the current password to change it |
//! | new addresses of an account | 10 | choosing an address that another account has |
//!
//! Invariants: an attempt is counted before its password or code is checked, in one write that requires a budget with
//! attempts left. However many guesses arrive at once, only as many are checked as the budget allows. A known device
//! uses only its own budget, so strangers cannot lock out an owner, neither through the email address nor through a
//! shared network. The right password refunds its attempt and resets the budget of the email address or the device. A
//! sign-up and a new address that is free refund only their own attempt: if they reset a budget, they would allow ten
//! more guesses. A new address that another account has uses up the attempt. For participants, it also uses up an
//! attempt of their network, because they may have signed up to guess addresses. A budget resets 15 minutes after its first attempt. The first attempt that a
//! budget refuses has an audit entry, and later ones in its 15 minutes have none, so that a flood of attempts writes
//! nothing.
//!
//! API tokens, sign-in links and sessions have no budget. Each is 256 random bits or signed with a longer key, so
//! guessing is not feasible, and malformed text is refused without a read. A limit would only let strangers lock out
//! programs that share their network.

mod store;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::device::DeviceId;
use crate::base::identity::AccountId;
use crate::base::values::Email;
use crate::shared::numbers::counted;
use crate::web::client::Network;

/// The time from a budget's first attempt until it resets.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// The attempts of one email address, one known device or one signed-in person.
pub const PER_ACCOUNT: u32 = 10;
/// The attempts of one network, for all email addresses together. It is higher because many people may share a network.
pub const PER_NETWORK: u32 = 100;

/// A budget of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    /// The budget of an email address, whether or not it has an account.
    Email(Email),
    /// The budget of a device that signed in to the account before.
    Device(AccountId, DeviceId),
    /// The budget of a signed-in person.
    SignedIn(AccountId),
    /// The budget of a person who types codes of the second factor.
    Code(AccountId),
    /// The budget of a signed-in person who chooses new addresses.
    NewAddress(AccountId),
    /// The budget of a network.
    Network(Network),
}

impl Budget {
    /// Returns the number of attempts.
    pub fn limit(&self) -> u32 {
        match self {
            Self::Network(_) => PER_NETWORK,
            Self::Email(_) | Self::Device(..) | Self::SignedIn(_) | Self::Code(_) | Self::NewAddress(_) => {
                PER_ACCOUNT
            }
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Email(_) => Scope::Email,
            Self::Device(..) | Self::SignedIn(_) | Self::NewAddress(_) => Scope::Device,
            Self::Code(_) => Scope::Code,
            Self::Network(_) => Scope::Network,
        }
    }

    /// Returns how to write one more attempt, given the stored window.
    ///
    /// # Errors
    /// [`Throttled`] if no attempts are left.
    fn step(&self, stored: Option<Window>, now: Timestamp) -> Result<Step, Throttled> {
        match stored.filter(|window| window.expires_at > now.as_second()) {
            None => Ok(Step::Open(Window::open(now))),
            Some(window) if window.count < self.limit() => Ok(Step::Add(window)),
            Some(window) => {
                let seconds = (window.expires_at - now.as_second()).unsigned_abs();
                Err(Throttled { scope: self.scope(), seconds })
            }
        }
    }
}

/// The stored attempts of a budget since the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window {
    count: u32,
    /// The time at which the budget resets, in seconds.
    expires_at: i64,
    /// Whether an attempt was refused and has an audit entry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

impl Window {
    fn open(now: Timestamp) -> Self {
        let expires_at = now.saturating_add(WINDOW).unwrap_or(Timestamp::MAX).as_second();
        Self { count: 1, expires_at, refused: false }
    }
}

/// How one more attempt is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The first attempt of a new window, because there is none or it is over.
    Open(Window),
    /// One more attempt in this window.
    Add(Window),
}

/// The kind of budget that has no attempts left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The budget of the email address.
    Email,
    /// The budget of the device or session.
    Device,
    /// The budget of the codes of an account.
    Code,
    /// The budget of the network.
    Network,
}

/// A budget has no attempts left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Throttled {
    /// The kind of budget.
    pub scope: Scope,
    /// The seconds until the budget resets.
    pub seconds: u64,
}

impl Throttled {
    /// Returns the sentences of the audit log about the first refused attempt.
    fn detail(&self) -> String {
        let what = match self.scope {
            Scope::Email => "Too many failed attempts for this email",
            Scope::Device => "Too many failed attempts in this browser",
            Scope::Code => "Too many incorrect codes for this account",
            Scope::Network => "Too many failed attempts from this network",
        };
        format!("{what}. More are refused for {}.", in_minutes(self.seconds))
    }

    /// Returns how long to wait, in words.
    pub fn wait(&self) -> String {
        match self.seconds {
            seconds @ 0..=59 => counted(seconds, "second", "seconds"),
            seconds => in_minutes(seconds),
        }
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = in_minutes(self.seconds);
        match self.scope {
            Scope::Email => write!(
                f,
                "Too many failed attempts for this email. Wait {wait}, or use a browser where you signed in before."
            ),
            Scope::Device => {
                write!(f, "Too many failed attempts in this browser. Wait {wait} and try again.")
            }
            Scope::Code => {
                write!(f, "Too many incorrect codes for this account. Wait {wait} and try again.")
            }
            Scope::Network => {
                write!(f, "Too many failed attempts from your network. Wait {wait} and try again.")
            }
        }
    }
}

/// Formats a time in whole minutes, rounded up.
fn in_minutes(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60).max(1);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    format!("{minutes} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn budgets() -> [Budget; 4] {
        let account = AccountId::new(NOW, &[1; 10]);
        let network = "203.0.113.1".parse::<std::net::IpAddr>().unwrap().into();
        [
            Budget::Email("ann@example.com".parse().unwrap()),
            Budget::Device(account, DeviceId::new([1; 16])),
            Budget::SignedIn(account),
            Budget::Network(network),
        ]
    }

    fn written(step: Step) -> Window {
        match step {
            Step::Open(window) => window,
            Step::Add(window) => Window { count: window.count + 1, ..window },
        }
    }

    #[test]
    fn a_used_up_budget_says_how_long_to_wait() {
        for budget in budgets() {
            let mut stored = None;
            for _ in 0..budget.limit() {
                stored = Some(written(budget.step(stored, NOW).unwrap()));
            }
            let later = NOW + SignedDuration::from_mins(5);
            let refused = Throttled { scope: budget.scope(), seconds: 600 };
            assert_eq!(budget.step(stored, later), Err(refused), "{budget:?}");
            let after = budget.step(stored, NOW + WINDOW).unwrap();
            assert_eq!(after, Step::Open(Window::open(NOW + WINDOW)), "{budget:?}");
        }
    }

    #[test]
    fn a_short_wait_is_in_seconds_and_a_long_one_in_minutes() {
        for (seconds, words) in [
            (1, "1 second"),
            (2, "2 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "2 minutes"),
            (900, "15 minutes"),
        ] {
            assert_eq!(Throttled { scope: Scope::Email, seconds }.wait(), words);
        }
    }

    #[test]
    fn a_message_names_the_budget_and_the_time_to_wait() {
        for (scope, seconds, parts) in [
            (Scope::Email, 900, ["for this email", "Wait 15 minutes"]),
            (Scope::Email, 61, ["signed in before", "Wait 2 minutes"]),
            (Scope::Device, 60, ["in this browser", "Wait 1 minute"]),
            (Scope::Network, 1, ["from your network", "Wait 1 minute"]),
            (Scope::Network, 0, ["from your network", "Wait 1 minute"]),
        ] {
            let words = Throttled { scope, seconds }.to_string();
            assert!(parts.iter().all(|part| words.contains(part)), "{words}");
            assert!(words.matches(". ").count() < 2 && words.ends_with('.'), "{words}");
        }
    }
}
