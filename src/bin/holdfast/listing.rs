//! Whole lists: reads all pages of a list, and prints them as a table or as JSON.

use holdfast::web::lists::Listed;
use holdfast::web::pages::DisplayTime;
use jiff::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// The number of items to read at once.
pub const PAGE: u16 = 100;

/// Reads all pages of a list.
pub async fn all_pages<T, E: Into<Failure>>(
    page: impl AsyncFn(Option<&str>) -> Result<Listed<T>, E>,
) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let read = page(cursor.as_deref()).await.map_err(Into::into)?;
        items.extend(read.items);
        match read.next {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}

/// A whole list as JSON.
#[derive(Serialize)]
struct Items<'a, T> {
    items: &'a [T],
}

/// Prints a list as a table with a header, or as JSON. `none` is the text for an empty list.
pub fn print<T: Serialize, const N: usize>(
    items: &[T],
    head: [&str; N],
    row: impl Fn(&T) -> [String; N],
    none: &str,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let text = if items.is_empty() { none.to_owned() } else { table(head, items.iter().map(row)) };
    output.print(&text, &Items { items })
}

/// Formats columns below a header.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns a time in New York with its zone, or the text if there is none.
pub fn time(at: Option<Timestamp>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), |at| DisplayTime::from(at).text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["Émile", "1"], ["Bo", "22"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["NAME", "NUMBER"], rows.into_iter()), "NAME   NUMBER\nÉmile  1\nBo     22");
    }

    #[test]
    fn a_time_names_its_zone() {
        assert_eq!(time(None, "never"), "never");
        assert_eq!(time(Some(Timestamp::UNIX_EPOCH), "never"), "Dec 31, 1969, 7:00 PM EST");
    }
}
