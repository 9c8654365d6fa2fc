//! Periods of days in New York, and the key ranges that they cover. Pure.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::base::calendar::start_of;
use crate::base::values::Invalid;
use crate::web::error::WebError;
use crate::web::lists::parameter;

/// Some days in New York, from the first to the last, both included. A missing day leaves that end open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

impl Period {
    /// Reads a period from two parameters.
    ///
    /// # Errors
    /// [`WebError::Invalid`] with the parameter's name if a value is not a day or the last day is before the
    /// first.
    pub fn read(from: Option<String>, to: Option<String>) -> Result<Self, WebError> {
        let (from, to) = (parameter("from", from, day)?, parameter("to", to, day)?);
        Self::of(from, to).map_err(|invalid| WebError::field("to", &invalid))
    }

    /// Creates a period from two days.
    ///
    /// # Errors
    /// If the last day is before the first.
    pub fn of(from: Option<Date>, to: Option<Date>) -> Result<Self, Invalid> {
        match (from, to) {
            (Some(first), Some(last)) if last < first => {
                Err(Invalid::new("The last day can't be before the first."))
            }
            _ => Ok(Self { from, to }),
        }
    }

    /// Returns whether the period contains every day.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the first and the last day as texts. An open end is empty.
    pub fn texts(&self) -> (String, String) {
        let text = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        (text(self.from), text(self.to))
    }

    /// Returns the first moment of the period and the moment after its end.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let from = self.from.map_or(Timestamp::UNIX_EPOCH, start_of).max(Timestamp::UNIX_EPOCH);
        let end = self.to.and_then(|to| to.tomorrow().ok()).map_or(Timestamp::MAX, start_of);
        (from, end.max(Timestamp::UNIX_EPOCH))
    }

    /// Returns two texts that enclose exactly the ids created in this period: the first 48 bits of an id are
    /// milliseconds.
    pub fn ids(&self) -> (String, String) {
        let prefix = |moment: Timestamp| {
            let millis = moment.as_millisecond();
            format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff)
        };
        let (first, end) = self.bounds();
        (prefix(first), prefix(end))
    }

    /// Returns two texts that enclose exactly the RFC 3339 times (UTC) in this period. The texts leave out
    /// the letter Z, so times with and without fractions of a second sort correctly.
    pub fn times(&self) -> (String, String) {
        let second = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let (first, end) = self.bounds();
        (second(first), second(end))
    }
}

/// Parses a day such as `2026-03-08`.
///
/// # Errors
/// If the text has another format, or no calendar has this day.
pub fn day(text: &str) -> Result<Date, Invalid> {
    let text = text.trim();
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let invalid = || Invalid::new("Enter a date as year, month, and day, for example 2026-03-08.");
    text.parse::<Date>().ok().filter(|_| plain).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::values::OrderId;

    fn period(from: &str, to: &str) -> Period {
        Period::read(Some(from.to_owned()), Some(to.to_owned())).unwrap()
    }

    #[test]
    fn days_with_a_clock_change_have_the_right_bounds() {
        for (day, first, last, after) in [
            ("2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T03:59:59.999Z", "2026-03-09T04:00:00Z"),
            ("2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999Z", "2026-11-02T05:00:00Z"),
        ] {
            let period = period(day, day);
            let (low, high) = period.ids();
            let (begin, end) = period.times();
            for (moment, inside) in [(first, true), (last, true), (after, false)] {
                let moment: Timestamp = moment.parse().unwrap();
                let id = OrderId::new(moment, &[255; 10]).to_string();
                assert_eq!(id >= low && id <= high, inside, "{moment} on {day}");
                let time = format!("{moment}#{id}");
                assert_eq!(time >= begin && time <= end, inside, "{moment} on {day}");
            }
            let before: Timestamp =
                first.parse::<Timestamp>().unwrap() - jiff::SignedDuration::from_millis(1);
            assert!(OrderId::new(before, &[255; 10]).to_string() < low);
            assert!(before.to_string() < begin);
        }
    }

    #[test]
    fn an_invalid_day_is_rejected() {
        for text in ["2026-02-30", "2026-3-8", "20260308", "2026-03-08T00:00", "yesterday", "-026-03-08"] {
            assert!(day(text).expect_err(text).to_string().ends_with('.'));
        }
        assert!(Period::read(Some("2026-03-09".to_owned()), Some("2026-03-08".to_owned())).is_err());
        assert!(Period::read(None, Some(String::new())).unwrap().is_empty());
    }

    #[test]
    fn an_open_period_contains_every_id_and_time() {
        let now: Timestamp = "2026-11-22T01:13:08.5Z".parse().unwrap();
        let (low, high) = Period::default().ids();
        let id = OrderId::new(now, &[0; 10]).to_string();
        assert!(low < id && id < high);
        let (begin, end) = Period::default().times();
        assert!(begin < now.to_string() && now.to_string() < end);
    }
}
