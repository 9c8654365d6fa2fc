//! Sales over time, in a bounded number of steps: the steps grow with the period they cover.
//!
//! Each block of a raffle stores its own sales, so that the chart needs no extra write or read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The most steps.
const MOST_STEPS: usize = 24;

/// Tickets sold minus tickets canceled, in steps of equal length since the raffle was opened. Empty steps are
/// omitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Raw", into = "Raw")]
pub struct Sales {
    /// The length of a step in minutes, a power of two.
    minutes: u32,
    steps: BTreeMap<u32, i32>,
}

/// The stored shape. DynamoDB maps have only text keys.
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

/// The number of tickets sold by the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The end of the step, or the last known moment.
    pub at: Timestamp,
    /// Tickets sold minus tickets canceled.
    pub sold: i64,
}

impl Sales {
    /// Returns whether nothing was sold.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds `count` tickets, `minute` minutes after the opening. A negative count is of returned tickets.
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

    /// Returns the same sales in steps of twice the length.
    fn coarser(&self) -> Self {
        let mut coarser = Self { minutes: self.minutes.saturating_mul(2), steps: BTreeMap::new() };
        for (step, count) in &self.steps {
            coarser.add(step / 2, *count);
        }
        coarser
    }

    /// Adds two series, in the longer of their step lengths.
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

    /// Returns the sales curve from the opening to `until`.
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
    fn the_curve_is_flat_if_nothing_is_sold() {
        let (opened, until) = (Timestamp::UNIX_EPOCH, moment(Timestamp::UNIX_EPOCH, 90));
        let curve = Sales::default().curve(opened, until);
        assert_eq!(curve, [Point { at: opened, sold: 0 }, Point { at: until, sold: 0 }]);
    }

    #[test]
    fn the_curve_rises_with_sales_and_falls_with_cancellations() {
        let mut sales = Sales::default();
        for (minute, count) in [(0, 2), (5, 1), (5, 1), (9, -1)] {
            sales.record(minute, count);
        }
        let opened = Timestamp::UNIX_EPOCH;
        let sold: Vec<i64> = sales.curve(opened, moment(opened, 20)).iter().map(|point| point.sold).collect();
        assert_eq!(sold, [0, 2, 2, 4, 4, 3, 3]);
    }

    #[test]
    fn a_step_that_sums_to_zero_is_omitted() {
        let mut sales = Sales::default();
        sales.record(3, 2);
        sales.record(3, -2);
        assert!(sales.is_empty());
    }

    proptest! {
        #[test]
        fn the_number_of_steps_is_bounded_and_the_sum_is_exact(
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
