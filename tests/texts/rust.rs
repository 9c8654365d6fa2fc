//! Texts of Rust sources.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::lines;

/// Macros whose texts only developers and operators read, in panics and logs, or that name files.
const SKIPPED_MACROS: [&str; 24] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "compile_error",
    "debug",
    "debug_assert",
    "debug_span",
    "env",
    "error",
    "error_span",
    "event",
    "include",
    "include_bytes",
    "include_str",
    "info",
    "info_span",
    "panic",
    "stringify",
    "todo",
    "trace",
    "unreachable",
    "warn",
    "warn_span",
];
/// Types that derive one of these describe the command line: their doc comments are its help.
const COMMAND_LINE: [&str; 4] = ["Args", "Parser", "Subcommand", "ValueEnum"];

/// The literals of a source file that are texts. Tests, logs, patterns, and expressions of the store are left out.
pub fn texts(source: &str) -> BTreeSet<String> {
    let tokens: TokenStream = source.parse().expect("the source can be parsed");
    let mut literals = Vec::new();
    read(tokens, false, &mut literals);
    let texts = literals.iter().filter(|literal| !is_expression(literal));
    texts.flat_map(|literal| lines(literal)).collect()
}

/// Reads the literals of a group. In a type of the command line, doc comments are texts too.
fn read(tokens: TokenStream, of_command_line: bool, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut item = Item::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if matches!(tokens.get(at), Some(TokenTree::Punct(bang)) if bang.as_char() == '!') {
                    at += 1;
                }
                if let Some(TokenTree::Group(attribute)) = tokens.get(at) {
                    at += 1;
                    item.attribute(attribute);
                }
            }
            TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => {
                item.end(of_command_line, found);
                item = Item::default();
            }
            TokenTree::Group(group) => {
                let is_end = group.delimiter() == Delimiter::Brace;
                if !item.is_test && !is_skipped(&tokens[..at - 1]) {
                    read(group.stream(), item.of_command_line, found);
                }
                if is_end {
                    item.end(of_command_line, found);
                    item = Item::default();
                }
            }
            TokenTree::Literal(literal) if !item.is_test && !is_pattern(&tokens[at..]) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
    }
    item.end(of_command_line, found);
}

/// What the attributes of the item being read say.
#[derive(Default)]
struct Item {
    docs: Vec<String>,
    texts: Vec<String>,
    is_test: bool,
    of_command_line: bool,
}

impl Item {
    fn attribute(&mut self, attribute: &Group) {
        let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
        let Some(TokenTree::Ident(name)) = tokens.first() else { return };
        let words = attribute.stream().to_string();
        match name.to_string().as_str() {
            "doc" => self.docs.extend(strings(&tokens)),
            "cfg" => self.is_test |= words.contains("test"),
            "test" => self.is_test = true,
            "derive" => {
                self.of_command_line |= COMMAND_LINE
                    .iter()
                    .any(|name| words.split([' ', '(', ')', ',']).any(|word| word == *name));
            }
            "error" | "arg" | "command" | "clap" => self.texts.extend(strings(&tokens)),
            _ => {}
        }
    }

    fn end(&mut self, in_command_line: bool, found: &mut Vec<String>) {
        if self.is_test {
            return;
        }
        found.append(&mut self.texts);
        if in_command_line || self.of_command_line {
            let docs = std::mem::take(&mut self.docs);
            let lines = docs.iter().map(|line| line.trim());
            let help =
                lines.map(|line| if line.is_empty() { "\n" } else { line }).collect::<Vec<_>>().join(" ");
            found.push(help);
        }
    }
}

/// The literals at any depth.
fn strings(tokens: &[TokenTree]) -> Vec<String> {
    let found = tokens.iter().flat_map(|token| match token {
        TokenTree::Group(group) => strings(&group.stream().into_iter().collect::<Vec<_>>()),
        TokenTree::Literal(literal) => match syn::Lit::new(literal.clone()) {
            syn::Lit::Str(text) => vec![text.value()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    });
    found.collect()
}

/// Whether a group after these tokens is the input of a macro that is skipped.
fn is_skipped(before: &[TokenTree]) -> bool {
    let [.., TokenTree::Ident(name), TokenTree::Punct(bang)] = before else { return false };
    bang.as_char() == '!' && SKIPPED_MACROS.contains(&name.to_string().as_str())
}

/// Whether a literal before these tokens is a pattern: `"a" =>` or `"a" | "b" =>`.
fn is_pattern(after: &[TokenTree]) -> bool {
    match after {
        [TokenTree::Punct(equals), TokenTree::Punct(arrow), ..] => {
            equals.as_char() == '=' && arrow.as_char() == '>'
        }
        [TokenTree::Punct(or), TokenTree::Literal(_), rest @ ..] => or.as_char() == '|' && is_pattern(rest),
        _ => false,
    }
}

/// Whether a literal is an expression of the store, a format of times, a header, or a piece of HTML.
fn is_expression(literal: &str) -> bool {
    let marks = [
        " = :",
        "#{",
        "; charset=",
        "; filename=",
        "=(), ",
        "Max-Age=",
        "attribute_",
        "begins_with(",
        "default-src",
        "if_not_exists(",
        "max-age=",
    ];
    let starts = ["SET ", "ADD ", "REMOVE ", "DELETE ", "SELECT ", "INSERT ", "PRAGMA ", "#", ":", "%", "<"];
    marks.iter().any(|mark| literal.contains(mark)) || starts.iter().any(|start| literal.starts_with(start))
}

#[test]
fn logs_tests_and_patterns_are_not_texts() {
    let source = r#"
        /// Not this comment.
        #[derive(Error)]
        enum E { #[error("there is no {0}")] A, /** Nor this. */ B }
        /// The help of it.
        #[derive(Debug, Args)]
        struct Options { /// A flag.
            a: bool, b: u8 }
        fn f() { match x { "not a pattern" => "A text.", _ => warn!("not in a log") } set("SET a = :b"); key("plain") }
        #[cfg(test)]
        mod tests { fn t() { f("not in a test") } }"#;
    let expected = ["A flag.", "A text.", "The help of it.", "there is no {0}"];
    assert_eq!(texts(source).into_iter().collect::<Vec<_>>(), expected);
}
