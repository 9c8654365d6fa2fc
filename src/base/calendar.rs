//! The desk's calendar: days begin and end at midnight in New York, also in the two nights in which clocks change.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

static NEW_YORK: TimeZone = jiff::tz::get!("America/New_York");

/// The desk's time zone, `America/New_York`.
pub fn zone() -> TimeZone {
    NEW_YORK.clone()
}

/// The day in New York in which a moment lies.
pub fn day_of(moment: Timestamp) -> Date {
    moment.to_zoned(zone()).date()
}

/// The moment at which a day begins in New York. The day before ends there.
pub fn start_of(day: Date) -> Timestamp {
    // Midnight always exists in New York: its clocks change at two. A day beyond the calendar's end begins at that end.
    day.to_zoned(zone()).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// A moment with New York's clock and its offset, for programs and spreadsheets: `2026-11-01T01:30:00-04:00`.
pub fn in_new_york(moment: Timestamp) -> String {
    moment.to_zoned(zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_nights_in_which_clocks_change_have_23_and_25_hours() {
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
    fn a_moment_belongs_to_the_day_that_people_in_new_york_have() {
        for (moment, day) in [
            ("2026-03-08T04:59:59Z", "2026-03-07"),
            ("2026-03-08T05:00:00Z", "2026-03-08"),
            ("2026-03-09T03:59:59Z", "2026-03-08"),
            ("2026-11-01T05:30:00Z", "2026-11-01"),
            ("2026-11-01T06:30:00Z", "2026-11-01"),
            ("2026-11-02T04:59:59Z", "2026-11-01"),
            ("2026-11-02T05:00:00Z", "2026-11-02"),
        ] {
            assert_eq!(day_of(moment.parse().unwrap()).to_string(), day);
        }
    }

    #[test]
    fn times_have_new_yorks_offset_also_in_the_hour_that_comes_twice() {
        for (moment, text) in [
            ("2026-11-01T05:30:00Z", "2026-11-01T01:30:00-04:00"),
            ("2026-11-01T06:30:00Z", "2026-11-01T01:30:00-05:00"),
            ("2026-03-08T06:59:59.9Z", "2026-03-08T01:59:59-05:00"),
            ("2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"),
        ] {
            assert_eq!(in_new_york(moment.parse().unwrap()), text);
        }
    }
}
