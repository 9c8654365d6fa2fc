//! A product's stock of the last days: a small line in the list, and a chart on the product's page.

use jiff::civil::Date;

use crate::inventory::domain::Units;
use crate::shared::charts::{Chart, Point, Series, Sparkline};

/// The closing stock of each day, oldest first. Days before the product existed have none.
type Days<'a> = &'a [(Date, Option<Units>)];

/// Draws the line of the list.
pub(super) fn sparkline(days: Days<'_>) -> Sparkline {
    let stocks: Vec<Option<u64>> = days.iter().map(|(_, stock)| Some((*stock)?.get())).collect();
    Sparkline::new(format!("Stock of the last 30 days: {}.", summary(&stocks)), &stocks)
}

/// Draws the chart of the product's page.
pub(super) fn chart(days: Days<'_>) -> Chart {
    let point = |(day, stock): &(Date, Option<Units>)| Point::on(*day, &[stock.map(Units::get)]);
    let points: Vec<Point> = days.iter().map(point).collect();
    Chart::line("Stock at the end of each day", "Day", Series::new("Stock", "in stock"), &points, 0)
}

fn summary(stocks: &[Option<u64>]) -> String {
    let known: Vec<u64> = stocks.iter().flatten().copied().collect();
    match known.as_slice() {
        [] => "none".to_owned(),
        [only] => format!("new today, {only} in stock"),
        [first, .., last] => {
            let least = known.iter().min().unwrap_or(first);
            let most = known.iter().max().unwrap_or(first);
            format!("from {first} to {last}, lowest {least}, highest {most}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_described_by_its_ends_and_its_extremes() {
        for (stocks, text) in [
            (vec![None, None], "none"),
            (vec![None, Some(7)], "new today, 7 in stock"),
            (vec![None, Some(10), Some(0), Some(12), Some(5)], "from 10 to 5, lowest 0, highest 12"),
        ] {
            assert_eq!(summary(&stocks), text);
        }
    }

    #[test]
    fn the_chart_has_the_stock_of_each_day() {
        let day = |day: &str| day.parse::<Date>().unwrap();
        let days = [(day("2026-11-22"), None), (day("2026-11-23"), Some(Units::try_from(1_000).unwrap()))];
        let html = chart(&days).to_string();
        assert!(html.contains(r#"aria-label="Nov 23: 1,000 in stock""#), "{html}");
        assert!(html.contains(r#"<th scope="row">Nov 22</th><td>–</td>"#), "{html}");
    }
}
