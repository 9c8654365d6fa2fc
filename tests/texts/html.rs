//! Texts of templates.

use std::collections::BTreeSet;

use crate::{is_text, lines, script};

/// Elements within a sentence. All others end it.
const INLINE: [&str; 17] = [
    "a", "abbr", "b", "bdi", "code", "em", "i", "kbd", "mark", "s", "small", "span", "strong", "sub", "sup",
    "time", "var",
];
/// Elements whose content is not text.
const OPAQUE: [&str; 3] = ["script", "style", "svg"];
/// Attributes that people read or hear.
const ATTRIBUTES: [&str; 8] =
    ["alt", "aria-description", "aria-label", "content", "hx-confirm", "label", "placeholder", "title"];

/// The texts of a template: content, attributes, and literals in its expressions.
pub fn texts(template: &str) -> BTreeSet<String> {
    let mut reader = Reader { texts: BTreeSet::new(), sentence: String::new() };
    let html = reader.without_expressions(template);
    reader.read(&html);
    reader.texts
}

struct Reader {
    texts: BTreeSet<String>,
    sentence: String,
}

impl Reader {
    /// The template with a marker for each expression and condition. Reads the literals within.
    fn without_expressions(&mut self, template: &str) -> String {
        let (mut html, mut rest) = (String::new(), template);
        while let Some(at) = rest.find('{') {
            html.push_str(&rest[..at]);
            rest = &rest[at..];
            let (inner, after) = match rest.get(..2) {
                Some("{#") => ("", cut(rest, "#}").1),
                Some("{{") => cut(rest, "}}"),
                Some("{%") => cut(rest, "%}"),
                _ => ("{", &rest[1..]),
            };
            if !inner.is_empty() {
                let literals = script::literals(inner);
                let texts = literals.iter().filter(|literal| !literal.contains("=\""));
                self.texts.extend(texts.flat_map(|literal| lines(literal)));
            }
            html.push_str(match rest.get(..2) {
                Some("{#") => "",
                Some("{{") => "{…}",
                Some("{%") => marker(inner),
                _ => "{",
            });
            rest = after;
        }
        html + rest
    }

    fn read(&mut self, html: &str) {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            self.sentence.push_str(&rest[..at]);
            let tag = &rest[at + 1..];
            let (name, after) = tag.split_at(tag.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(0));
            let (attributes, after) = attributes(after);
            rest = after;
            self.element(name, &attributes);
            if OPAQUE.contains(&name) {
                rest = cut(rest, &format!("</{name}>")).1;
            }
        }
        self.sentence.push_str(rest);
        self.end_sentence();
    }

    fn element(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let is_button = attributes.iter().any(|(name, value)| *name == "class" && value.contains("button"));
        if is_button || !INLINE.contains(&name.trim_start_matches('/')) {
            self.end_sentence();
        }
        for (name, value) in attributes {
            if ATTRIBUTES.contains(name) || (name.starts_with("data-") && is_text(value)) {
                self.add(value);
            }
        }
    }

    fn end_sentence(&mut self) {
        let sentence = std::mem::take(&mut self.sentence);
        self.add(&sentence);
    }

    fn add(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        for piece in pieces(&words.join(" ")) {
            let said =
                piece.replace("{…}", "").replace("{if}", "").replace("{else}", "").replace("{end}", "");
            // A macro may write attributes, outside of any tag that is read here.
            if said.chars().any(char::is_alphabetic) && !said.contains("aria-") {
                self.texts.insert(piece.trim().to_owned());
            }
        }
    }
}

/// What is between an opening of two characters and its end, and what follows.
fn cut<'a>(text: &'a str, end: &str) -> (&'a str, &'a str) {
    match text.find(end) {
        Some(at) => (text.get(2..at).unwrap_or_default(), &text[at + end.len()..]),
        None => (text, ""),
    }
}

/// What a tag of the template language leaves in a sentence.
fn marker(tag: &str) -> &'static str {
    match tag.trim_start_matches('-').split_whitespace().next() {
        Some("if" | "for" | "match") => "{if}",
        Some("else" | "when") => "{else}",
        Some("endif" | "endfor" | "endmatch") => "{end}",
        Some("call") => "{…}",
        Some("block" | "endblock" | "macro" | "endmacro") => "<wbr>",
        _ => "",
    }
}

/// The attributes of a tag, and what follows the tag.
fn attributes(tag: &str) -> (Vec<(&str, &str)>, &str) {
    let (mut found, mut rest) = (Vec::new(), tag);
    loop {
        rest = rest.trim_start();
        let Some(end) = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>') else {
            return (found, "");
        };
        let name = &rest[..end];
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        if let Some((value, after)) = rest.strip_prefix("=\"").and_then(|value| value.split_once('"')) {
            // A condition may come before the name: `{if} title="…"` or `{if}title="…"`.
            found.push((name.rsplit('}').next().unwrap_or_default(), value));
            rest = after;
        } else {
            rest = rest.strip_prefix('=').unwrap_or(rest);
        }
    }
}

/// The texts of a sentence: split at conditions that go beyond it, and one for each branch of a condition around all.
fn pieces(sentence: &str) -> Vec<String> {
    let (mut open, mut cuts, mut at) = (Vec::new(), Vec::new(), 0);
    let mut branches: Vec<Vec<usize>> = Vec::new();
    while let Some(offset) = sentence[at..].find('{') {
        at += offset;
        let rest = &sentence[at..];
        if rest.starts_with("{if}") {
            open.push(at);
            branches.push(Vec::new());
        } else if rest.starts_with("{else}") {
            match branches.last_mut() {
                Some(elses) => elses.push(at),
                None => cuts.push(at),
            }
        } else if rest.starts_with("{end}") {
            match (open.pop(), branches.pop()) {
                (Some(0), Some(elses)) if at + "{end}".len() == sentence.len() => {
                    let cuts: Vec<usize> = std::iter::once(0).chain(elses).chain([at]).collect();
                    return split(sentence, &cuts).iter().flat_map(|piece| pieces(piece)).collect();
                }
                (Some(_), _) => {}
                (None, _) => cuts.push(at),
            }
        }
        at += 1;
    }
    cuts.extend(open.into_iter().chain(branches.into_iter().flatten()));
    cuts.sort_unstable();
    if cuts.is_empty() {
        return vec![sentence.to_owned()];
    }
    split(sentence, &cuts).iter().flat_map(|piece| pieces(piece)).collect()
}

/// The text between markers at these positions.
fn split(sentence: &str, cuts: &[usize]) -> Vec<String> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for cut in cuts {
        parts.push(sentence[start..*cut].trim().to_owned());
        start = sentence[*cut..].find('}').map_or(sentence.len(), |end| cut + end + 1);
    }
    parts.push(sentence[start..].trim().to_owned());
    parts
}

#[test]
fn a_sentence_is_one_text_and_a_branch_is_its_own() {
    let template = r#"{% block a %}<h1 title="A title">One <b>thing</b> of {{ count }}</h1>
        <p>{% if x %}Yes it is{% else %}No{% endif %}</p><p>You have {% if n %}one{% else %}some{% endif %} left.</p>
        {% if a %}<p>In a branch</p>{% endif %}<input {% if b %}placeholder="Find it"{% endif %} name="No">
        <svg><title>Not read</title></svg>{{ join("a word") }}{# no comment #}"#;
    let expected = [
        "A title",
        "Find it",
        "In a branch",
        "No",
        "One thing of {…}",
        "Yes it is",
        "You have {if}one{else}some{end} left.",
        "a word",
    ];
    assert_eq!(texts(template).into_iter().collect::<Vec<_>>(), expected);
}
