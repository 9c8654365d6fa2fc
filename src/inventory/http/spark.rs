//! A sparkline of a product's stock in the last days, with a text alternative.

use jiff::civil::Date;

use crate::inventory::domain::Units;

/// A line in a box of [`Spark::WIDTH`] by [`Spark::HEIGHT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spark {
    /// The points in SVG notation.
    pub(super) points: String,
    /// The last point.
    pub(super) end: (u64, u64),
    /// The text alternative.
    pub(super) text: String,
}

impl Spark {
    /// The width of the box.
    pub(super) const WIDTH: u64 = 120;
    /// The height of the box.
    pub(super) const HEIGHT: u64 = 28;
    /// The space around the line, for its stroke and its end point.
    const MARGIN: u64 = 3;

    /// Draws these days, oldest first. The scale starts at zero, so that half of the height is half of the stock.
    pub(super) fn of(days: &[(Date, Option<Units>)]) -> Self {
        let known: Vec<(usize, Date, u64)> = days
            .iter()
            .enumerate()
            .filter_map(|(place, (day, stock))| Some((place, *day, (*stock)?.get())))
            .collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else {
            return Self { text: "No stock in the last 30 days.".to_owned(), ..Self::default() };
        };
        let most = known.iter().map(|(_, _, stock)| *stock).max().unwrap_or_default();
        let least = known.iter().map(|(_, _, stock)| *stock).min().unwrap_or_default();
        let steps = (days.len() as u64).saturating_sub(1).max(1);
        let (width, height) = (Self::WIDTH - 2 * Self::MARGIN, Self::HEIGHT - 2 * Self::MARGIN);
        let point = |place: usize, stock: u64| {
            let x = Self::MARGIN + place as u64 * width / steps;
            (x, Self::HEIGHT - Self::MARGIN - stock.saturating_mul(height) / most.max(1))
        };
        let points = known.iter().map(|(place, _, stock)| point(*place, *stock));
        let points: Vec<String> = points.map(|(x, y)| format!("{x},{y}")).collect();
        let text = if known.len() == 1 {
            format!("New today: {} now.", last.2)
        } else {
            let day = first.1.strftime("%b %-d");
            let (then, now) = (first.2, last.2);
            format!("Since {day}: {then} then, {now} now, lowest {least}, highest {most}.")
        };
        Self { points: points.join(" "), end: point(last.0, last.2), text }
    }

    /// Returns the y coordinate of zero.
    pub(super) fn baseline(&self) -> u64 {
        Self::HEIGHT - Self::MARGIN
    }

    /// Returns the `viewBox` attribute.
    pub(super) fn view_box(&self) -> String {
        format!("0 0 {} {}", Self::WIDTH, Self::HEIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(stocks: &[Option<u64>]) -> Vec<(Date, Option<Units>)> {
        let first: Date = "2026-10-24".parse().unwrap();
        let day = |(place, stock): (usize, &Option<u64>)| {
            let day = first.checked_add(jiff::Span::new().days(i64::try_from(place).unwrap())).unwrap();
            (day, stock.map(|stock| stock.try_into().unwrap()))
        };
        stocks.iter().enumerate().map(day).collect()
    }

    #[test]
    fn a_line_stays_in_its_box_and_has_a_text_alternative() {
        let mut stocks = vec![None; 27];
        stocks.extend([Some(10), Some(0), Some(5)]);
        let spark = Spark::of(&days(&stocks));
        assert_eq!(spark.points, "109,3 113,25 117,14");
        assert_eq!(spark.end, (117, 14));
        assert_eq!(spark.text, "Since Nov 20: 10 then, 5 now, lowest 0, highest 10.");
    }

    #[test]
    fn extreme_stocks_cause_no_division_by_zero_and_no_overflow() {
        assert_eq!(Spark::of(&days(&[None; 30])).points, "");
        assert_eq!(Spark::of(&days(&[Some(0); 30])).end, (117, 25));
        assert_eq!(Spark::of(&days(&[Some(Units::MAX); 30])).end, (117, 3));
    }
}
