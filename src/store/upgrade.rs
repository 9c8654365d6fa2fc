//! Switches the table to the current schema once no older program version runs, and rewrites items of other schemas.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::item::key_of;
use super::schema::SK;
use super::schema_to_write::schema_key;
use super::schema_versions::schema_of;
use super::versions::{ATTRIBUTE, number};
use super::{Dynamo, Item, StoreError, Update, WriteError};

impl Dynamo {
    /// Switches the table to the current schema, because no older program version runs any more. Other processes
    /// switch within a minute. Until then they write a schema that all can read.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn finish_upgrade(&self) -> Result<(), StoreError> {
        let mut item = schema_key().attributes();
        item.insert("writes".to_owned(), number(self.schema_versions.current));
        match self.write(self.guarded_write().already_converted().put_derived("schema", item)).await {
            Ok(()) => {}
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => {
                return Err(StoreError::invariant_violation("TransactWriteItems", &schema_key()));
            }
        }
        self.schema_to_write.number.store(self.schema_versions.current, Ordering::Relaxed);
        Ok(())
    }
}

/// The progress of an upgrade of the whole table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// The schema in which items are written.
    pub schema: u32,
    /// The number of items of another schema.
    pub older: u64,
    /// How many of these were rewritten. The others were deleted, or another process rewrote them at the same time.
    pub rewritten: u64,
}

/// Rewrites every item of another schema in the schema that is written, while requests continue. If an item changes at
/// the same time, it is read again. This scans the whole table page by page, so only a command may call it. After an
/// interruption, the next run skips the items that are already rewritten.
///
/// # Errors
/// [`StoreError`], also for the first item of a schema that this program does not read.
pub async fn upgrade_all(dynamo: &Dynamo, mut report: impl FnMut(Upgraded)) -> Result<Upgraded, StoreError> {
    dynamo.refresh_schema_to_write().await?;
    let mut upgraded = Upgraded { schema: dynamo.schema_to_write(), ..Upgraded::default() };
    let mut start = None;
    loop {
        let (items, next) = older(dynamo, start).await?;
        upgraded.older += items.len() as u64;
        let written = stream::iter(items).map(|item| rewrite(dynamo, item)).buffer_unordered(AT_ONCE);
        let written: Vec<bool> = written.try_collect().await?;
        upgraded.rewritten += written.into_iter().filter(|rewritten| *rewritten).count() as u64;
        report(upgraded);
        start = next;
        if start.is_none() {
            return Ok(upgraded);
        }
    }
}

/// The number of items that one call examines.
const PAGE: i32 = 500;

/// The number of items that are rewritten at the same time.
const AT_ONCE: usize = 8;

/// Returns the items of other schemas in the next page of the table, and the start of the page after it.
async fn older(dynamo: &Dynamo, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
    let request = ScanInput::builder()
        .table_name(dynamo.table())
        .consistent_read(true)
        .limit(PAGE)
        .filter_expression("attribute_not_exists(#schema) OR #schema <> :schema")
        .expression_attribute_names("#schema", ATTRIBUTE)
        .expression_attribute_values(":schema", number(dynamo.schema_to_write()))
        .set_exclusive_start_key(start);
    let output = dynamo.output(&request).await?;
    let next = output.last_evaluated_key.filter(|key| !key.is_empty());
    Ok((output.items.unwrap_or_default(), next))
}

/// The position in a scan of the table. It starts at the beginning.
#[derive(Debug, Default)]
pub struct ScanPosition(Option<Item>);

impl Dynamo {
    /// Returns the items with this sort key that lack an attribute, from the next page of the whole table, and the
    /// position after it, or `None` at the end. This is for upgrades: no request may call it.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn scan_without(
        &self,
        sk: &str,
        attribute: &str,
        ScanPosition(start): ScanPosition,
    ) -> Result<(Vec<Item>, Option<ScanPosition>), StoreError> {
        let request = ScanInput::builder()
            .table_name(self.table())
            .consistent_read(true)
            .limit(PAGE)
            .filter_expression("#sk = :sk AND attribute_not_exists(#attribute)")
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":sk", AttributeValue::S(sk.to_owned()))
            .set_exclusive_start_key(start);
        let output = self.output(&request).await?;
        let items = output.items.unwrap_or_default().into_iter();
        let items = items.map(|item| self.schema_versions.to_current(item)).collect::<Result<_, _>>()?;
        let next = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((items, next.map(|key| ScanPosition(Some(key)))))
    }
}

/// Rewrites an item, unless it was deleted or rewritten at the same time.
async fn rewrite(dynamo: &Dynamo, item: Item) -> Result<bool, StoreError> {
    let Some(key) = key_of(&item) else { return Ok(false) };
    let mut before = item;
    let mut retries = dynamo.retries();
    loop {
        let version = dynamo.schema_to_write();
        let after =
            dynamo.schema_versions.for_write(dynamo.schema_versions.to_current(before.clone())?, version);
        let update = Update::between(&before, &after);
        let unchanged = update.untouched(&before);
        let write = dynamo.guarded_write().already_converted().update("item", &key, &update, unchanged);
        let current = match dynamo.write(write).await {
            Ok(()) => return Ok(true),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => dynamo.raw(&key).await?,
        };
        match current {
            Some(item) if schema_of(&item) != Some(version) => before = item,
            _ => return Ok(false),
        }
        retries.backoff().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema_versions::{SCHEMA_VERSIONS, SchemaVersions, Step};
    use crate::store::{Key, SCHEMA};

    /// A made-up next program version that renames `name` to `fullName`.
    static NEXT: SchemaVersions = SchemaVersions {
        current: SCHEMA + 1,
        step: Step {
            up: |item| {
                if let Some(name) = item.remove("name") {
                    item.insert("fullName".to_owned(), name);
                }
            },
            down: |item| {
                if let Some(name) = item.remove("fullName") {
                    item.insert("name".to_owned(), name);
                }
            },
            renamed: &[("fullName", "name")],
        },
    };

    #[cfg(feature = "local")]
    fn over(engine: &crate::engine::Engine, schema_versions: &'static SchemaVersions) -> Dynamo {
        use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

        use crate::base::blocking::BlockingPool;
        use crate::base::clock::Clock;
        use crate::base::rng::Rng;
        use crate::store::line::Line;
        let line = Line::to(crate::store::Embedded::new(engine.clone(), BlockingPool::here()));
        let sleep = SharedAsyncSleep::new(TokioSleep::new());
        let (clock, rng) = (Clock::of_system(), Rng::of_system());
        Dynamo::new(line, "table", sleep, clock, rng, Default::default())
            .with_schema_versions(schema_versions)
    }

    #[cfg(feature = "local")]
    #[tokio::test]
    async fn two_program_versions_read_each_other_until_the_upgrade_is_finished() {
        let clock = crate::base::clock::Clock::of_system();
        let engine = crate::engine::Engine::in_memory(move || clock.now());
        let (before, next) = (over(&engine, &SCHEMA_VERSIONS), over(&engine, &NEXT));
        crate::store::schema::create_table(&before).await.unwrap();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let key = Key::new("LEAD#1", "LEAD");
        let written = async |by: &Dynamo, attribute: &'static str, value: &str| {
            let mut item = key.attributes();
            item.insert(attribute.to_owned(), text(value));
            by.write(by.guarded_write().put_derived("lead", item)).await.unwrap();
        };
        // Each reads what the other wrote, whole or updated.
        written(&next, "fullName", "Ann").await;
        assert_eq!(before.get(&key).await.unwrap().unwrap()["name"], text("Ann"));
        let update = Update::default().set("fullName", text("Bob")).remove("other");
        next.write(next.guarded_write().update_derived("lead", &key, &update)).await.unwrap();
        assert_eq!(before.get(&key).await.unwrap().unwrap()["name"], text("Bob"));
        written(&before, "name", "Eve").await;
        assert_eq!(next.get(&key).await.unwrap().unwrap()["fullName"], text("Eve"));
        assert_eq!(
            upgrade_all(&next, |_| ()).await.unwrap().older,
            0,
            "nothing to rewrite before the upgrade is finished"
        );
        // From here on only the next version runs.
        next.finish_upgrade().await.unwrap();
        let upgraded = upgrade_all(&next, |_| ()).await.unwrap();
        assert_eq!((upgraded.schema, upgraded.rewritten), (SCHEMA + 1, 1));
        assert_eq!(next.get(&key).await.unwrap().unwrap()["fullName"], text("Eve"));
        let refused = before.get(&key).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherSchema { .. }), "{refused}");
        // A process that starts later reads the schema to write from the table once.
        let late = over(&engine, &NEXT);
        written(&late, "fullName", "Flo").await;
        assert_eq!(
            schema_of(&late.raw(&key).await.unwrap().unwrap()),
            Some(SCHEMA),
            "its first write reads the table"
        );
        written(&late, "fullName", "Flo").await;
        assert_eq!(schema_of(&late.raw(&key).await.unwrap().unwrap()), Some(SCHEMA + 1));
    }
}
