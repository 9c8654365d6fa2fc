//! How often passwords and invitation codes may be guessed. Pure; the store is beside it.
//!
//! | budget | attempts in 15 minutes | what takes from it |
//! | --- | --- | --- |
//! | of an email address | 10 | signing in and signing up from a device that did not sign in to the account before |
//! | of a network | 100 | the same, whatever the email address; one IPv4 address or a /64 of IPv6 |
//! | of a known device | 10 | signing in from a device that signed in to the account before |
//! | of a person who is signed in | 10 | showing the current password for a new one |
//!
//! Invariants: an attempt is counted before its password or code is looked at, in one write whose condition is that the
//! budget is not used up, so that of any number of guesses at once no more are looked at than the budget has. A known
//! device takes from its own budget alone, so strangers lock no owner out, neither by the email address nor by a network
//! that they share. The right password or code gives its attempt back, and with it everything that was counted for the
//! email address or the device. A budget is full again 15 minutes after its first attempt.
//!
//! API tokens, sign-in links and sessions have no budget: each is 256 random bits, or signed with a key of more, so that
//! guessing is not possible, and text of another form is refused without a read. A limit would only let strangers lock
//! programs out that share their network.

mod store;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::device::DeviceId;
use crate::base::identity::AccountId;
use crate::base::values::Email;
use crate::web::client::Network;

/// The time from a budget's first attempt until it is full again.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// The attempts of one email address, one known device, or one person who is signed in.
pub const PER_ACCOUNT: u32 = 10;
/// The attempts of one network, whatever the email address: people behind one address mistype, too.
pub const PER_NETWORK: u32 = 100;

/// What has a budget of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    /// An email address, whether or not it has an account.
    Email(Email),
    /// A device that signed in to the account before.
    Device(AccountId, DeviceId),
    /// A person who is signed in.
    SignedIn(AccountId),
    /// A network.
    Network(Network),
}

impl Budget {
    /// How many attempts it has.
    pub fn limit(&self) -> u32 {
        match self {
            Self::Network(_) => PER_NETWORK,
            Self::Email(_) | Self::Device(..) | Self::SignedIn(_) => PER_ACCOUNT,
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Email(_) => Scope::Email,
            Self::Device(..) | Self::SignedIn(_) => Scope::Device,
            Self::Network(_) => Scope::Network,
        }
    }

    /// What to write for one more attempt, where the store has this.
    ///
    /// # Errors
    /// [`Throttled`] if the budget is used up.
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

/// The attempts since the first one, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Window {
    count: u32,
    /// The second from which the budget is full again.
    expires_at: i64,
}

impl Window {
    fn open(now: Timestamp) -> Self {
        let expires_at = now.saturating_add(WINDOW).unwrap_or(Timestamp::MAX).as_second();
        Self { count: 1, expires_at }
    }
}

/// How one more attempt is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// As the first one, where there is none or the last window is over.
    Open(Window),
    /// As one more in this window.
    Add(Window),
}

/// Whose budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// That of the email address.
    Email,
    /// That of the device or session.
    Device,
    /// That of the network.
    Network,
}

/// A budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Throttled {
    /// Whose.
    pub scope: Scope,
    /// The seconds until the budget is full again.
    pub seconds: u64,
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = in_minutes(self.seconds);
        match self.scope {
            Scope::Email => write!(
                f,
                "Too many passwords were tried for this email address. Wait {wait} and try again, or use a browser in \
                 which you signed in before."
            ),
            Scope::Device => {
                write!(f, "Too many passwords were tried in this browser. Wait {wait} and try again.")
            }
            Scope::Network => {
                write!(f, "Too many passwords were tried from your network. Wait {wait} and try again.")
            }
        }
    }
}

/// A time in whole minutes, rounded up, in words.
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
    fn a_budget_admits_its_limit_within_a_quarter_of_an_hour_and_then_says_how_long_to_wait() {
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
    fn a_refusal_says_whose_budget_it_is_and_when_to_try_again() {
        for (scope, seconds, parts) in [
            (Scope::Email, 900, ["for this email address", "Wait 15 minutes and try again"]),
            (Scope::Email, 61, ["signed in before", "Wait 2 minutes and"]),
            (Scope::Device, 60, ["in this browser", "Wait 1 minute and"]),
            (Scope::Network, 1, ["from your network", "Wait 1 minute and"]),
            (Scope::Network, 0, ["from your network", "Wait 1 minute and"]),
        ] {
            let words = Throttled { scope, seconds }.to_string();
            assert!(parts.iter().all(|part| words.contains(part)), "{words}");
            assert!(words.matches(". ").count() < 2 && words.ends_with('.'), "{words}");
        }
    }
}
