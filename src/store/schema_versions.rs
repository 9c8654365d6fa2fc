//! Schema versions of items, so that a new version of the program can read what an older one wrote.
//!
//! Invariants: the attribute `schema` of every item is the schema version in which the item was written; an item
//! without it has version 1. This program reads [`SCHEMA`] and the version before it: every item from the table or
//! its stream is converted to the current schema before other code sees it. Any other version is an error.
//!
//! **Two program versions side by side.** A program version that introduces a schema writes the previous schema until
//! the table says that no older program version runs (`holdfast upgrade --finish`). The older version can therefore
//! read every item during a rolling deployment and after a rollback. It only has to tolerate attributes and item keys
//! that it does not know. `tests/fixtures/reader` lists what the older version needs of each item.
//!
//! **Adding a schema.** A new schema is a new number with its [`Step`]. An update of some attributes may leave an item
//! partly in the old schema, so a step converts what is still in the old schema and leaves the rest alone. Attributes
//! that a condition, an index or a projection names keep their names and meaning. [`upgrade_all`](super::upgrade_all)
//! rewrites the items that no request changes. It must run with `--finish` before the next program version is deployed.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::item::key_of;
use super::versions::{ATTRIBUTE, DEFAULT_SCHEMA, SCHEMA, number};
use super::{Item, Key, StoreError, Update};

/// Converts items between the previous schema and the current one.
#[derive(Debug)]
pub(super) struct Step {
    /// Converts to the current schema.
    pub(super) up: fn(&mut Item),
    /// Converts to the previous schema.
    pub(super) down: fn(&mut Item),
    /// Attributes with another name in the previous schema, as pairs of the current and the previous name.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

/// The schemas that a program reads: the current one and the one before it.
#[derive(Debug)]
pub(super) struct SchemaVersions {
    pub(super) current: u32,
    pub(super) step: Step,
}

/// The schemas of this program. Items of schema 1 have no number and are otherwise the same as those of schema 2.
pub(super) static SCHEMA_VERSIONS: SchemaVersions =
    SchemaVersions { current: SCHEMA, step: Step { up: |_| (), down: |_| (), renamed: &[] } };

/// The schema that this process writes, as the table last reported it.
#[derive(Debug)]
pub(super) struct SchemaToWrite {
    pub(super) number: AtomicU32,
    /// When the table was last read, in ticks of the clock.
    pub(super) last_read: Mutex<Option<Duration>>,
}

impl SchemaVersions {
    /// Returns the schema to write before the table was read: one that both program versions can read.
    pub(super) fn initial_schema_to_write(&self) -> SchemaToWrite {
        let number = if self.current > DEFAULT_SCHEMA { self.current - 1 } else { self.current };
        SchemaToWrite { number: AtomicU32::new(number), last_read: Mutex::new(None) }
    }

    /// Converts the item to the current schema, or returns [`StoreError::OtherSchema`] if this program does not read
    /// the item's schema.
    pub(super) fn to_current(&self, mut item: Item) -> Result<Item, StoreError> {
        match schema_of(&item) {
            Some(version) if version == self.current => {}
            Some(version) if version + 1 == self.current => (self.step.up)(&mut item),
            _ => return Err(unknown_schema(&item)),
        }
        item.insert(ATTRIBUTE.to_owned(), number(self.current));
        Ok(item)
    }

    /// Converts an item of the current schema to the schema `version`.
    pub(super) fn for_write(&self, mut item: Item, version: u32) -> Item {
        if version != self.current {
            (self.step.down)(&mut item);
        }
        item.insert(ATTRIBUTE.to_owned(), number(version));
        item
    }

    /// Converts an update of an item of the current schema to the schema `version`.
    pub(super) fn update_for_write<'a>(&self, update: &'a Update, version: u32) -> Cow<'a, Update> {
        if version == self.current {
            return Cow::Borrowed(update);
        }
        let old_name = |name: &str| {
            let renamed = self.step.renamed.iter().find(|(current, _)| *current == name);
            renamed.map_or_else(|| name.to_owned(), |(_, previous)| (*previous).to_owned())
        };
        Cow::Owned(update.converted(self.step.down, old_name))
    }
}

/// Returns the schema version of an item, or `None` if the attribute is not a number.
pub(super) fn schema_of(item: &Item) -> Option<u32> {
    match item.get(ATTRIBUTE) {
        None => Some(1),
        Some(number) => number.as_n().ok()?.parse().ok(),
    }
}

fn unknown_schema(item: &Item) -> StoreError {
    let key = key_of(item).unwrap_or_else(|| Key::new("", ""));
    let found = item.get(ATTRIBUTE).and_then(|number| number.as_n().ok()).cloned();
    StoreError::other_schema(&key, found.unwrap_or_else(|| "(not a number)".to_owned()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::store::OLDEST;

    fn item(pairs: &[(&str, AttributeValue)]) -> Item {
        let key = [("pk", AttributeValue::S("LEAD#1".into())), ("sk", AttributeValue::S("LEAD".into()))];
        key.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn the_current_and_the_previous_schema_are_read_and_converted_to_the_current_one() {
        for (written, reads) in [
            (None, true),
            (Some(number(OLDEST)), true),
            (Some(number(SCHEMA)), true),
            (Some(number(SCHEMA + 1)), false),
            (Some(number(0)), false),
            (Some(AttributeValue::S("2".into())), false),
        ] {
            let mut stored = item(&[("version", number(7))]);
            stored.extend(written.clone().map(|number| (ATTRIBUTE.to_owned(), number)));
            match SCHEMA_VERSIONS.to_current(stored) {
                Ok(read) => {
                    assert!(reads, "{written:?}");
                    assert_eq!(read, item(&[("version", number(7)), (ATTRIBUTE, number(SCHEMA))]));
                }
                Err(error) => {
                    assert!(!reads, "{written:?}: {error}");
                    assert!(error.to_string().contains("schema"), "{error}");
                }
            }
        }
    }

    #[test]
    fn an_error_for_an_unknown_schema_names_the_schemas_that_are_read() {
        let error = SCHEMA_VERSIONS.to_current(item(&[(ATTRIBUTE, number(9))])).unwrap_err();
        let message =
            format!("the item LEAD#… LEAD is of schema 9, and this program reads {OLDEST} and {SCHEMA}");
        assert!(error.to_string().starts_with(&message), "{error}");
    }
}
