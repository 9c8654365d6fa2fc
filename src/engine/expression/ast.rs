//! Parsed expressions, with names and values put in.

use super::super::codec::Kind;

/// One step of a document path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// An attribute or an entry of a map.
    Name(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// Where a value is in an item: an attribute and what is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The attribute.
    pub attribute: String,
    /// The steps inside the attribute.
    pub inner: Vec<Segment>,
}

/// What a condition compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// The value at a path.
    Path(Path),
    /// A given value, encoded.
    Value(Vec<u8>),
    /// The size of a value.
    Size(Box<Operand>),
}

/// How two operands are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparator {
    /// How expressions write it.
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

    /// The comparator that says the same with the operands exchanged.
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

/// What an item must satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A comparison.
    Compare(Comparator, Operand, Operand),
    /// The first is between the others, both included.
    Between(Operand, Operand, Operand),
    /// The first equals one of the others.
    In(Operand, Vec<Operand>),
    /// Something is at the path.
    Exists(Path),
    /// Nothing is at the path.
    NotExists(Path),
    /// The value has this type.
    HasType(Operand, Kind),
    /// The first begins with the second.
    BeginsWith(Operand, Operand),
    /// The first contains the second.
    Contains(Operand, Operand),
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
    /// At least one holds.
    Or(Box<Condition>, Box<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Calls `visit` with every path in the condition.
    pub fn each_path<'a>(&'a self, visit: &mut impl FnMut(&'a Path)) {
        match self {
            Self::Compare(_, a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                operand_of(a, visit);
                operand_of(b, visit);
            }
            Self::Between(a, b, c) => [a, b, c].into_iter().for_each(|one| operand_of(one, visit)),
            Self::In(a, rest) => std::iter::once(a).chain(rest).for_each(|one| operand_of(one, visit)),
            Self::Exists(path) | Self::NotExists(path) => visit(path),
            Self::HasType(a, _) => operand_of(a, visit),
            Self::And(a, b) | Self::Or(a, b) => {
                a.each_path(visit);
                b.each_path(visit);
            }
            Self::Not(inner) => inner.each_path(visit),
        }
    }
}

fn operand_of<'a>(operand: &'a Operand, visit: &mut impl FnMut(&'a Path)) {
    match operand {
        Operand::Path(path) => visit(path),
        Operand::Size(inner) => operand_of(inner, visit),
        Operand::Value(_) => {}
    }
}

/// A value that an update computes from the item as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// The value at a path, which must exist.
    Path(Path),
    /// A given value, encoded.
    Value(Vec<u8>),
    /// The value at the path, or the other if nothing is there.
    IfNotExists(Path, Box<Term>),
    /// Both lists, one behind the other.
    ListAppend(Box<Term>, Box<Term>),
    /// The sum of two numbers.
    Plus(Box<Term>, Box<Term>),
    /// The difference of two numbers.
    Minus(Box<Term>, Box<Term>),
}

/// A parsed update expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// `SET`
    pub sets: Vec<(Path, Term)>,
    /// `REMOVE`
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
