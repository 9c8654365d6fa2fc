//! The workspace's calendar. Days begin and end at midnight in New York, also when daylight saving time starts or
//! ends.

use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::values::{Invalid, text_value};

static NEW_YORK: TimeZone = jiff::tz::get!("America/New_York");

/// Returns the workspace's time zone, `America/New_York`.
pub fn zone() -> TimeZone {
    NEW_YORK.clone()
}

/// The IANA name of a time zone, for example `Europe/Paris`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

impl ZoneName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ZoneName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name = TimeZone::get(text).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
        let message = "This isn't a time zone. Choose one from the list, for example America/Chicago.";
        name.map(Self).ok_or_else(|| Invalid::new(message))
    }
}

text_value!(ZoneName);

/// The zones of the United States in which most people live, from east to west. They come first in a list.
const UNITED_STATES: [&str; 7] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
];

/// The areas of zones that are named after a place. The other zones are fixed offsets and former names.
const AREAS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let database = TimeZoneDatabase::bundled();
    let names = database.available().map(|name| name.as_str().to_owned());
    let is_place = |name: &String| name.split_once('/').is_some_and(|(area, _)| AREAS.contains(&area));
    let is_first = |name: &String| UNITED_STATES.contains(&name.as_str());
    let mut places: Vec<String> = names.filter(|name| is_place(name) && !is_first(name)).collect();
    places.sort_unstable();
    UNITED_STATES.into_iter().map(str::to_owned).chain(places).chain(["UTC".to_owned()]).collect()
});

/// Returns the names of all zones to choose from: first those of the United States, then all other places in the order
/// of their names, and at last UTC.
pub fn zone_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(String::as_str)
}

/// Returns the day in New York that contains this time.
pub fn day_of(time: Timestamp) -> Date {
    time.to_zoned(zone()).date()
}

/// Returns the time at which a day begins in New York, which is also the end of the day before.
pub fn start_of(day: Date) -> Timestamp {
    // Midnight always exists in New York, because its clocks change at 2 AM. A day after the calendar's end begins at
    // that end.
    day.to_zoned(zone()).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// Formats a time with New York's clock and offset, for programs and spreadsheets: `2026-11-01T01:30:00-04:00`.
pub fn in_new_york(time: Timestamp) -> String {
    time.to_zoned(zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn days_with_a_clock_change_have_23_or_25_hours() {
        for (day, start, hours) in [
            ("2026-03-07", "2026-03-07T05:00:00Z", 24),
            ("2026-03-08", "2026-03-08T05:00:00Z", 23),
            ("2026-03-09", "2026-03-09T04:00:00Z", 24),
            ("2026-10-31", "2026-10-31T04:00:00Z", 24),
            ("2026-11-01", "2026-11-01T04:00:00Z", 25),
            ("2026-11-02", "2026-11-02T05:00:00Z", 24),
        ] {
            let day: Date = day.parse().unwrap();
            assert_eq!(start_of(day).to_string(), start);
            let length = start_of(day.tomorrow().unwrap()).duration_since(start_of(day));
            assert_eq!(length.as_hours(), hours, "{day}");
        }
    }

    #[test]
    fn a_time_belongs_to_its_day_in_new_york() {
        for (time, day) in [
            ("2026-03-08T04:59:59Z", "2026-03-07"),
            ("2026-03-08T05:00:00Z", "2026-03-08"),
            ("2026-03-09T03:59:59Z", "2026-03-08"),
            ("2026-11-01T05:30:00Z", "2026-11-01"),
            ("2026-11-01T06:30:00Z", "2026-11-01"),
            ("2026-11-02T04:59:59Z", "2026-11-01"),
            ("2026-11-02T05:00:00Z", "2026-11-02"),
        ] {
            assert_eq!(day_of(time.parse().unwrap()).to_string(), day);
        }
    }

    #[test]
    fn times_have_new_yorks_offset_also_in_the_repeated_hour() {
        for (time, text) in [
            ("2026-11-01T05:30:00Z", "2026-11-01T01:30:00-04:00"),
            ("2026-11-01T06:30:00Z", "2026-11-01T01:30:00-05:00"),
            ("2026-03-08T06:59:59.9Z", "2026-03-08T01:59:59-05:00"),
            ("2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"),
        ] {
            assert_eq!(in_new_york(time.parse().unwrap()), text);
        }
    }

    #[test]
    fn every_zone_can_be_chosen_and_those_of_the_united_states_come_first() {
        let names: Vec<_> = zone_names().collect();
        assert_eq!(names[..UNITED_STATES.len()], UNITED_STATES);
        assert_eq!(names.last(), Some(&"UTC"));
        assert!(names[UNITED_STATES.len()..names.len() - 1].is_sorted());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "no name comes twice");
        for name in &names {
            assert_eq!(name.parse::<ZoneName>().unwrap().as_str(), *name);
        }
        for name in ["Europe/Paris", "America/Indiana/Indianapolis", "America/Puerto_Rico", "Asia/Kolkata"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(!names.iter().any(|name| name.starts_with("Etc/") || name.starts_with("US/")));
        assert!(names.len() > 300, "{}", names.len());
    }
}
