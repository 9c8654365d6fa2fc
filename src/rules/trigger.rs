//! The trigger of a rule: an event or a schedule. Pure.
//!
//! Invariant: every moment lies in exactly one interval of a schedule, so all processes agree on the interval.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::EventKind;
use crate::base::values::Invalid;

/// A schedule: an interval of whole minutes, hours or days, from one minute to 31 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    minutes: u32,
}

impl Schedule {
    const MAX_MINUTES: u32 = 31 * 24 * 60;
    const MESSAGE: &str = "Use a number of minutes, hours, or days, from every 1m to every 31d.";

    /// Returns the length of an interval in seconds.
    pub fn seconds(self) -> i64 {
        i64::from(self.minutes) * 60
    }

    /// Returns the number of the interval that contains a moment, counted from 1970 in UTC.
    pub fn slot(self, moment: Timestamp) -> i64 {
        moment.as_second().div_euclid(self.seconds())
    }

    /// Returns the start of an interval.
    pub fn start(self, slot: i64) -> Timestamp {
        Timestamp::from_second(slot.saturating_mul(self.seconds())).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl FromStr for Schedule {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let invalid = || Invalid::new(Self::MESSAGE);
        let unit = text.chars().last().ok_or_else(invalid)?;
        let minutes = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            _ => return Err(invalid()),
        };
        let number: u32 = text[..text.len() - 1].trim().parse().map_err(|_| invalid())?;
        let minutes = number.checked_mul(minutes).filter(|all| (1..=Self::MAX_MINUTES).contains(all));
        minutes.map(|minutes| Self { minutes }).ok_or_else(invalid)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes {
            minutes if minutes % (24 * 60) == 0 => write!(f, "{}d", minutes / (24 * 60)),
            minutes if minutes % 60 == 0 => write!(f, "{}h", minutes / 60),
            minutes => write!(f, "{minutes}m"),
        }
    }
}

/// The trigger of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Trigger {
    /// Each event of this kind.
    Event(EventKind),
    /// Each interval of this schedule.
    Schedule(Schedule),
}

impl Trigger {
    /// Returns the kind of its events.
    pub fn kind(self) -> EventKind {
        match self {
            Self::Event(kind) => kind,
            Self::Schedule(_) => EventKind::Schedule,
        }
    }
}

impl FromStr for Trigger {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let every = EventKind::Schedule.as_str();
        match text.strip_prefix(every).filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            Some(interval) => interval.parse().map(Self::Schedule),
            None => text.parse().map(Self::Event),
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(kind) => kind.fmt(f),
            Self::Schedule(interval) => write!(f, "{} {interval}", EventKind::Schedule),
        }
    }
}

impl TryFrom<String> for Trigger {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Trigger> for String {
    fn from(on: Trigger) -> Self {
        on.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_schedule_is_bounded_and_written_in_its_shortest_form() {
        for (text, written) in [
            ("every 15m", "every 15m"),
            ("every  120m", "every 2h"),
            ("every 24h", "every 1d"),
            ("every 31d", "every 31d"),
        ] {
            assert_eq!(text.parse::<Trigger>().unwrap().to_string(), written);
        }
        for text in [
            "every",
            "every m",
            "every 0m",
            "every 30s",
            "every 32d",
            "every -1d",
            "every 1.5h",
            "every 9999999999d",
            "every 1é",
            "everyone",
        ] {
            let message = text.parse::<Trigger>().expect_err(text).to_string();
            assert!(message.ends_with('.'), "{message}");
        }
        let unknown = "lead.deleted".parse::<Trigger>().unwrap_err().to_string();
        assert!(unknown.contains("lead.created, lead.qualified"), "{unknown}");
    }

    proptest! {
        #[test]
        fn a_schedule_round_trips_through_text(minutes in 1..=31 * 24 * 60_u32) {
            let interval: Schedule = format!("{minutes}m").parse().unwrap();
            prop_assert_eq!(interval.to_string().parse::<Schedule>().unwrap(), interval);
        }

        #[test]
        fn every_moment_lies_in_exactly_one_slot(minutes in 1..=31 * 24 * 60_u32, second in 0..4_000_000_000_i64) {
            let interval: Schedule = format!("{minutes}m").parse().unwrap();
            let moment = Timestamp::from_second(second).unwrap();
            let slot = interval.slot(moment);
            prop_assert!(interval.start(slot) <= moment && moment < interval.start(slot + 1));
        }
    }
}
