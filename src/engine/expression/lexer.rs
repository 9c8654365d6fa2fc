//! Splits an expression into tokens.

use winnow::Parser as _;
use winnow::combinator::alt;
use winnow::error::ContextError;
use winnow::token::{any, one_of, take_while};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword, a function or an attribute.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    Digits,
    /// An operator, bracket or comma, or a character that is invalid in expressions.
    Symbol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    pub text: &'a str,
    /// The start of the token, in bytes.
    pub start: usize,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn token<'a>(input: &mut &'a str) -> Result<(TokenKind, &'a str), ContextError> {
    let word = (one_of(|character: char| character.is_ascii_alphabetic()), take_while(0.., is_word));
    let alias = |sigil: char| (sigil, take_while(1.., is_word));
    alt((
        word.take().map(|text| (TokenKind::Word, text)),
        alias('#').take().map(|text| (TokenKind::Name, text)),
        alias(':').take().map(|text| (TokenKind::Value, text)),
        take_while(1.., |character: char| character.is_ascii_digit()).map(|text| (TokenKind::Digits, text)),
        alt(("<>", "<=", ">=")).map(|text| (TokenKind::Symbol, text)),
        any.take().map(|text| (TokenKind::Symbol, text)),
    ))
    .parse_next(input)
}

fn space(input: &mut &str) -> Result<(), ContextError> {
    take_while(0.., |character: char| character.is_ascii_whitespace()).void().parse_next(input)
}

/// Returns the tokens of an expression without the white space between them.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while space(&mut rest).is_ok() && !rest.is_empty() {
        let start = text.len() - rest.len();
        let Ok((kind, text)) = token(&mut rest) else { break };
        tokens.push(Token { kind, text, start });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_split_with_and_without_spaces() {
        let texts = |text| tokens(text).into_iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(
            texts("#a<>:v0 AND(b.c[12]>=:x)"),
            ["#a", "<>", ":v0", "AND", "(", "b", ".", "c", "[", "12", "]", ">=", ":x", ")"]
        );
        assert_eq!(texts("a9_b = _é !"), ["a9_b", "=", "_", "é", "!"]);
        assert!(texts(" \t\n").is_empty());
    }
}
