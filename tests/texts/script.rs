//! Texts of scripts.

use std::collections::BTreeSet;

use crate::lines;

/// The literals of a script that are texts.
pub fn texts(script: &str) -> BTreeSet<String> {
    let literals = literals(&without_comments(script));
    let texts = literals.iter().filter(|literal| !is_technical(literal));
    texts.flat_map(|literal| lines(literal)).collect()
}

/// Lines that are comments are left out. A literal never begins a line with `//`.
fn without_comments(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a literal is a selector, a name of a header or a key, or a part of HTML.
fn is_technical(literal: &str) -> bool {
    let is_selector =
        literal.contains(['[', '#']) || literal.starts_with(['.', ':']) || literal.contains(" > ");
    let is_key = matches!(literal, "Enter" | "Escape" | "Home" | "End" | "Accept" | "POST" | "GET");
    is_selector || is_key || literal.starts_with('<') || literal.contains("Max-Age=")
}

/// The literals of a piece of code in quotes or backticks. A value within a template literal is written as {…}.
pub fn literals(code: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(at) = rest.find(['"', '`']) {
        let quote = &rest[at..=at];
        let (literal, after) = literal(&rest[at + 1..], quote);
        found.push(literal);
        rest = after;
    }
    found
}

fn literal<'a>(text: &'a str, quote: &str) -> (String, &'a str) {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        if rest.starts_with(quote) {
            return (literal, after);
        }
        if quote == "`" && rest.starts_with("${") {
            literal.push_str("{…}");
            rest = &rest[value_length(rest)..];
        } else if next == '\\' {
            let escaped = after.chars().next().unwrap_or_default();
            literal.push(if escaped == 'n' { '\n' } else { escaped });
            rest = &after[escaped.len_utf8()..];
        } else {
            literal.push(next);
            rest = after;
        }
    }
    (literal, "")
}

/// The length of `${…}` with its braces.
fn value_length(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn literals_are_read_without_comments_and_selectors() {
    let script = "// \"Not this\"\nsay(\"It is \\\"here\\\".\", `${n} of ${f({ a: 1 })} rows`);\nfind(\"form [name]\")";
    assert_eq!(texts(script).into_iter().collect::<Vec<_>>(), ["It is \"here\".", "{…} of {…} rows"]);
}
