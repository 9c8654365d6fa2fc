//! The words of comments, documents and names. The rules of shown texts are in `style.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use crate::style::has_word;

/// Words that neither a comment nor a document nor a name has, and what to write instead.
const BANNED: [(&str, &str); 10] = [
    ("meanwhile", "what happened"),
    ("nobody", "no one"),
    ("one's", "your, or the person's"),
    ("oneself", "the person"),
    ("somebody", "someone, or who it is"),
    ("stands", "is"),
    ("told", "what was said"),
    ("what became of", "the outcome of"),
    ("whatever", "regardless of"),
    ("whoever", "who"),
];

/// What is wrong with the words of a file.
pub fn faults(name: &str, source: &str) -> BTreeSet<String> {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    let prose = match extension {
        Some("rs" | "js" | "css") => without_literals(source),
        Some("html") => comments(source, "{#", "#}"),
        Some("md") => without_code(source),
        _ => source.to_owned(),
    };
    let prose = prose.to_lowercase().replace('_', " ");
    let prose: Vec<&str> = prose.split_whitespace().filter(|word| !is_mark(word)).collect();
    let prose = prose.join(" ").replace("stands for", "means");
    let banned = BANNED.iter().filter(|(word, _)| has_word(&prose, word));
    banned.map(|(word, instead)| format!("{name}: “{word}” (write: {instead})")).collect()
}

/// Whether a word only begins a line of a comment.
fn is_mark(word: &str) -> bool {
    matches!(word, "//" | "///" | "//!" | "#" | "*" | "|")
}

/// The comments of a template.
fn comments(source: &str, start: &str, end: &str) -> String {
    let rest = source.split(start).skip(1);
    rest.filter_map(|rest| rest.split_once(end)).map(|(comment, _)| comment).collect::<Vec<_>>().join("\n")
}

/// A text without what is between backticks.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("x")
}

/// Code without its literals, with its comments without code in backticks.
fn without_literals(source: &str) -> String {
    let (mut prose, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['/', '"', '\'', 'r']) {
        let (before, after) = rest.split_at(at);
        prose.push_str(before);
        let is_in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = literal_length(after, is_in_word);
        if let Some((comment, end)) = comment(after) {
            prose.push_str(&without_code(comment));
            rest = end;
        } else if length > 0 {
            prose.push('x');
            rest = &after[length..];
        } else {
            prose.push_str(&after[..1]);
            rest = &after[1..];
        }
    }
    prose + rest
}

/// The comment at the start of the code, to the end of its line, and what follows.
fn comment(code: &str) -> Option<(&str, &str)> {
    let end = code.find('\n').unwrap_or(code.len());
    code.starts_with("//").then(|| code.split_at(end))
}

/// The length of the literal at the start of the code; 0 if there is none.
fn literal_length(code: &str, is_in_word: bool) -> usize {
    let quoted = |start: usize, quote: &str| code[start..].find(quote).map(|at| start + at + quote.len());
    let found = match code {
        _ if code.starts_with("r\"") && !is_in_word => quoted(2, "\""),
        _ if code.starts_with("r#\"") && !is_in_word => quoted(3, "\"#"),
        _ if code.starts_with('"') => Some(1 + escaped_length(&code[1..])),
        // A character. A lifetime has no second quote.
        _ if code.starts_with("'\\") => quoted(3, "'"),
        _ if code.starts_with('\'') => code
            .chars()
            .nth(1)
            .filter(|c| code[1 + c.len_utf8()..].starts_with('\''))
            .map(|c| 2 + c.len_utf8()),
        _ => None,
    };
    found.unwrap_or_default()
}

/// The length of the rest of a literal, with its closing quote.
fn escaped_length(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest.char_indices().find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

#[test]
fn comments_documents_and_names_are_read_without_literals() {
    for (name, wrong) in [
        ("a.rs", "/// Nobody\nfn f() {}"),
        ("a.rs", "let c = '\"'; // As it\n// stands, it is."),
        ("a.rs", "fn a_key_signs_nobody_out() { r#\"told\"#; }"),
        ("a.rs", "/// What became\n/// of it."),
        ("a.js", "f(\"a\"); // Whatever it is"),
        ("a.html", "<p>{# One's own #}</p>"),
        ("a.md", "Meanwhile, `it` runs."),
        ("a.yaml", "# whoever it is"),
    ] {
        assert_eq!(faults(name, wrong).len(), 1, "{wrong}");
    }
    for (name, right) in [
        ("a.rs", "fn f<'a>(text: &'a str) { f(\"nobody \\\" told\"); g('\\''); /* */ }"),
        ("a.rs", "/// `nobody` is a user. A star stands for any text.\nconst A: &str = r\"told\";"),
        ("a.html", "<p>told</p>"),
        ("a.md", "The user `nobody`"),
    ] {
        assert_eq!(faults(name, right), BTreeSet::new(), "{right}");
    }
}
