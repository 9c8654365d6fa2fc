//! The names under which the cells of columns are kept as custom fields.
//!
//! Invariants: no two columns of a file have the same name, and every name is valid.

use std::collections::HashSet;

use super::text::{clean, one_line};
use crate::base::text::is_invisible;
use crate::leads::domain::FieldName;

/// A custom field's name has at most 100 characters. Ten of them are for a number or a remark.
const MAX_CHARS: usize = 90;

/// The suffix for a column with the name of one of a lead's own fields.
pub const REMARK: &str = " (file)";

/// Returns the name of each column: its header, or "Column 7" if that is blank. A name that a lead's own field has gets
/// the remark "(file)", and a name that an earlier column has gets a number.
pub fn titles(headers: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |(at, header): (usize, &String)| unused(&title(header, at), &mut taken);
    headers.iter().enumerate().map(name).collect()
}

/// Returns a name that is not yet taken, and takes it.
pub fn unused(title: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{title} {number}"));
    let mut names = std::iter::once(title.to_owned()).chain(numbered);
    let name = names.find(|name| taken.insert(name.to_lowercase()));
    name.unwrap_or_default()
}

fn title(header: &str, at: usize) -> String {
    let visible: String = one_line(clean(header)).chars().filter(|c| !is_invisible(*c)).collect();
    let mut title: String = visible.chars().take(MAX_CHARS).collect();
    if title.len() < visible.len() {
        title = format!("{}…", title.trim_end());
    }
    if title.is_empty() {
        title = format!("Column {}", at + 1);
    }
    if title.parse::<FieldName>().is_err() { format!("{title}{REMARK}") } else { title }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own_that_a_custom_field_can_have() {
        let long = "é".repeat(150);
        let headers = [
            "Note",
            "note",
            "Lead score",
            "",
            "version",
            "ID",
            "Lead Score",
            "'=sum",
            "a\nb\u{202e}",
            &long,
            " ",
        ];
        let titles = titles(&headers.map(str::to_owned));
        let expected = [
            "Note",
            "note 2",
            "Lead score (file)",
            "Column 4",
            "version (file)",
            "ID (file)",
            "Lead Score (file) 2",
            "=sum",
            "a b",
        ];
        assert_eq!(titles[..9], expected);
        assert_eq!(titles[9], format!("{}…", "é".repeat(90)));
        assert_eq!(titles[10], "Column 11");
        for title in titles {
            assert_eq!(title.parse::<FieldName>().unwrap().as_str(), title);
        }
    }
}
