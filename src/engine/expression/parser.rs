//! Parses the tokens of an expression and resolves its names and values.

mod condition;
mod update;

use super::super::codec::{Kind, ValueRef};
use super::super::error::EngineError;
use super::ast::{Operand, Path, Segment};
use super::lexer::{Token, TokenKind, tokens};
use super::references::References;
use super::reserved::is_reserved;
use super::{MAX_EXPRESSION, expression_error};

/// The maximum nesting of parentheses, `NOT` and functions. This bounds the use of the stack.
const MAX_NESTING: usize = 64;

type Parsed<T> = Result<T, EngineError>;

/// Parses one expression from left to right.
pub struct Parser<'a, 'r> {
    what: &'static str,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    references: &'a mut References<'r>,
}

impl<'a, 'r> Parser<'a, 'r> {
    /// Creates a parser for the text of the expression parameter `what`.
    pub fn new(what: &'static str, text: &'a str, references: &'a mut References<'r>) -> Parsed<Self> {
        if text.is_empty() {
            return Err(expression_error(what, "The expression can not be empty;"));
        }
        if text.len() > MAX_EXPRESSION {
            let message = "Expression size has exceeded the maximum allowed size; expression size:";
            return Err(expression_error(what, format!("{message} {}", text.len())));
        }
        references.begin_expression();
        Ok(Self { what, text, tokens: tokens(text), at: 0, depth: 0, references })
    }

    /// Parses a projection: paths separated by commas.
    pub fn projection(mut self) -> Parsed<Vec<Path>> {
        let paths = self.list(Self::path)?;
        self.end()?;
        Ok(paths)
    }

    fn list<T>(&mut self, parse: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut parsed = vec![parse(self)?];
        while self.accept(",") {
            parsed.push(parse(self)?);
        }
        Ok(parsed)
    }

    /// Parses a list in parentheses.
    fn arguments<T>(&mut self, parse: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("(")?;
        let arguments = self.list(parse)?;
        self.expect(")")?;
        Ok(arguments)
    }

    fn path(&mut self) -> Parsed<Path> {
        let attribute = self.path_name()?;
        let mut inner = Vec::new();
        loop {
            if self.accept(".") {
                inner.push(Segment::Name(self.path_name()?));
            } else if self.accept("[") {
                let index = match self.peek() {
                    Some(token) if token.kind == TokenKind::Digits => token.text.parse::<usize>().ok(),
                    _ => None,
                };
                let Some(index) = index else { return self.unexpected() };
                self.at += 1;
                self.expect("]")?;
                inner.push(Segment::Index(index));
            } else {
                break;
            }
        }
        if inner.len() >= super::super::codec::MAX_DEPTH {
            return self.fail("The document path has too many nesting elements;");
        }
        Ok(Path { attribute, inner })
    }

    fn path_name(&mut self) -> Parsed<String> {
        let Some(token) = self.peek() else { return self.unexpected() };
        match token.kind {
            TokenKind::Word if is_reserved(token.text) => self
                .fail(format!("Attribute name is a reserved keyword; reserved keyword: {}", token.text)),
            TokenKind::Word => {
                self.at += 1;
                Ok(token.text.to_owned())
            }
            TokenKind::Name => match self.references.name(token.text) {
                Some(name) => {
                    self.at += 1;
                    Ok(name)
                }
                None => self.fail(format!(
                    "An expression attribute name used in the document path is not defined; attribute name: {}",
                    token.text
                )),
            },
            _ => self.unexpected(),
        }
    }

    fn value(&mut self) -> Parsed<Vec<u8>> {
        let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Value) else {
            return self.unexpected();
        };
        match self.references.value(token.text) {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None => self.fail(format!(
                "An expression attribute value used in expression is not defined; attribute value: {}",
                token.text
            )),
        }
    }

    fn check_distinct_operands(&self, operator: &str, first: &Operand, second: &Operand) -> Parsed<()> {
        match (first, second) {
            (Operand::Path(one), Operand::Path(two)) if one == two => self.fail(format!(
                "The first operand must be distinct from the remaining operands for this operator or function; \
                 operator: {operator}, first operand: {one}"
            )),
            _ => Ok(()),
        }
    }

    fn check_ordered(&self, operator: &str, operand: &Operand) -> Parsed<()> {
        self.check_kind(operator, operand, &[Kind::S, Kind::N, Kind::B])
    }

    fn check_kind(&self, operator: &str, operand: &Operand, kinds: &[Kind]) -> Parsed<()> {
        let Operand::Value(value) = operand else { return Ok(()) };
        match ValueRef(value).kind() {
            Some(kind) if kinds.contains(&kind) => Ok(()),
            kind => self.wrong_type(operator, kind),
        }
    }

    fn wrong_type<T>(&self, operator: &str, kind: Option<Kind>) -> Parsed<T> {
        let kind = kind.map_or("?", Kind::name);
        self.fail(format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
        ))
    }

    fn wrong_count<T>(&self, function: &str, count: usize) -> Parsed<T> {
        self.fail(format!(
            "Incorrect number of operands for operator or function; operator or function: {function}, \
             number of operands: {count}"
        ))
    }

    fn needs_path<T>(&self, function: &str) -> Parsed<T> {
        self.fail(format!("Operator or function requires a document path; operator or function: {function}"))
    }

    /// Runs `parse` one nesting level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return self.fail("The expression is nested too deeply;");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.kind == TokenKind::Symbol && token.text == symbol)
    }

    fn is_function(&self) -> bool {
        let opens = self.tokens.get(self.at + 1).is_some_and(|token| token.text == "(");
        opens && self.peek().is_some_and(|token| token.kind == TokenKind::Word)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let accepted = self.is_symbol(symbol);
        self.at += usize::from(accepted);
        accepted
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_word =
            |token: Token<'_>| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word);
        let accepted = self.peek().is_some_and(is_word);
        self.at += usize::from(accepted);
        accepted
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { self.unexpected() }
    }

    fn end(&self) -> Parsed<()> {
        if self.at < self.tokens.len() { self.unexpected() } else { Ok(()) }
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        Err(expression_error(self.what, message))
    }

    /// Returns the error for the current token, with the text around it.
    fn unexpected<T>(&self) -> Parsed<T> {
        let token = self.peek().map_or("<EOF>", |token| token.text);
        let start = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        let start = start.or_else(|| self.tokens.get(self.at)).map_or(0, |token| token.start);
        let end = self.tokens.get(self.at + 1).or_else(|| self.tokens.get(self.at));
        let end = end.map_or(self.text.len(), Token::end);
        let near = self.text.get(start..end).unwrap_or_default();
        self.fail(format!("Syntax error; token: \"{token}\", near: \"{near}\""))
    }
}

fn is_condition_function(name: &str) -> bool {
    matches!(
        name,
        "attribute_exists" | "attribute_not_exists" | "attribute_type" | "begins_with" | "contains" | "size"
    )
}
