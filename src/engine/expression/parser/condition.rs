//! Parses conditions of writes, filters and keys.

use std::cmp::Ordering;

use super::super::super::codec::{Kind, ValueRef};
use super::super::ast::{Comparator, Condition, Operand};
use super::super::lexer::TokenKind;
use super::{Parsed, Parser, is_condition_function};

impl Parser<'_, '_> {
    pub fn condition(mut self) -> Parsed<Condition> {
        let condition = self.or()?;
        self.end()?;
        Ok(condition)
    }

    fn or(&mut self) -> Parsed<Condition> {
        let mut left = self.and()?;
        while self.accept_word("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Condition> {
        let mut left = self.not()?;
        while self.accept_word("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Condition> {
        if self.accept_word("NOT") {
            return self.nested(|parser| Ok(Condition::Not(Box::new(parser.not()?))));
        }
        let begin = self.at;
        if self.accept("(") {
            // The parenthesis starts a condition, or an operand such as `(a)`.
            let inner = self.nested(|parser| {
                let doubled = parser.is_symbol("(");
                let condition = parser.or()?;
                let doubled = doubled && parser.encloses(begin + 1);
                parser.expect(")")?;
                Ok((condition, doubled))
            });
            match inner {
                Ok((_, true)) => return self.fail("The expression has redundant parentheses;"),
                Ok((condition, false)) => return Ok(condition),
                Err(error) => {
                    let failed = self.at;
                    self.at = begin;
                    return self.comparison().map_err(|other| if self.at > failed { other } else { error });
                }
            }
        }
        if self.is_function() && self.peek().is_none_or(|token| token.text != "size") {
            return self.nested(Self::condition_function);
        }
        self.comparison()
    }

    /// Returns whether the previous token closes the parenthesis at token `open`.
    fn encloses(&self, open: usize) -> bool {
        let mut depth = 0_i32;
        for (position, token) in self.tokens.iter().enumerate().take(self.at).skip(open) {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return position + 1 == self.at;
            }
        }
        false
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        let left = self.operand()?;
        if self.accept_word("BETWEEN") {
            let low = self.operand()?;
            if !self.accept_word("AND") {
                return self.unexpected();
            }
            let high = self.operand()?;
            return self.between(left, low, high);
        }
        if self.accept_word("IN") {
            let operands = self.arguments(Self::operand)?;
            if operands.len() > 100 {
                return self.wrong_count("IN", operands.len() + 1);
            }
            for operand in &operands {
                self.check_distinct_operands("IN", &left, operand)?;
            }
            return Ok(Condition::In(left, operands));
        }
        let comparator = self.comparator()?;
        let right = self.operand()?;
        self.check_distinct_operands(comparator.text(), &left, &right)?;
        if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            self.check_ordered(comparator.text(), &left)?;
            self.check_ordered(comparator.text(), &right)?;
        }
        Ok(Condition::Compare(comparator, left, right))
    }

    fn comparator(&mut self) -> Parsed<Comparator> {
        let comparator = match self.peek().map(|token| token.text) {
            Some("=") => Comparator::Equal,
            Some("<>") => Comparator::NotEqual,
            Some("<") => Comparator::Less,
            Some("<=") => Comparator::LessOrEqual,
            Some(">") => Comparator::Greater,
            Some(">=") => Comparator::GreaterOrEqual,
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(comparator)
    }

    fn between(&mut self, value: Operand, low: Operand, high: Operand) -> Parsed<Condition> {
        for operand in [&value, &low, &high] {
            self.check_ordered("BETWEEN", operand)?;
        }
        for operand in [&low, &high] {
            self.check_distinct_operands("BETWEEN", &value, operand)?;
        }
        if let (Operand::Value(a), Operand::Value(b)) = (&low, &high) {
            let (a, b) = (ValueRef(a), ValueRef(b));
            let problem = match a.compare(b) {
                None => Some("same data type for lower and upper bounds"),
                Some(Ordering::Greater) => Some("upper bound to be greater than or equal to lower bound"),
                Some(_) => None,
            };
            if let Some(problem) = problem {
                // The bounds can be personal data, so the message does not contain them.
                return self.fail(format!("The BETWEEN operator requires {problem}"));
            }
        }
        Ok(Condition::Between(value, low, high))
    }

    fn condition_function(&mut self) -> Parsed<Condition> {
        let function = self.next().map_or("", |token| token.text);
        if !is_condition_function(function) {
            return match function {
                "if_not_exists" | "list_append" => self.fail(format!(
                    "The function is not allowed in a condition expression; function: {function}"
                )),
                _ => self.fail(format!("Invalid function name; function: {function}")),
            };
        }
        let operands = self.arguments(Self::operand)?;
        let count = operands.len();
        if matches!(function, "attribute_exists" | "attribute_not_exists") {
            return match <[Operand; 1]>::try_from(operands) {
                Ok([Operand::Path(path)]) if function == "attribute_exists" => Ok(Condition::Exists(path)),
                Ok([Operand::Path(path)]) => Ok(Condition::NotExists(path)),
                Ok(_) => self.needs_path(function),
                Err(_) => self.wrong_count(function, count),
            };
        }
        let Ok([first, second]) = <[Operand; 2]>::try_from(operands) else {
            return self.wrong_count(function, count);
        };
        self.check_distinct_operands(function, &first, &second)?;
        match function {
            "attribute_type" => self.attribute_type(first, &second),
            "begins_with" => {
                self.check_kind(function, &first, &[Kind::S, Kind::B])?;
                self.check_kind(function, &second, &[Kind::S, Kind::B])?;
                Ok(Condition::BeginsWith(first, second))
            }
            _ => {
                let containers = [Kind::S, Kind::B, Kind::Ss, Kind::Ns, Kind::Bs, Kind::L];
                self.check_kind(function, &first, &containers)?;
                Ok(Condition::Contains(first, second))
            }
        }
    }

    fn attribute_type(&mut self, value: Operand, kind: &Operand) -> Parsed<Condition> {
        const FUNCTION: &str = "attribute_type";
        let Operand::Value(name) = kind else { return self.wrong_type(FUNCTION, None) };
        let name = ValueRef(name);
        if name.kind() != Some(Kind::S) {
            return self.wrong_type(FUNCTION, name.kind());
        }
        let name = String::from_utf8_lossy(name.payload());
        match Kind::from_name(&name) {
            Some(kind) => Ok(Condition::HasType(value, kind)),
            None => self.fail(format!(
                "Invalid attribute type name found; type: {name}, valid types: {{B,BOOL,BS,L,M,N,NS,NULL,S,SS}}"
            )),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        if self.accept("(") {
            return self.nested(|parser| {
                let operand = parser.operand()?;
                parser.expect(")")?;
                Ok(operand)
            });
        }
        if self.peek().is_some_and(|token| token.kind == TokenKind::Value) {
            return self.value().map(Operand::Value);
        }
        if self.is_function() {
            return self.nested(Self::operand_function);
        }
        self.path().map(Operand::Path)
    }

    fn operand_function(&mut self) -> Parsed<Operand> {
        let function = self.next().map_or("", |token| token.text);
        if function != "size" {
            return if is_condition_function(function) {
                self.fail(format!(
                    "The function is not allowed to be used this way in an expression; function: {function}"
                ))
            } else {
                self.fail(format!("Invalid function name; function: {function}"))
            };
        }
        self.expect("(")?;
        let inner = self.operand()?;
        self.expect(")")?;
        if let Operand::Value(value) = &inner {
            let kind = ValueRef(value).kind();
            if matches!(kind, Some(Kind::N | Kind::Bool | Kind::Null)) {
                return self.wrong_type("size", kind);
            }
        }
        Ok(Operand::Size(Box::new(inner)))
    }
}
