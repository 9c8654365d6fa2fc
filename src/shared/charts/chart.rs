//! Columns or a line over time, with an axis, a name for each value, and a table of all values.

use askama::Template;
use jiff::civil::Date;

use super::scale::{GridLine, Scale, Share};
use crate::shared::numbers::grouped;

/// What a chart counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// The name in the key and in the head of the table: "Leads created".
    name: &'static str,
    /// The word after a number: "12 created".
    unit: &'static str,
}

impl Series {
    /// Creates a series: "Leads created" is its name, and "created" follows its numbers.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }
}

/// The values of one moment, one for each series. `None` is a value that does not exist.
#[derive(Debug, Clone)]
pub struct Point {
    label: String,
    day: Option<Date>,
    values: Vec<Option<u64>>,
}

impl Point {
    /// Creates the values of a day.
    pub fn on(day: Date, values: &[Option<u64>]) -> Self {
        Self { label: day.strftime("%b %-d").to_string(), day: Some(day), values: values.into() }
    }

    /// Creates the values of another moment, described by its label.
    pub fn at(label: String, values: &[Option<u64>]) -> Self {
        Self { label, day: None, values: values.into() }
    }

    /// Returns the name of the values: "Nov 3: 12 created, 3 delivered". `None` if there are none.
    fn name(&self, series: &[Series]) -> Option<String> {
        let value = |(value, series): (&Option<u64>, &Series)| {
            Some(format!("{} {}", grouped((*value)?), series.unit))
        };
        let values: Vec<String> = self.values.iter().zip(series).filter_map(value).collect();
        (!values.is_empty()).then(|| format!("{}: {}", self.label, values.join(", ")))
    }

    /// Returns the row of the table.
    fn row(&self) -> Row {
        let text = |value: &Option<u64>| value.map_or_else(|| "–".to_owned(), grouped);
        Row { label: self.label.clone(), values: self.values.iter().map(text).collect() }
    }
}

/// A chart of values over time, for a page.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/chart.html", config = "templates/askama.toml")]
pub struct Chart {
    /// The name of the chart and the caption of its table.
    title: &'static str,
    /// The head of the first column: what a point is.
    axis: &'static str,
    series: Vec<Series>,
    lines: Vec<GridLine>,
    cells: Vec<Cell>,
    curves: Vec<Curve>,
    /// The labels of the first and the last moment, if the cells have no labels.
    ends: Option<(String, String)>,
    rows: Vec<Row>,
}

/// The place of one moment. All have the same width.
#[derive(Debug, Clone)]
struct Cell {
    /// The name of its values. It is shown when people point at them.
    name: Option<String>,
    /// Where the name is beside the cell, so that it stays inside the chart.
    side: &'static str,
    columns: Vec<Column>,
    dot: Option<Dot>,
    /// The day of the month, and the month where it begins.
    day: Option<(String, Option<String>)>,
}

/// A column in its cell.
#[derive(Debug, Clone, Copy)]
struct Column {
    class: &'static str,
    x: Share,
    width: Share,
    y: Share,
    height: Share,
}

/// A point of a line, in its cell.
#[derive(Debug, Clone, Copy)]
struct Dot {
    y: Share,
    /// Whether it is always visible. The others are visible when people point at them.
    shown: bool,
}

/// A line without gaps, and the area below it. A cell is 2 wide, and the height is 1000.
#[derive(Debug, Clone)]
struct Curve {
    line: String,
    area: String,
}

/// A row of the table.
#[derive(Debug, Clone)]
struct Row {
    label: String,
    values: Vec<String>,
}

/// The classes of the first and the second series, which have the colors.
const CLASSES: [&str; 2] = ["one", "two"];

/// The places of columns in their cell: left edge and width.
const ONE_COLUMN: [(Share, Share); 1] = [(Share::new(150), Share::new(700))];
const TWO_COLUMNS: [(Share, Share); 2] =
    [(Share::new(70), Share::new(410)), (Share::new(520), Share::new(410))];

impl Chart {
    /// The most days that all have a label.
    const LABELED_DAYS: usize = 14;
    /// The most labels of more days.
    const LABELS: usize = 8;

    /// Draws one column in each moment, or two columns for two series. `axis` is what a moment is: "Day".
    pub fn columns(title: &'static str, axis: &'static str, series: &[Series], points: &[Point]) -> Self {
        let scale = Scale::covering(most(points));
        let places = if series.len() < 2 { ONE_COLUMN.as_slice() } else { TWO_COLUMNS.as_slice() };
        let mut chart = Self::empty(title, axis, series, points, scale);
        for (cell, point) in chart.cells.iter_mut().zip(points) {
            let column = |((value, (x, width)), class): ((&Option<u64>, &(Share, Share)), _)| {
                let height = Share::visible((*value)?, scale.top());
                Some(Column { class, x: *x, width: *width, y: height.rest(), height })
            };
            cell.columns = point.values.iter().zip(places).zip(CLASSES).filter_map(column).collect();
        }
        chart
    }

    /// Draws a line through the moments, on a scale that covers at least `whole`. Where a value is missing, the line has
    /// a gap.
    pub fn line(
        title: &'static str,
        axis: &'static str,
        series: Series,
        points: &[Point],
        whole: u64,
    ) -> Self {
        let scale = Scale::covering(most(points).max(whole));
        let mut chart = Self::empty(title, axis, &[series], points, scale);
        let share = |point: &Point| Some(Share::of((*point.values.first()?)?, scale.top()).rest());
        let heights: Vec<Option<Share>> = points.iter().map(share).collect();
        let last = heights.iter().rposition(Option::is_some);
        for (place, (cell, y)) in chart.cells.iter_mut().zip(&heights).enumerate() {
            cell.dot = y.map(|y| Dot { y, shown: last == Some(place) || is_alone(&heights, place) });
        }
        chart.curves = curves(&heights);
        chart
    }

    /// Returns the chart with its axes and its table, before anything is drawn.
    fn empty(
        title: &'static str,
        axis: &'static str,
        series: &[Series],
        points: &[Point],
        scale: Scale,
    ) -> Self {
        let days = day_labels(points);
        let cell = |(place, (point, day)): (usize, (&Point, _))| Cell {
            name: point.name(series),
            side: side(place, points.len()),
            columns: Vec::new(),
            dot: None,
            day,
        };
        let ends = match points {
            [first, .., last] if first.day.is_none() => Some((first.label.clone(), last.label.clone())),
            [only] if only.day.is_none() => Some((only.label.clone(), String::new())),
            _ => None,
        };
        Self {
            title,
            axis,
            series: series.into(),
            lines: scale.lines(),
            cells: points.iter().zip(days).enumerate().map(cell).collect(),
            curves: Vec::new(),
            ends,
            rows: points.iter().map(Point::row).collect(),
        }
    }

    /// Returns the series with their classes, for the key.
    fn key(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.series.iter().zip(CLASSES).map(|(series, class)| (series.name, class))
    }
}

fn most(points: &[Point]) -> u64 {
    points.iter().flat_map(|point| &point.values).flatten().max().copied().unwrap_or_default()
}

/// Returns the class that keeps a name inside the chart.
fn side(place: usize, count: usize) -> &'static str {
    match place * 3 / count.max(1) {
        0 => "begin",
        1 => "middle",
        _ => "end",
    }
}

/// Returns whether a point has no neighbor, so that no line shows it.
fn is_alone(heights: &[Option<Share>], place: usize) -> bool {
    let is_known =
        |place: Option<usize>| place.and_then(|place| heights.get(place)).is_some_and(Option::is_some);
    !is_known(place.checked_sub(1)) && !is_known(place.checked_add(1))
}

/// Returns the lines between the gaps.
fn curves(heights: &[Option<Share>]) -> Vec<Curve> {
    let places: Vec<(usize, Option<Share>)> = heights.iter().copied().enumerate().collect();
    let curve = |known: &[(usize, Option<Share>)]| {
        let points = known.iter().filter_map(|(place, y)| Some((place * 2 + 1, (*y)?.thousandths())));
        let points: Vec<(usize, u16)> = points.collect();
        let ((first, _), (last, _)) = (points.first()?, points.last()?);
        let line = points.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ");
        let area = [format!("{first},1000"), line.clone(), format!("{last},1000")].join(" ");
        Some(Curve { line, area })
    };
    places.split(|(_, y)| y.is_none()).filter_map(curve).collect()
}

/// Returns the labels of days: the day of the month, with the month below the first and where another month begins. If
/// there are many days, a few at equal distances have labels, and the last day is one of them.
fn day_labels(points: &[Point]) -> Vec<Option<(String, Option<String>)>> {
    let count = points.len();
    let every = if count <= Chart::LABELED_DAYS { 1 } else { count.div_ceil(Chart::LABELS) };
    let mut month = None;
    let mut label = |(place, point): (usize, &Point)| {
        let day = point.day.filter(|_| (count - 1 - place).is_multiple_of(every))?;
        let is_new = month.replace((day.year(), day.month())) != Some((day.year(), day.month()));
        Some((day.day().to_string(), is_new.then(|| day.strftime("%b").to_string())))
    };
    points.iter().enumerate().map(&mut label).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CREATED: Series = Series::new("Leads created", "created");
    const DELIVERED: Series = Series::new("Leads delivered", "delivered");

    fn days(values: &[[Option<u64>; 2]]) -> Vec<Point> {
        let first: Date = "2026-10-25".parse().unwrap();
        let day =
            |place: usize| first.checked_add(jiff::Span::new().days(i64::try_from(place).unwrap())).unwrap();
        values.iter().enumerate().map(|(place, values)| Point::on(day(place), values)).collect()
    }

    fn moments(values: &[Option<u64>]) -> Vec<Point> {
        values.iter().map(|value| Point::at("<Noon>".to_owned(), &[*value])).collect()
    }

    #[test]
    fn columns_have_names_labels_a_key_and_a_table() {
        let values: Vec<_> = (0..14).map(|n| [Some(n * 1_000), Some(n / 13)]).collect();
        let html =
            Chart::columns("Leads of 14 days", "Day", &[CREATED, DELIVERED], &days(&values)).to_string();
        assert!(html.contains(r#"aria-label="Nov 7: 13,000 created, 1 delivered""#), "{html}");
        assert!(html.contains("<caption class=\"unseen\">Leads of 14 days</caption>"));
        assert!(html.contains(r#"<th scope="row">Oct 25</th><td>0</td><td>0</td>"#));
        assert!(html.contains("25<br>Oct") && html.contains("1<br>Nov") && html.contains(">31<"));
        assert!(html.contains(r#"<span class="two">Leads delivered</span>"#));
        // The smallest number is still visible, and zero is not.
        assert!(html.contains(r#"height="1.2%""#) && html.contains(r#"height="0%""#));
        for label in ["5,000", "10K", "15K"] {
            assert!(html.contains(label), "{label}");
        }
    }

    #[test]
    fn a_line_has_gaps_where_values_are_missing() {
        let values = [None, Some(5), None, Some(10), Some(0)];
        let chart = Chart::line("Sales", "Until", CREATED, &moments(&values), 10);
        let lines: Vec<&str> = chart.curves.iter().map(|curve| curve.line.as_str()).collect();
        assert_eq!(lines, ["3,500", "7,0 9,1000"]);
        assert_eq!(chart.curves[1].area, "7,1000 7,0 9,1000 9,1000");
        let shown: Vec<_> = chart.cells.iter().map(|cell| cell.dot.map(|dot| dot.shown)).collect();
        assert_eq!(shown, [None, Some(true), None, Some(false), Some(true)]);
        let html = chart.to_string();
        assert_eq!(html.matches("tabindex").count(), 3, "a missing value is no stop");
        assert!(html.contains("&#60;Noon&#62;") && !html.contains("<Noon>"), "labels are escaped");
        assert!(!html.contains(r#"class="key""#), "one series needs no key");
    }

    #[test]
    fn a_few_of_many_days_have_labels() {
        let labels: Vec<_> = day_labels(&days(&[[Some(1); 2]; 30])).into_iter().flatten().collect();
        let texts: Vec<_> = labels.iter().map(|(day, month)| (day.as_str(), month.as_deref())).collect();
        let begin = [("26", Some("Oct")), ("30", None), ("3", Some("Nov")), ("7", None)];
        assert_eq!(texts.len(), 8);
        assert_eq!(texts[..4], begin);
        assert_eq!(texts[7].0, "23", "the last day");
    }

    #[test]
    fn no_values_one_value_and_zeros_look_right() {
        let none = Chart::columns("Leads", "Day", &[CREATED], &[]).to_string();
        assert!(none.contains("Nothing to show yet.") && !none.contains("<svg"), "{none}");
        let one = Chart::line("Sales", "Until", CREATED, &moments(&[Some(3)]), 0);
        assert!(one.cells[0].dot.unwrap().shown);
        assert!(one.to_string().contains("<span>&#60;Noon&#62;</span>"));
        let zeros = Chart::columns("Leads", "Day", &[CREATED], &days(&[[Some(0); 2]; 3]));
        assert_eq!(zeros.lines.len(), 2);
        assert!(zeros.cells.iter().all(|cell| cell.columns[0].height.thousandths() == 0));
    }

    proptest! {
        #[test]
        fn every_position_is_inside_the_chart(values in prop::collection::vec(any::<[Option<u64>; 2]>(), 1..40)) {
            let points = days(&values);
            let columns = Chart::columns("Leads", "Day", &[CREATED, DELIVERED], &points);
            for column in columns.cells.iter().flat_map(|cell| &cell.columns) {
                prop_assert_eq!(column.y.thousandths() + column.height.thousandths(), 1_000);
                prop_assert!(column.x.thousandths() + column.width.thousandths() <= 1_000);
            }
            let line = Chart::line("Sales", "Day", CREATED, &points, 0);
            for point in line.curves.iter().flat_map(|curve| curve.area.split(' ')) {
                let (x, y) = point.split_once(',').unwrap();
                prop_assert!(x.parse::<usize>().unwrap() < 2 * values.len(), "{}", point);
                prop_assert!(y.parse::<u16>().unwrap() <= 1_000, "{}", point);
            }
            for html in [columns.to_string(), line.to_string()] {
                prop_assert!(!html.contains("NaN") && !html.contains("inf") && !html.contains("style="));
                prop_assert_eq!(html.matches("<th scope=\"row\">").count(), values.len());
            }
        }
    }
}
