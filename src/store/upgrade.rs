//! Has the present form written once no earlier version runs, and rewrites items that are in another form.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::operation::scan::ScanInput;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::form_to_write::schema_key;
use super::forms::form;
use super::item::key_of;
use super::versions::{ATTRIBUTE, number};
use super::{Dynamo, Item, StoreError, Update, WriteError};

impl Dynamo {
    /// Has the present form written from now on: no earlier version runs any more. Other processes follow within a minute;
    /// until then they write what all read.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn finish_upgrade(&self) -> Result<(), StoreError> {
        let mut item = schema_key().attributes();
        item.insert("writes".to_owned(), number(self.forms.present));
        match self.write(self.guarded_write().in_written_form().put_derived("schema", item)).await {
            Ok(()) => {}
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => {
                return Err(StoreError::invariant_violation("TransactWriteItems", &schema_key()));
            }
        }
        self.form.number.store(self.forms.present, Ordering::Relaxed);
        Ok(())
    }
}

/// How far a walk through the table has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// The form in which items are written.
    pub form: u32,
    /// Items that were of another form.
    pub older: u64,
    /// Of these, the ones that were rewritten. The others went, or somebody else rewrote them meanwhile.
    pub rewritten: u64,
}

/// Rewrites every item of another form in the one that is written, beside all requests: an item that is changed at the
/// same moment is read again. It walks through the whole table, page by page, so it is for a command and for no request;
/// cut off, it is begun again and passes by what is done.
///
/// # Errors
/// [`StoreError`], also of the first item that is of no form that is read.
pub async fn upgrade_all(dynamo: &Dynamo, mut told: impl FnMut(Upgraded)) -> Result<Upgraded, StoreError> {
    dynamo.ask_for_form().await?;
    let mut upgraded = Upgraded { form: dynamo.form_to_write(), ..Upgraded::default() };
    let mut start = None;
    loop {
        let (items, next) = older(dynamo, start).await?;
        upgraded.older += items.len() as u64;
        let written = stream::iter(items).map(|item| rewrite(dynamo, item)).buffer_unordered(AT_ONCE);
        let written: Vec<bool> = written.try_collect().await?;
        upgraded.rewritten += written.into_iter().filter(|rewritten| *rewritten).count() as u64;
        told(upgraded);
        start = next;
        if start.is_none() {
            return Ok(upgraded);
        }
    }
}

/// The items that are looked at in one call.
const PAGE: i32 = 500;

/// The items that are rewritten at the same time.
const AT_ONCE: usize = 8;

/// The items of other forms in the next page of the table, and where the page after it begins.
async fn older(dynamo: &Dynamo, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
    const OPERATION: &str = "Scan";
    let request = ScanInput::builder()
        .table_name(dynamo.table())
        .consistent_read(true)
        .limit(PAGE)
        .filter_expression("attribute_not_exists(#schema) OR #schema <> :schema")
        .expression_attribute_names("#schema", ATTRIBUTE)
        .expression_attribute_values(":schema", number(dynamo.form_to_write()))
        .set_exclusive_start_key(start);
    let answer = dynamo.call(&request).await?;
    let output = answer.map_err(|error| StoreError::failed(OPERATION, error))?;
    let next = output.last_evaluated_key.filter(|key| !key.is_empty());
    Ok((output.items.unwrap_or_default(), next))
}

/// Rewrites an item, unless it is gone or somebody else has.
async fn rewrite(dynamo: &Dynamo, item: Item) -> Result<bool, StoreError> {
    let Some(key) = key_of(&item) else { return Ok(false) };
    let mut before = item;
    let mut retries = dynamo.retries();
    loop {
        let form = dynamo.form_to_write();
        let after = dynamo.forms.written(dynamo.forms.read(before.clone())?, form);
        let update = Update::between(&before, &after);
        let write =
            dynamo.guarded_write().in_written_form().update("item", &key, &update, update.untouched(&before));
        let stands = match dynamo.write(write).await {
            Ok(()) => return Ok(true),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => dynamo.raw(&key).await?,
        };
        match stands {
            Some(item) if self::form(&item) != Some(form) => before = item,
            _ => return Ok(false),
        }
        retries.backoff().await?;
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;
    use crate::store::forms::{FORMS, Forms, Step};
    use crate::store::{Key, SCHEMA};

    /// A made-up next version, which calls `name` `fullName`.
    static NEXT: Forms = Forms {
        present: SCHEMA + 1,
        step: Step {
            up: |item| {
                if let Some(name) = item.remove("name") {
                    item.insert("fullName".to_owned(), name);
                }
            },
            back: |item| {
                if let Some(name) = item.remove("fullName") {
                    item.insert("name".to_owned(), name);
                }
            },
            renamed: &[("fullName", "name")],
        },
    };

    #[cfg(feature = "local")]
    fn over(engine: &crate::engine::Engine, forms: &'static Forms) -> Dynamo {
        use crate::base::blocking::BlockingPool;
        use crate::base::clock::Clock;
        use crate::base::rng::Rng;
        use crate::store::line::Line;
        let line = Line::to(crate::store::Embedded::new(engine.clone(), BlockingPool::here()));
        let sleep = aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        );
        let (clock, rng) = (Clock::of_system(), Rng::of_system());
        Dynamo::new(line, "table", sleep, clock, rng, Default::default()).with_forms(forms)
    }

    #[cfg(feature = "local")]
    #[tokio::test]
    async fn a_version_and_the_one_before_it_read_each_other_until_the_upgrade_is_finished() {
        let clock = crate::base::clock::Clock::of_system();
        let engine = crate::engine::Engine::in_memory(move || clock.now());
        let (before, next) = (over(&engine, &FORMS), over(&engine, &NEXT));
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
        assert_eq!(upgrade_all(&next, |_| ()).await.unwrap().older, 0, "nothing is to be done before");
        // From then on the next version alone is there.
        next.finish_upgrade().await.unwrap();
        let upgraded = upgrade_all(&next, |_| ()).await.unwrap();
        assert_eq!((upgraded.form, upgraded.rewritten), (SCHEMA + 1, 1));
        assert_eq!(next.get(&key).await.unwrap().unwrap()["fullName"], text("Eve"));
        let refused = before.get(&key).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherSchema { .. }), "{refused}");
        // A process that begins later asks the table once.
        let late = over(&engine, &NEXT);
        written(&late, "fullName", "Flo").await;
        assert_eq!(form(&late.raw(&key).await.unwrap().unwrap()), Some(SCHEMA), "its first write asks");
        written(&late, "fullName", "Flo").await;
        assert_eq!(form(&late.raw(&key).await.unwrap().unwrap()), Some(SCHEMA + 1));
    }
}
