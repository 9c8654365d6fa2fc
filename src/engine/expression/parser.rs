//! Parses the tokens of an expression, and puts in names and values.

use super::super::codec::{Kind, ValueRef};
use super::super::error::EngineError;
use super::ast::{Comparator, Condition, Operand, Path, Segment, Term, Update};
use super::lexer::{Sort, Token, tokens};
use super::references::References;
use super::reserved::is_reserved;
use super::{MAX_EXPRESSION, expression_error};

/// How deep parentheses, `NOT` and functions may nest. It bounds the stack.
const MAX_NESTING: usize = 64;

type Parsed<T> = Result<T, EngineError>;

/// Reads one expression from the left to the right.
pub struct Parser<'a, 'r> {
    what: &'static str,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    references: &'a mut References<'r>,
}

impl<'a, 'r> Parser<'a, 'r> {
    /// Splits the text of the expression `what`.
    ///
    /// # Errors
    /// A `ValidationException` if the text is empty or too long.
    pub fn new(what: &'static str, text: &'a str, references: &'a mut References<'r>) -> Parsed<Self> {
        if text.is_empty() {
            return Err(expression_error(what, "The expression can not be empty;"));
        }
        if text.len() > MAX_EXPRESSION {
            let size = text.len();
            let message =
                format!("Expression size has exceeded the maximum allowed size; expression size: {size}");
            return Err(expression_error(what, message));
        }
        references.begin_expression();
        Ok(Self { what, text, tokens: tokens(text), at: 0, depth: 0, references })
    }

    /// Reads a whole condition.
    pub fn condition(mut self) -> Parsed<Condition> {
        let condition = self.or()?;
        self.end()?;
        Ok(condition)
    }

    /// Reads a whole projection: paths with commas between them.
    pub fn projection(mut self) -> Parsed<Vec<Path>> {
        let mut paths = vec![self.path()?];
        while self.accept(",") {
            paths.push(self.path()?);
        }
        self.end()?;
        Ok(paths)
    }

    /// Reads a whole update.
    pub fn update(mut self) -> Parsed<Update> {
        let mut update = Update::default();
        let mut seen: Vec<String> = Vec::new();
        while let Some(token) = self.peek() {
            let section = token.text.to_ascii_uppercase();
            if token.sort != Sort::Word || !matches!(&*section, "SET" | "REMOVE" | "ADD" | "DELETE") {
                return self.unexpected();
            }
            if seen.contains(&section) {
                let message =
                    format!("The \"{section}\" section can only be used once in an update expression;");
                return self.fail(message);
            }
            self.at += 1;
            loop {
                self.clause(&section, &mut update)?;
                if !self.accept(",") {
                    break;
                }
            }
            seen.push(section);
        }
        if seen.is_empty() { self.unexpected() } else { Ok(update) }
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
        match self.peek().map(|token| token.sort) {
            Some(Sort::Value) => self.value().map(Term::Value),
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
        self.expect("(")?;
        let mut operands = vec![self.term_operand()?];
        while self.accept(",") {
            operands.push(self.term_operand()?);
        }
        self.expect(")")?;
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
            // A parenthesis begins a condition, or an operand such as `(a)`.
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

    /// Whether the parenthesis at token `open` is closed by the token before this one.
    fn encloses(&self, open: usize) -> bool {
        let mut depth = 0_i32;
        for (place, token) in self.tokens.iter().enumerate().take(self.at).skip(open) {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return place + 1 == self.at;
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
            self.expect("(")?;
            let mut operands = vec![self.operand()?];
            while self.accept(",") {
                operands.push(self.operand()?);
            }
            self.expect(")")?;
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
                None => "same data type for lower and upper bounds",
                Some(std::cmp::Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
                Some(_) => return Ok(Condition::Between(value, low, high)),
            };
            // The bounds are people's data, so the message does not show them.
            return self.fail(format!("The BETWEEN operator requires {problem}"));
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
        self.expect("(")?;
        let mut operands = vec![self.operand()?];
        while self.accept(",") {
            operands.push(self.operand()?);
        }
        self.expect(")")?;
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
        match Kind::named(&name) {
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
        if self.peek().is_some_and(|token| token.sort == Sort::Value) {
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
        if !self.is_symbol(")") {
            return self.unexpected();
        }
        self.at += 1;
        if let Operand::Value(value) = &inner {
            let kind = ValueRef(value).kind();
            if matches!(kind, Some(Kind::N | Kind::Bool | Kind::Null)) {
                return self.wrong_type("size", kind);
            }
        }
        Ok(Operand::Size(Box::new(inner)))
    }

    fn path(&mut self) -> Parsed<Path> {
        let attribute = self.path_name()?;
        let mut inner = Vec::new();
        loop {
            if self.accept(".") {
                inner.push(Segment::Name(self.path_name()?));
            } else if self.accept("[") {
                let index = match self.peek() {
                    Some(token) if token.sort == Sort::Digits => token.text.parse::<usize>().ok(),
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
        match token.sort {
            Sort::Word if is_reserved(token.text) => self
                .fail(format!("Attribute name is a reserved keyword; reserved keyword: {}", token.text)),
            Sort::Word => {
                self.at += 1;
                Ok(token.text.to_owned())
            }
            Sort::Name => match self.references.name(token.text) {
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
        let Some(token) = self.peek().filter(|token| token.sort == Sort::Value) else {
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

    /// Runs a part of the parser one level deeper.
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
        self.peek().is_some_and(|token| token.sort == Sort::Symbol && token.text == symbol)
    }

    fn is_function(&self) -> bool {
        let opens = self.tokens.get(self.at + 1).is_some_and(|token| token.text == "(");
        opens && self.peek().is_some_and(|token| token.sort == Sort::Word)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let accepted = self.is_symbol(symbol);
        self.at += usize::from(accepted);
        accepted
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_word = |token: Token<'_>| token.sort == Sort::Word && token.text.eq_ignore_ascii_case(word);
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

    /// The failure at this token, with the text around it.
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
