//! Projections: the parts of an item that a request reads.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::codec::{Attributes, Damaged, ItemRef, Kind, ValueRef};
use super::ast::{Path, Segment};

/// The parts of an item that a request reads.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    attributes: BTreeMap<String, Node>,
}

/// The parts of a value to read. If `inner` is empty, the whole value.
#[derive(Debug, Clone, Default)]
struct Node {
    inner: BTreeMap<Segment, Node>,
}

impl Projection {
    /// Creates a projection on paths that do not overlap.
    pub fn new(paths: &[Path]) -> Self {
        let mut projection = Self::default();
        for path in paths {
            let mut node = projection.attributes.entry(path.attribute.clone()).or_default();
            for segment in &path.inner {
                node = node.inner.entry(segment.clone()).or_default();
            }
        }
        projection
    }

    /// Returns the names of the attributes that the projection reads.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    /// Returns the projected parts of an item. List elements become adjacent.
    pub fn apply(&self, item: ItemRef<'_>) -> Result<Attributes, Damaged> {
        let mut found = Attributes::with_capacity(self.attributes.len());
        let mut wanted = self.attributes.iter().peekable();
        // Both iterators are sorted by name.
        for (name, value) in item.attributes() {
            while wanted.next_if(|(other, _)| other.as_str() < name).is_some() {}
            let Some((_, node)) = wanted.next_if(|(other, _)| other.as_str() == name) else { continue };
            if let Some(value) = node.apply(value)? {
                found.insert(name.to_owned(), value);
            }
        }
        Ok(found)
    }
}

impl Node {
    fn apply(&self, value: ValueRef<'_>) -> Result<Option<AttributeValue>, Damaged> {
        if self.inner.is_empty() {
            return value.decode().map(Some);
        }
        match value.kind() {
            Some(Kind::M) => {
                let mut found = Attributes::new();
                for (segment, node) in &self.inner {
                    let Segment::Name(name) = segment else { continue };
                    let Some(entry) = value.entries().get(name) else { continue };
                    if let Some(entry) = node.apply(entry)? {
                        found.insert(name.clone(), entry);
                    }
                }
                Ok((!found.is_empty()).then_some(AttributeValue::M(found)))
            }
            Some(Kind::L) => {
                let mut found = Vec::new();
                for (segment, node) in &self.inner {
                    let Segment::Index(index) = segment else { continue };
                    let Some(element) = value.elements().nth(*index) else { continue };
                    found.extend(node.apply(ValueRef(element))?);
                }
                Ok((!found.is_empty()).then_some(AttributeValue::L(found)))
            }
            _ => Ok(None),
        }
    }
}
