//! Document paths: finds values in encoded items and checks that paths do not overlap.

use std::fmt::{self, Write as _};

use super::super::codec::{ItemRef, Kind, ValueRef};
use super::super::error::EngineError;
use super::ast::{Path, Segment};
use super::expression_error;

impl Path {
    /// Returns the value at the path.
    pub fn find<'a>(&self, item: ItemRef<'a>) -> Option<ValueRef<'a>> {
        let mut value = item.get(&self.attribute)?;
        for segment in &self.inner {
            value = match (segment, value.kind()?) {
                (Segment::Name(name), Kind::M) => value.entries().get(name)?,
                (Segment::Index(index), Kind::L) => ValueRef(value.elements().nth(*index)?),
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Formats the path as in DynamoDB's messages: `[a, b, [0]]`.
impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}", self.attribute)?;
        for segment in &self.inner {
            match segment {
                Segment::Name(name) => write!(formatter, ", {name}")?,
                Segment::Index(index) => write!(formatter, ", [{index}]")?,
            }
        }
        formatter.write_char(']')
    }
}

enum Relation {
    Apart,
    Overlap,
    Conflict,
}

fn relation(one: &Path, two: &Path) -> Relation {
    if one.attribute != two.attribute {
        return Relation::Apart;
    }
    for (a, b) in one.inner.iter().zip(&two.inner) {
        match (a, b) {
            (a, b) if a == b => {}
            (Segment::Name(_), Segment::Name(_)) | (Segment::Index(_), Segment::Index(_)) => {
                return Relation::Apart;
            }
            _ => return Relation::Conflict,
        }
    }
    Relation::Overlap
}

/// Checks that no path is inside another, and that no path is used both as a list and as a map.
pub fn check_distinct(what: &'static str, paths: &[&Path]) -> Result<(), EngineError> {
    for (position, one) in paths.iter().enumerate() {
        for two in paths.iter().skip(position + 1) {
            let verb = match relation(one, two) {
                Relation::Apart => continue,
                Relation::Overlap => "overlap",
                Relation::Conflict => "conflict",
            };
            let message = format!(
                "Two document paths {verb} with each other; must remove or rewrite one of these paths; \
                 path one: {one}, path two: {two}"
            );
            return Err(expression_error(what, message));
        }
    }
    Ok(())
}
