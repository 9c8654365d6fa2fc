//! A small line for a row of a table.
//!
//! It is the exception among the charts: it has no values on focus and no table, because the row beside it has the
//! number, its name says the most important values, and the page to which the row leads has the chart with both.

use askama::Template;

use super::scale::Share;

/// A line without an axis, in a box of `WIDTH` by `HEIGHT`. Its name is shown when people point
/// at it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "charts/sparkline.html", config = "templates/askama.toml")]
pub struct Sparkline {
    name: String,
    /// The points in SVG notation.
    points: String,
    /// The last point.
    end: Option<(u64, u64)>,
}

impl Sparkline {
    const WIDTH: u64 = 120;
    const HEIGHT: u64 = 28;
    /// The space around the line, for its stroke and its end point.
    const MARGIN: u64 = 3;

    /// Draws these values, oldest first; unknown ones are left out. The scale starts at zero, so that half of the height
    /// is half of the largest value. `name` is one sentence that contains the most important values.
    pub fn new(name: String, values: &[Option<u64>]) -> Self {
        let most = values.iter().flatten().max().copied().unwrap_or_default();
        let steps = values.len().saturating_sub(1).max(1) as u64;
        let (width, height) = (Self::WIDTH - 2 * Self::MARGIN, Self::HEIGHT - 2 * Self::MARGIN);
        let point = |place: u64, value: u64| {
            let rise = u64::from(Share::of(value, most).thousandths()) * height / 1_000;
            (Self::MARGIN + place * width / steps, Self::HEIGHT - Self::MARGIN - rise)
        };
        let known = (0_u64..).zip(values).filter_map(|(place, value)| Some(point(place, (*value)?)));
        let known: Vec<(u64, u64)> = known.collect();
        let points = known.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
        Self { name, points, end: known.last().copied() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_stays_in_its_box_and_has_a_name() {
        let mut values = vec![None; 27];
        values.extend([Some(10), Some(0), Some(5)]);
        let drawn = Sparkline::new("Stock of <A>".to_owned(), &values);
        assert_eq!(drawn.points, "109,3 113,25 117,14");
        assert_eq!(drawn.end, Some((117, 14)));
        let html = drawn.to_string();
        assert!(html.contains("Stock of &#60;A&#62;") && !html.contains("style"), "{html}");
    }

    #[test]
    fn extreme_values_have_a_line_too() {
        let of = |values: &[Option<u64>]| Sparkline::new(String::new(), values);
        assert_eq!((of(&[]).points.as_str(), of(&[]).end), ("", None));
        assert_eq!(of(&[None; 30]).end, None);
        assert_eq!(of(&[Some(0); 30]).end, Some((117, 25)));
        assert_eq!(of(&[Some(u64::MAX); 30]).end, Some((117, 3)));
        assert_eq!(of(&[Some(7)]).points, "3,3");
    }

    proptest! {
        #[test]
        fn every_point_is_in_the_box(values in prop::collection::vec(any::<Option<u64>>(), 0..60)) {
            for point in Sparkline::new(String::new(), &values).points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (u64, u64) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((3..=117).contains(&x) && (3..=25).contains(&y), "{point}");
            }
        }
    }
}
