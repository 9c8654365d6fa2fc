//! How sales went, in a bounded number of steps: the steps grow with the time that they cover.
//!
//! Each block of a raffle keeps its own, so that the curve costs no write and no read beside those of the sale.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The most steps.
const MOST_STEPS: usize = 24;

/// Tickets sold less tickets given back, in steps of some minutes from the opening on. Steps with nothing in them are
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Raw", into = "Raw")]
pub struct Sales {
    /// The minutes of one step: a power of two.
    minutes: u32,
    steps: BTreeMap<u32, i32>,
}

/// As it is stored: DynamoDB's maps have texts for keys.
#[derive(Serialize, Deserialize)]
struct Raw {
    minutes: u32,
    steps: Vec<(u32, i32)>,
}

impl From<Raw> for Sales {
    fn from(raw: Raw) -> Self {
        Self { minutes: raw.minutes.max(1), steps: raw.steps.into_iter().collect() }
    }
}

impl From<Sales> for Raw {
    fn from(sales: Sales) -> Self {
        Self { minutes: sales.minutes, steps: sales.steps.into_iter().collect() }
    }
}

impl Default for Sales {
    fn default() -> Self {
        Self { minutes: 1, steps: BTreeMap::new() }
    }
}

/// How many tickets were sold at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The end of the step, or the last moment that is known of.
    pub at: Timestamp,
    /// The tickets, less those that were given back.
    pub sold: i64,
}

impl Sales {
    /// Whether nothing was sold.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Counts tickets, or fewer, `minute` minutes after the opening.
    pub fn record(&mut self, minute: u32, count: i32) {
        self.add(minute / self.minutes, count);
        while self.steps.len() > MOST_STEPS {
            *self = self.coarser();
        }
    }

    fn add(&mut self, step: u32, count: i32) {
        let entry = self.steps.entry(step).or_default();
        *entry = entry.saturating_add(count);
        if *entry == 0 {
            self.steps.remove(&step);
        }
    }

    /// The same in steps of twice the length.
    fn coarser(&self) -> Self {
        let mut coarser = Self { minutes: self.minutes.saturating_mul(2), steps: BTreeMap::new() };
        for (step, count) in &self.steps {
            coarser.add(step / 2, *count);
        }
        coarser
    }

    /// These and others, in the longer steps of the two.
    pub fn and(mut self, other: &Self) -> Self {
        let mut other = other.clone();
        while self.minutes < other.minutes {
            self = self.coarser();
        }
        while other.minutes < self.minutes {
            other = other.coarser();
        }
        for (step, count) in other.steps {
            self.add(step, count);
        }
        self
    }

    /// The curve of what was sold, from the opening to `until`.
    pub fn curve(&self, opened: Timestamp, until: Timestamp) -> Vec<Point> {
        let mut sold = 0;
        let mut points = vec![Point { at: opened, sold }];
        for (step, count) in &self.steps {
            let begin = moment(opened, u64::from(*step) * u64::from(self.minutes)).min(until);
            let end = moment(opened, (u64::from(*step) + 1) * u64::from(self.minutes)).min(until);
            if points.last().is_some_and(|point| point.at < begin) {
                points.push(Point { at: begin, sold });
            }
            sold += i64::from(*count);
            points.push(Point { at: end, sold });
        }
        if points.last().is_some_and(|point| point.at < until) {
            points.push(Point { at: until, sold });
        }
        points
    }
}

fn moment(opened: Timestamp, minutes: u64) -> Timestamp {
    let minutes = i64::try_from(minutes).unwrap_or(i64::MAX);
    let after = SignedDuration::from_secs(minutes.saturating_mul(60));
    opened.saturating_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_sold_is_a_flat_line() {
        let (opened, until) = (Timestamp::UNIX_EPOCH, moment(Timestamp::UNIX_EPOCH, 90));
        let curve = Sales::default().curve(opened, until);
        assert_eq!(curve, [Point { at: opened, sold: 0 }, Point { at: until, sold: 0 }]);
    }

    #[test]
    fn a_curve_rises_where_tickets_are_sold_and_falls_where_they_are_given_back() {
        let mut sales = Sales::default();
        for (minute, count) in [(0, 2), (5, 1), (5, 1), (9, -1)] {
            sales.record(minute, count);
        }
        let opened = Timestamp::UNIX_EPOCH;
        let sold: Vec<i64> = sales.curve(opened, moment(opened, 20)).iter().map(|point| point.sold).collect();
        assert_eq!(sold, [0, 2, 2, 4, 4, 3, 3]);
    }

    #[test]
    fn a_step_of_which_everything_was_given_back_is_left_out() {
        let mut sales = Sales::default();
        sales.record(3, 2);
        sales.record(3, -2);
        assert!(sales.is_empty());
    }

    proptest! {
        #[test]
        fn steps_stay_few_and_sums_stay_right(
            events in prop::collection::vec((0_u32..600_000, -3_i32..10), 0..200),
            cut in 0_usize..200,
        ) {
            let mut whole = Sales::default();
            let (mut one, mut other) = (Sales::default(), Sales::default());
            for (number, (minute, count)) in events.iter().enumerate() {
                whole.record(*minute, *count);
                if number < cut { one.record(*minute, *count) } else { other.record(*minute, *count) }
            }
            let sum: i64 = events.iter().map(|(_, count)| i64::from(*count)).sum();
            let opened = Timestamp::UNIX_EPOCH;
            let until = moment(opened, 10_000_000);
            for sales in [whole, one.and(&other)] {
                prop_assert!(sales.steps.len() <= 2 * MOST_STEPS);
                let curve = sales.curve(opened, until);
                prop_assert_eq!(curve.last().unwrap().sold, sum);
                prop_assert!(curve.is_sorted_by_key(|point| point.at));
                let json = serde_json::to_value(&sales).unwrap();
                prop_assert_eq!(serde_json::from_value::<Sales>(json).unwrap(), sales);
            }
        }
    }
}
