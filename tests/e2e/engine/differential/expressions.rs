//! Random values and expressions.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::rng::Rng;

/// The names and values that an expression refers to.
#[derive(Default)]
pub struct Aliases {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Aliases {
    fn value(&mut self, value: AttributeValue) -> String {
        let alias = format!(":v{}", self.values.len());
        self.values.insert(alias.clone(), value);
        alias
    }

    fn name(&mut self, name: &str, rng: &mut Rng) -> String {
        if rng.chance(60) {
            return name.to_owned();
        }
        self.names.insert(format!("#{name}"), name.to_owned());
        format!("#{name}")
    }

    /// The names, or `None` if there are none.
    pub fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// The values, or `None` if there are none.
    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    /// Adds a value that no expression uses.
    pub fn add_unused(&mut self) {
        self.values.insert(":unused".to_owned(), text("x"));
    }

    /// Uses a value.
    pub fn put(&mut self, value: AttributeValue) -> String {
        self.value(value)
    }
}

/// Attributes that are not keys.
pub const PLAIN: [&str; 5] = ["aa", "bb", "cc", "dd", "ee"];

pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub fn number(text: impl ToString) -> AttributeValue {
    AttributeValue::N(text.to_string())
}

const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "2",
    "-1",
    "1.0",
    "0.5",
    "10",
    "1e2",
    "-3.25",
    "12345678901234567890123456789012345678",
    "1E-20",
    "9.9E+125",
];
const TEXTS: [&str; 8] = ["", "a", "ab", "b", "héllo", "zz", "Z", "a\u{0}b"];

fn blob(rng: &mut Rng) -> Blob {
    Blob::new(rng.pick(&[&b"a"[..], b"ab", b"\x00\xFF", b"b"]))
}

fn some<T: Clone + PartialEq>(rng: &mut Rng, choices: &[T]) -> Vec<T> {
    let mut chosen = Vec::new();
    for _ in 0..=rng.below(3) {
        let one = rng.pick(choices).clone();
        if !chosen.contains(&one) {
            chosen.push(one);
        }
    }
    chosen
}

/// A random scalar or set.
fn flat(rng: &mut Rng) -> AttributeValue {
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    match rng.below(10) {
        0..=2 => text(rng.pick(&TEXTS)),
        3..=5 => number(rng.pick(&NUMBERS)),
        6 => AttributeValue::B(blob(rng)),
        7 if rng.chance(50) => AttributeValue::Bool(rng.chance(50)),
        7 => AttributeValue::Null(true),
        8 if rng.chance(50) => AttributeValue::Ss(owned(some(rng, &TEXTS))),
        8 => AttributeValue::Bs(some(rng, &[Blob::new("a"), Blob::new("b"), Blob::new("c")])),
        _ => AttributeValue::Ns(owned(some(rng, &["0", "1", "2", "-1.5", "1e2"]))),
    }
}

/// A random value of any type.
pub fn value(rng: &mut Rng, depth: usize) -> AttributeValue {
    match rng.below(8) {
        0 if depth > 0 => AttributeValue::L((0..rng.below(4)).map(|_| value(rng, depth - 1)).collect()),
        1 if depth > 0 => {
            let names = some(rng, &["x", "y", "z"]);
            AttributeValue::M(
                names.into_iter().map(|name| (name.to_owned(), value(rng, depth - 1))).collect(),
            )
        }
        _ => flat(rng),
    }
}

/// A random document path below a plain attribute.
fn path(rng: &mut Rng, aliases: &mut Aliases) -> String {
    let mut path = aliases.name(rng.pick(&PLAIN), rng);
    for _ in 0..2 {
        match rng.below(10) {
            0 => path = format!("{path}.{}", aliases.name(rng.pick(&["x", "y", "z"]), rng)),
            1 => path = format!("{path}[{}]", rng.below(4)),
            _ => break,
        }
    }
    path
}

fn operand(rng: &mut Rng, aliases: &mut Aliases) -> String {
    match rng.below(10) {
        0..=3 => path(rng, aliases),
        4 => format!("size({})", path(rng, aliases)),
        _ => {
            let value = value(rng, 1);
            aliases.value(value)
        }
    }
}

fn scalar(rng: &mut Rng, aliases: &mut Aliases) -> String {
    let value = if rng.chance(50) { text(rng.pick(&TEXTS)) } else { number(rng.pick(&NUMBERS)) };
    aliases.value(value)
}

/// A random condition on plain attributes.
pub fn condition(rng: &mut Rng, aliases: &mut Aliases, depth: usize) -> String {
    let left = path(rng, aliases);
    match rng.below(if depth > 0 { 16 } else { 12 }) {
        0 => format!("attribute_exists({left})"),
        1 => format!("attribute_not_exists({left})"),
        2 => {
            let kind = text(rng.pick(&["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M", "X"]));
            format!("attribute_type({left}, {})", aliases.value(kind))
        }
        3 => format!("begins_with({left}, {})", scalar(rng, aliases)),
        4 => format!("contains({left}, {})", operand(rng, aliases)),
        5 => {
            let [low, high] = [scalar(rng, aliases), scalar(rng, aliases)];
            format!("{left} BETWEEN {low} AND {high}")
        }
        6 => {
            let operands: Vec<_> = (0..=rng.below(3)).map(|_| operand(rng, aliases)).collect();
            format!("{left} IN ({})", operands.join(", "))
        }
        7 => format!("size({left}) {} {}", rng.pick(&["=", "<", ">="]), aliases.value(number(rng.below(4)))),
        8..=11 => {
            let comparator = rng.pick(&["=", "<>", "<", "<=", ">", ">="]);
            format!(
                "{left} {comparator} {}",
                if comparator.len() == 1 { operand(rng, aliases) } else { scalar(rng, aliases) }
            )
        }
        12 => format!("NOT {}", condition(rng, aliases, depth - 1)),
        13 => format!("({}) OR {}", condition(rng, aliases, 0), condition(rng, aliases, depth - 1)),
        14 => format!(
            "({} OR {}) AND {}",
            condition(rng, aliases, 0),
            condition(rng, aliases, 0),
            condition(rng, aliases, depth - 1)
        ),
        _ => format!("{} AND {}", condition(rng, aliases, depth - 1), condition(rng, aliases, 0)),
    }
}

fn term(rng: &mut Rng, aliases: &mut Aliases) -> String {
    match rng.below(12) {
        0 | 1 => path(rng, aliases),
        2 => format!("{} + {}", path(rng, aliases), aliases.value(number(rng.pick(&NUMBERS[..9])))),
        3 => format!("{} - {}", path(rng, aliases), aliases.value(number(rng.pick(&NUMBERS[..9])))),
        4 => {
            let value = value(rng, 1);
            format!("if_not_exists({}, {})", path(rng, aliases), aliases.value(value))
        }
        5 => format!(
            "if_not_exists({}, {}) + {}",
            path(rng, aliases),
            aliases.value(number(7)),
            aliases.value(number(1))
        ),
        6 => {
            let list = AttributeValue::L(vec![flat(rng)]);
            format!("list_append({}, {})", path(rng, aliases), aliases.value(list))
        }
        7 => {
            let [one, two] = [(); 2].map(|()| aliases.value(AttributeValue::L(vec![flat(rng)])));
            format!("list_append({one}, {two})")
        }
        _ => {
            let value = value(rng, 2);
            aliases.value(value)
        }
    }
}

/// A random update. `keys` are index keys with values for them.
pub fn update(rng: &mut Rng, aliases: &mut Aliases, keys: Vec<(&str, AttributeValue)>) -> String {
    let (mut sets, mut removes, mut adds, mut deletes) = (vec![], vec![], vec![], vec![]);
    for _ in 0..=rng.below(3) {
        let path = path(rng, aliases);
        match rng.below(10) {
            0..=4 => sets.push(format!("{path} = {}", term(rng, aliases))),
            5 | 6 => removes.push(path),
            7 | 8 => {
                let value = if rng.chance(60) { number(rng.pick(&NUMBERS[..9])) } else { flat(rng) };
                adds.push(format!("{path} {}", aliases.value(value)));
            }
            _ => {
                let value = flat(rng);
                deletes.push(format!("{path} {}", aliases.value(value)));
            }
        }
    }
    for (name, value) in keys {
        match rng.below(4) {
            0 => removes.push(name.to_owned()),
            _ => sets.push(format!("{name} = {}", aliases.value(value))),
        }
    }
    let clause = |verb: &str, parts: Vec<String>| {
        if parts.is_empty() { String::new() } else { format!("{verb} {} ", parts.join(", ")) }
    };
    [clause("SET", sets), clause("REMOVE", removes), clause("ADD", adds), clause("DELETE", deletes)].concat()
}

/// A random projection.
pub fn projection(rng: &mut Rng, aliases: &mut Aliases) -> String {
    let paths: Vec<_> = (0..=rng.below(3)).map(|_| path(rng, aliases)).collect();
    paths.join(", ")
}
