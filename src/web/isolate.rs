//! Keeps the direction of a text that a person typed from changing the text around it.
//!
//! A name in Hebrew or Arabic, or with marks such as U+202E, changes the order in which a browser shows the words and
//! digits that follow it. In a page each such value is therefore isolated (Unicode Standard Annex #9). This happens to
//! every value of every template, as escaping does: the [escaper](IsolatingHtml) marks the value with two noncharacters,
//! and [`resolve`] replaces these marks by what the place in the page allows.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};

use crate::base::text::{self, FIRST_STRONG_ISOLATE, POP_ISOLATE, changes_direction};

/// The mark before an isolated value: a noncharacter, which no text contains.
const OPEN: char = '\u{fdd0}';
/// The mark after an isolated value.
const CLOSE: char = '\u{fdd1}';

/// Attributes whose values people read or hear, also as a part of a sentence of the script.
const READ_ATTRIBUTES: [&str; 5] = ["alt", "aria-label", "data-draft-name", "placeholder", "title"];
/// Elements that contain only text.
const TEXT_ELEMENTS: [&str; 3] = ["option", "svg", "title"];
/// Elements whose text is a value or code.
const VALUE_ELEMENTS: [&str; 3] = ["script", "style", "textarea"];

/// Escapes a value for HTML, and marks it if it may change the direction of the text around it.
#[derive(Debug, Clone, Copy, Default)]
pub struct IsolatingHtml;

impl Escaper for IsolatingHtml {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        if text.is_ascii() || !text.contains(|c| changes_direction(c) || is_mark(c)) {
            return Html.write_escaped_str(dest, text);
        }
        let clean = text.replace(is_mark, "\u{fffd}");
        dest.write_char(OPEN)?;
        Html.write_escaped_str(&mut dest, &clean)?;
        dest.write_char(CLOSE)
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, OPEN | CLOSE)
}

/// Replaces the marks of isolated values in a page: by a `bdi` element in its text, by Unicode's isolates where only text
/// is possible, and by nothing where a program reads the value, such as in a field of a form.
pub fn resolve(page: String) -> String {
    if !page.contains(OPEN) {
        return page;
    }
    let mut resolved = String::with_capacity(page.len() + 256);
    let mut place = Place::default();
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once(OPEN) {
        place.pass(before);
        resolved.push_str(before);
        let (value, after) = after.split_once(CLOSE).unwrap_or((after, ""));
        match place.isolation() {
            Isolation::Element => {
                resolved.push_str("<bdi>");
                resolved.push_str(&text::balanced(value));
                resolved.push_str("</bdi>");
            }
            Isolation::Characters => {
                resolved.push(FIRST_STRONG_ISOLATE);
                resolved.push_str(&text::balanced(value));
                resolved.push(POP_ISOLATE);
            }
            Isolation::None => resolved.push_str(value),
        }
        rest = after;
    }
    resolved.push_str(rest);
    resolved
}

/// How a value is isolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    /// As an element.
    Element,
    /// By characters of the text.
    Characters,
    /// Not at all: the value is no text that people read, or a field that sends it back.
    None,
}

/// A place in a page: what a tag, an attribute and the elements around it allow. It reads the HTML of our templates, in
/// which attributes with values have quotation marks.
#[derive(Debug, Default)]
struct Place {
    /// The tag around the place, from after its `<`.
    tag: Option<String>,
    /// The quotation mark of the attribute around the place.
    quote: Option<char>,
    /// The open elements among [`TEXT_ELEMENTS`] and [`VALUE_ELEMENTS`].
    open: Vec<&'static str>,
}

impl Place {
    /// Moves the place over a piece of HTML.
    fn pass(&mut self, html: &str) {
        for c in html.chars() {
            match (&mut self.tag, self.quote, c) {
                (None, _, '<') => self.tag = Some(String::new()),
                (None, ..) => {}
                (Some(_), None, '>') => self.end_tag(),
                (Some(tag), None, '"' | '\'') => {
                    self.quote = Some(c);
                    tag.push(c);
                }
                (Some(tag), Some(quote), _) if c == quote => {
                    self.quote = None;
                    tag.push(c);
                }
                (Some(tag), None, _) => tag.push(c),
                // The value of an attribute does not matter.
                (Some(_), Some(_), _) => {}
            }
        }
    }

    fn end_tag(&mut self) {
        let tag = self.tag.take().unwrap_or_default();
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').find(|part| !part.is_empty());
        let mut names = TEXT_ELEMENTS.into_iter().chain(VALUE_ELEMENTS);
        let Some(name) = names.find(|known| Some(*known) == name) else { return };
        if !tag.starts_with('/') {
            self.open.push(name);
        } else if let Some(at) = self.open.iter().rposition(|open| *open == name) {
            self.open.truncate(at);
        }
    }

    fn isolation(&self) -> Isolation {
        if let Some(tag) = &self.tag {
            let attribute = tag.trim_end_matches(['"', '\'', '=']);
            let attribute = attribute.rsplit(char::is_whitespace).next().unwrap_or_default();
            let is_read = self.quote.is_some() && READ_ATTRIBUTES.contains(&attribute);
            return if is_read { Isolation::Characters } else { Isolation::None };
        }
        match self.open.last() {
            None => Isolation::Element,
            Some(name) if TEXT_ELEMENTS.contains(name) => Isolation::Characters,
            Some(_) => Isolation::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    /// A page with one value in every kind of place.
    #[derive(Template)]
    #[template(
        config = "templates/askama.toml",
        ext = "html",
        source = r#"<title>{{ text }} · Holdfast</title><p title="{{ text }}">{{ text }}, 5</p>
<a href="/?q={{ text }}" aria-label='Edit {{ text }}' data-text="{{ text }}" data-draft-name="{{ text }}">{{ text|lower }}</a>
<input value="{{ text }}"><textarea>{{ text }}</textarea><option value="{{ text }}">{{ text }}</option>
<svg viewBox="0 0 1 1"><title>{{ text }}</title><text>{{ text }}</text></svg><b>{{ text }}</b>"#
    )]
    struct Page<'a> {
        text: &'a str,
    }

    fn shown(text: &str) -> String {
        resolve(Page { text }.render().unwrap())
    }

    #[test]
    fn a_value_with_a_direction_is_isolated_as_its_place_allows() {
        for name in ["Ann\u{202e}eeL", "שרה", "علي 3", "x\u{200f}", "\u{2066}"] {
            let closed = text::balanced(name);
            let isolated = format!("\u{2068}{closed}\u{2069}");
            let expected = format!(
                r#"<title>{isolated} · Holdfast</title><p title="{isolated}"><bdi>{closed}</bdi>, 5</p>
<a href="/?q={name}" aria-label='Edit {isolated}' data-text="{name}" data-draft-name="{isolated}"><bdi>{}</bdi></a>
<input value="{name}"><textarea>{name}</textarea><option value="{name}">{isolated}</option>
<svg viewBox="0 0 1 1"><title>{isolated}</title><text>{isolated}</text></svg><b><bdi>{closed}</bdi></b>"#,
                closed.to_lowercase()
            );
            assert_eq!(shown(name), expected, "{name:?}");
        }
    }

    #[test]
    fn other_values_are_only_escaped() {
        let page = shown("Zoë & <b>O'Brien</b> – 山田");
        assert!(page.contains("Zoë &#38; &#60;b&#62;O&#39;Brien"), "{page}");
        assert!(!page.contains("<bdi>") && !page.contains('\u{2068}'), "{page}");
        assert!(shown("<שרה>").contains("<b><bdi>&#60;שרה&#62;</bdi></b>"));
    }

    #[test]
    fn a_value_cannot_contain_the_marks_or_end_its_isolation() {
        let page = shown("a\u{fdd1}\u{fdd0}\u{2069}\u{202e}b");
        assert!(page.contains("<b><bdi>a\u{fffd}\u{fffd}\u{202e}b</bdi></b>"), "{page}");
        assert!(!page.contains(is_mark), "{page}");
    }
}
