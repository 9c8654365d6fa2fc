//! What is kept of a row as custom fields, within the limits of a lead.
//!
//! Invariants: the fields are in the order of the file. If there are too many, those of mapped columns come first,
//! because a warning names them. Everything that is cut or left out is in a warning.

use crate::base::text::is_invisible;
use crate::imports::mapping::text::quoted;
use crate::leads::domain::{CustomField, CustomFields};
use crate::shared::numbers::counted;

/// The fewest bytes of a text that is cut.
const FEWEST_BYTES: usize = 64;
/// How many columns a warning names.
const NAMED: usize = 3;
const ELLIPSIS: &str = "…";

/// What is kept of a row.
#[derive(Default)]
pub(super) struct Kept {
    items: Vec<Item>,
}

struct Item {
    at: usize,
    is_mapped: bool,
    title: String,
    text: String,
}

impl Item {
    /// The fewest bytes that the item takes when its text is cut.
    fn least(&self) -> usize {
        self.title.len() + self.text.len().min(FEWEST_BYTES)
    }
}

impl Kept {
    /// Keeps a cell of a mapped column. A cell that is kept already is not kept twice.
    pub fn add(&mut self, at: usize, title: String, text: &str) {
        self.push(at, true, title, text);
    }

    /// Keeps a cell of a column that is kept.
    pub fn add_column(&mut self, at: usize, title: String, text: &str) {
        self.push(at, false, title, text);
    }

    fn push(&mut self, at: usize, is_mapped: bool, title: String, text: &str) {
        let text: String = text.chars().map(|c| if is_stray_control(c) { ' ' } else { c }).collect();
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        if !text.is_empty() && self.items.iter().all(|item| item.at != at || item.title != title) {
            self.items.push(Item { at, is_mapped, title, text: text.to_owned() });
        }
    }

    /// Returns the custom fields, and warnings about what is cut or left out.
    pub fn into_fields(mut self) -> (CustomFields, Vec<String>) {
        self.items.sort_by_key(|item| (!item.is_mapped, item.at));
        let left_out = self.leave_out();
        self.items.sort_by_key(|item| item.at);
        let mut warnings = self.cut();
        warnings.extend(left_out);
        let field =
            |item: Item| Some(CustomField { name: item.title.parse().ok()?, text: item.text.parse().ok()? });
        let fields = self.items.into_iter().filter_map(field).collect();
        (CustomFields::new(fields).unwrap_or_default(), warnings)
    }

    /// Removes the last items if there are too many, or if their names alone are too long.
    fn leave_out(&mut self) -> Option<String> {
        let mut bytes = 0;
        let fitting = self.items.iter().take(CustomFields::MAX).take_while(|item| {
            bytes += item.least();
            bytes <= CustomFields::MAX_BYTES
        });
        let fitting = fitting.count();
        let left_out = self.items.split_off(fitting);
        let names: Vec<String> = left_out.iter().take(NAMED).map(|item| quoted(&item.title)).collect();
        let more = if left_out.len() > NAMED { ", …" } else { "" };
        (!left_out.is_empty()).then(|| {
            format!(
                "{} left out, because a lead can have at most {} custom fields: {}{more}.",
                counted(left_out.len(), "column is", "columns are"),
                CustomFields::MAX,
                names.join(", ")
            )
        })
    }

    /// Cuts the longest texts until all fit.
    fn cut(&mut self) -> Vec<String> {
        let longest = self.longest_text();
        let mut warnings = Vec::new();
        for item in &mut self.items {
            if item.text.len() > longest {
                let end = item.text.floor_char_boundary(longest.saturating_sub(ELLIPSIS.len()));
                let (title, whole) = (quoted(&item.title), kilobytes(item.text.len()));
                item.text.truncate(end);
                warnings.push(format!(
                    "The text of {title} is {whole} long; the first {} are kept, because a lead's custom fields can have at most 16 KB in total.",
                    kilobytes(end)
                ));
                item.text.push_str(ELLIPSIS);
            }
        }
        warnings
    }

    /// Returns the length to which long texts are cut so that all texts fit: short texts stay whole, and long ones
    /// share the rest.
    fn longest_text(&self) -> usize {
        let names: usize = self.items.iter().map(|item| item.title.len()).sum();
        let mut lengths: Vec<usize> = self.items.iter().map(|item| item.text.len()).collect();
        lengths.sort_unstable();
        let mut remaining = CustomFields::MAX_BYTES.saturating_sub(names);
        for (at, length) in lengths.iter().enumerate() {
            let share = remaining / (lengths.len() - at);
            if *length > share {
                return share;
            }
            remaining -= length;
        }
        usize::MAX
    }
}

/// Whether a character is a control character that a custom field cannot have.
fn is_stray_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

fn kilobytes(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} bytes") } else { format!("{:.1} KB", bytes as f64 / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &[(&str, String)]) -> (CustomFields, Vec<String>) {
        let mut kept = Kept::default();
        for (at, (title, text)) in texts.iter().enumerate() {
            kept.add_column(at, (*title).to_owned(), text);
        }
        kept.into_fields()
    }

    fn lengths(fields: &CustomFields) -> Vec<usize> {
        fields.iter().map(|field| field.text.as_str().len()).collect()
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_the_short_ones_stay_whole() {
        let long = "é".repeat(41_000);
        let (fields, warnings) = kept(&[("Note", long), ("City", "Reno".into()), ("Zip", "89501".into())]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("“Note” is 80.1 KB long; the first 16.0 KB are kept"), "{warnings:?}");
        assert!(fields.bytes() <= CustomFields::MAX_BYTES && fields.bytes() > CustomFields::MAX_BYTES - 4);
        assert_eq!(lengths(&fields)[1..], [4, 5]);
        assert!(fields.iter().next().unwrap().text.as_str().ends_with("é…"));
    }

    #[test]
    fn two_long_texts_share_what_the_short_ones_leave() {
        let (fields, warnings) =
            kept(&[("A", "a".repeat(9_000)), ("B", "b".repeat(90_000)), ("C", "c".repeat(3_000))]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(lengths(&fields), [6_690, 6_690, 3_000]);
    }

    #[test]
    fn of_too_many_columns_the_last_are_left_out_but_never_those_that_a_warning_names() {
        let mut kept = Kept::default();
        for at in 0..43 {
            kept.add_column(at, format!("Column {at}"), "x");
        }
        kept.add(50, "Status (file)".into(), "Working");
        kept.add(usize::MAX, "Other emails".into(), "b@example.com");
        let (fields, warnings) = kept.into_fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(
            (names.len(), names[37], names[38], names[39]),
            (40, "Column 37", "Status (file)", "Other emails")
        );
        let expected = "5 columns are left out, because a lead can have at most 40 custom fields: “Column 38”, “Column 39”, “Column 40”, ….";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn very_long_names_leave_space_for_texts() {
        let names: Vec<String> = (0..40).map(|n| format!("{}{n}", "字".repeat(98))).collect();
        let texts: Vec<(&str, String)> = names.iter().map(|name| (name.as_str(), "x".repeat(500))).collect();
        let (fields, warnings) = kept(&texts);
        assert!(fields.bytes() <= CustomFields::MAX_BYTES && fields.iter().count() >= 39, "{warnings:?}");
    }

    #[test]
    fn control_characters_become_spaces_and_lines_stay() {
        let (fields, _) = kept(&[("A", "a\u{7}b\nc\u{0}".into()), ("B", "\u{200b} ".into())]);
        assert_eq!(fields.iter().map(|field| field.text.as_str()).collect::<Vec<_>>(), ["a b\nc"]);
    }
}
