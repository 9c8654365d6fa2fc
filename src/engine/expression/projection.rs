//! Picks parts of items.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::codec::{Attributes, Damaged, ItemRef, Kind, ValueRef};
use super::ast::{Path, Segment};

/// The parts of an item that a request wants.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    attributes: BTreeMap<String, Part>,
}

/// What is wanted of a value: all of it, or some of what is inside.
#[derive(Debug, Clone, Default)]
struct Part {
    inner: BTreeMap<Segment, Part>,
}

impl Projection {
    /// The projection on some paths, none of which is inside another.
    pub fn new(paths: &[Path]) -> Self {
        let mut projection = Self::default();
        for path in paths {
            let mut part = projection.attributes.entry(path.attribute.clone()).or_default();
            for segment in &path.inner {
                part = part.inner.entry(segment.clone()).or_default();
            }
        }
        projection
    }

    /// The attributes of which something is wanted.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    /// The wanted parts of an item. Elements of a list move together.
    ///
    /// # Errors
    /// [`Damaged`] if the item's bytes are.
    pub fn apply(&self, item: ItemRef<'_>) -> Result<Attributes, Damaged> {
        let mut found = Attributes::with_capacity(self.attributes.len());
        let mut wanted = self.attributes.iter().peekable();
        // Both are in the order of the names.
        for (name, value) in item.attributes() {
            while wanted.next_if(|(other, _)| other.as_str() < name).is_some() {}
            let Some((_, part)) = wanted.next_if(|(other, _)| other.as_str() == name) else { continue };
            if let Some(value) = part.apply(value)? {
                found.insert(name.to_owned(), value);
            }
        }
        Ok(found)
    }
}

impl Part {
    fn apply(&self, value: ValueRef<'_>) -> Result<Option<AttributeValue>, Damaged> {
        if self.inner.is_empty() {
            return value.decode().map(Some);
        }
        match value.kind() {
            Some(Kind::M) => {
                let mut found = Attributes::new();
                for (segment, part) in &self.inner {
                    let Segment::Name(name) = segment else { continue };
                    let Some(entry) = value.entries().get(name) else { continue };
                    if let Some(entry) = part.apply(entry)? {
                        found.insert(name.clone(), entry);
                    }
                }
                Ok((!found.is_empty()).then_some(AttributeValue::M(found)))
            }
            Some(Kind::L) => {
                let mut found = Vec::new();
                for (segment, part) in &self.inner {
                    let Segment::Index(index) = segment else { continue };
                    let Some(element) = value.elements().nth(*index) else { continue };
                    found.extend(part.apply(ValueRef(element))?);
                }
                Ok((!found.is_empty()).then_some(AttributeValue::L(found)))
            }
            _ => Ok(None),
        }
    }
}
