//! Parsed expressions, in which names and values are resolved.

use super::super::codec::Kind;

/// One step of a document path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// An attribute or an entry of a map.
    Name(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// The location of a value in an item: an attribute and the path inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub attribute: String,
    pub inner: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    Path(Path),
    /// An encoded value from the request.
    Value(Vec<u8>),
    /// The size of a value.
    Size(Box<Operand>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    /// Returns the operator as expressions spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Returns the equivalent operator for swapped operands.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Compare(Comparator, Operand, Operand),
    /// The first operand is between the other two, inclusive.
    Between(Operand, Operand, Operand),
    /// The first operand equals one of the others.
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    HasType(Operand, Kind),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// Calls `visit` with every path in the condition.
    pub fn visit_paths<'a>(&'a self, visit: &mut impl FnMut(&'a Path)) {
        match self {
            Self::Compare(_, a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                visit_operand(a, visit);
                visit_operand(b, visit);
            }
            Self::Between(a, b, c) => [a, b, c].into_iter().for_each(|one| visit_operand(one, visit)),
            Self::In(a, rest) => std::iter::once(a).chain(rest).for_each(|one| visit_operand(one, visit)),
            Self::Exists(path) | Self::NotExists(path) => visit(path),
            Self::HasType(a, _) => visit_operand(a, visit),
            Self::And(a, b) | Self::Or(a, b) => {
                a.visit_paths(visit);
                b.visit_paths(visit);
            }
            Self::Not(inner) => inner.visit_paths(visit),
        }
    }
}

fn visit_operand<'a>(operand: &'a Operand, visit: &mut impl FnMut(&'a Path)) {
    match operand {
        Operand::Path(path) => visit(path),
        Operand::Size(inner) => visit_operand(inner, visit),
        Operand::Value(_) => {}
    }
}

/// A value that an update computes from the old item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// The value at a path, which must exist.
    Path(Path),
    /// An encoded value from the request.
    Value(Vec<u8>),
    /// The value at the path, or the other term if no value exists there.
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

/// A parsed update expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    pub sets: Vec<(Path, Term)>,
    pub removes: Vec<Path>,
    /// `ADD`: numbers or sets, encoded.
    pub adds: Vec<(Path, Vec<u8>)>,
    /// `DELETE`: sets, encoded.
    pub deletes: Vec<(Path, Vec<u8>)>,
}

impl Update {
    /// All paths that the update writes.
    pub fn paths(&self) -> Vec<&Path> {
        let sets = self.sets.iter().map(|(path, _)| path);
        let operands = self.adds.iter().chain(&self.deletes).map(|(path, _)| path);
        sets.chain(&self.removes).chain(operands).collect()
    }
}
