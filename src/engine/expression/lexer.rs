//! Splits an expression into tokens.

use winnow::Parser as _;
use winnow::combinator::alt;
use winnow::error::ContextError;
use winnow::token::{any, one_of, take_while};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A keyword, a function or an attribute.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    /// Digits.
    Digits,
    /// An operator, bracket or comma, or a character that no expression has.
    Symbol,
}

/// A part of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub sort: Sort,
    /// Its text.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn token<'a>(input: &mut &'a str) -> Result<(Sort, &'a str), ContextError> {
    let word = (one_of(|character: char| character.is_ascii_alphabetic()), take_while(0.., is_word));
    let alias = |sigil: char| (sigil, take_while(1.., is_word));
    alt((
        word.take().map(|text| (Sort::Word, text)),
        alias('#').take().map(|text| (Sort::Name, text)),
        alias(':').take().map(|text| (Sort::Value, text)),
        take_while(1.., |character: char| character.is_ascii_digit()).map(|text| (Sort::Digits, text)),
        alt(("<>", "<=", ">=")).map(|text| (Sort::Symbol, text)),
        any.take().map(|text| (Sort::Symbol, text)),
    ))
    .parse_next(input)
}

fn space(input: &mut &str) -> Result<(), ContextError> {
    take_while(0.., |character: char| character.is_ascii_whitespace()).void().parse_next(input)
}

/// The tokens of an expression, without the space between them.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while space(&mut rest).is_ok() && !rest.is_empty() {
        let start = text.len() - rest.len();
        let Ok((sort, text)) = token(&mut rest) else { break };
        tokens.push(Token { sort, text, start });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_split_with_or_without_space() {
        let texts = |text| tokens(text).into_iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(
            texts("#a<>:v0 AND(b.c[12]>=:x)"),
            ["#a", "<>", ":v0", "AND", "(", "b", ".", "c", "[", "12", "]", ">=", ":x", ")"]
        );
        assert_eq!(texts("a9_b = _é !"), ["a9_b", "=", "_", "é", "!"]);
        assert!(texts(" \t\n").is_empty());
    }
}
