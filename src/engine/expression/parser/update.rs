//! Parses update expressions.

use super::super::super::codec::{Kind, ValueRef};
use super::super::ast::{Term, Update};
use super::super::lexer::TokenKind;
use super::{Parsed, Parser, is_condition_function};

impl Parser<'_, '_> {
    pub fn update(mut self) -> Parsed<Update> {
        let mut update = Update::default();
        let mut sections: Vec<String> = Vec::new();
        while let Some(token) = self.peek() {
            let section = token.text.to_ascii_uppercase();
            if token.kind != TokenKind::Word || !matches!(&*section, "SET" | "REMOVE" | "ADD" | "DELETE") {
                return self.unexpected();
            }
            if sections.contains(&section) {
                return self.fail(format!(
                    "The \"{section}\" section can only be used once in an update expression;"
                ));
            }
            self.at += 1;
            self.clause(&section, &mut update)?;
            while self.accept(",") {
                self.clause(&section, &mut update)?;
            }
            sections.push(section);
        }
        if sections.is_empty() { self.unexpected() } else { Ok(update) }
    }

    fn clause(&mut self, section: &str, update: &mut Update) -> Parsed<()> {
        let path = self.path()?;
        match section {
            "SET" => {
                self.expect("=")?;
                let term = self.term()?;
                update.sets.push((path, term));
            }
            "REMOVE" => update.removes.push(path),
            "ADD" => {
                let value = self.section_value("ADD", &[Kind::N, Kind::Ss, Kind::Ns, Kind::Bs])?;
                update.adds.push((path, value));
            }
            _ => {
                let value = self.section_value("DELETE", &[Kind::Ss, Kind::Ns, Kind::Bs])?;
                update.deletes.push((path, value));
            }
        }
        Ok(())
    }

    fn section_value(&mut self, section: &str, kinds: &[Kind]) -> Parsed<Vec<u8>> {
        let value = self.value()?;
        let kind = ValueRef(&value).kind();
        if kind.is_some_and(|kind| kinds.contains(&kind)) {
            return Ok(value);
        }
        let (name, set) = (kind.map_or("?", Kind::name), format!("ALLOWED_FOR_{section}_OPERAND"));
        self.fail(format!(
            "Incorrect operand type for operator or function; operator: {section}, operand type: {name}, typeSet: {set}"
        ))
    }

    fn term(&mut self) -> Parsed<Term> {
        let left = self.term_operand()?;
        for (symbol, make) in [("+", Term::Plus as fn(_, _) -> _), ("-", Term::Minus)] {
            if self.accept(symbol) {
                let right = self.term_operand()?;
                self.check_term(symbol, &left, Kind::N)?;
                self.check_term(symbol, &right, Kind::N)?;
                return Ok(make(Box::new(left), Box::new(right)));
            }
        }
        Ok(left)
    }

    fn check_term(&self, operator: &str, term: &Term, expected: Kind) -> Parsed<()> {
        let Term::Value(value) = term else { return Ok(()) };
        match ValueRef(value).kind() {
            Some(kind) if kind == expected => Ok(()),
            kind => self.wrong_type(operator, kind),
        }
    }

    fn term_operand(&mut self) -> Parsed<Term> {
        match self.peek().map(|token| token.kind) {
            Some(TokenKind::Value) => self.value().map(Term::Value),
            _ if self.accept("(") => self.nested(|parser| {
                let term = parser.term()?;
                parser.expect(")")?;
                Ok(term)
            }),
            _ if self.is_function() => self.nested(Self::update_function),
            _ => self.path().map(Term::Path),
        }
    }

    fn update_function(&mut self) -> Parsed<Term> {
        let function = self.next().map_or("", |token| token.text);
        let operands = self.arguments(Self::term_operand)?;
        let count = operands.len();
        let operands: Result<[Term; 2], _> = operands.try_into();
        match (function, operands) {
            ("if_not_exists", Ok([Term::Path(path), other])) => Ok(Term::IfNotExists(path, Box::new(other))),
            ("if_not_exists", Ok(_)) => self.needs_path(function),
            ("list_append", Ok([left, right])) => {
                self.check_term(function, &left, Kind::L)?;
                self.check_term(function, &right, Kind::L)?;
                Ok(Term::ListAppend(Box::new(left), Box::new(right)))
            }
            ("if_not_exists" | "list_append", Err(_)) => self.wrong_count(function, count),
            (function, _) if is_condition_function(function) => self
                .fail(format!("The function is not allowed in an update expression; function: {function}")),
            (function, _) => self.fail(format!("Invalid function name; function: {function}")),
        }
    }
}
