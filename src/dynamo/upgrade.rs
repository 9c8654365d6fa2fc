//! The form of items, by number, so that a new version of the program finds its way in what an older one wrote.
//!
//! What always holds: every item says in `schema` in which form it was written, and one that says nothing is of form 1.
//! This program writes [`SCHEMA`], and reads it and the one before: whatever comes from the table or its stream is
//! brought into the present form before anything looks at it. A form beyond these is an error and never a guess.
//!
//! **A new form** is a new number and one more step in `STEPS`. A step fills in or converts what is still in its old
//! form and leaves alone what is not, for an update of some attributes leaves an item half in the old form, under its
//! old number. So no deployment stops the desk: the new program reads what the old one wrote, and [`upgrade_all`]
//! rewrites at leisure what nobody touches. Before the form after that is deployed, it must have run.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::types::AttributeValue;

use super::read::key_of;
use super::{Dynamo, Item, Key, StoreError, Update, WriteError};

/// The form that this program writes.
pub const SCHEMA: u32 = 2;

/// The oldest form that it reads.
pub const OLDEST: u32 = SCHEMA - 1;

/// The attribute with the number of an item's form.
pub const ATTRIBUTE: &str = "schema";

/// The form of an item; none where the attribute is no such number.
fn form(item: &Item) -> Option<u32> {
    match item.get(ATTRIBUTE) {
        None => Some(1),
        Some(number) => number.as_n().ok()?.parse().ok(),
    }
}

pub(super) fn number(schema: u32) -> AttributeValue {
    AttributeValue::N(schema.to_string())
}

/// The item in the present form.
///
/// # Errors
/// [`StoreError::OtherSchema`] if it is of a form that this program does not read.
pub(super) fn in_present_form(mut item: Item) -> Result<Item, StoreError> {
    let schema = form(&item).filter(|schema| (OLDEST..=SCHEMA).contains(schema));
    let Some(schema) = schema else { return Err(foreign(&item)) };
    for step in STEPS.iter().skip((schema - OLDEST) as usize) {
        step(&mut item);
    }
    item.insert(ATTRIBUTE.to_owned(), number(SCHEMA));
    Ok(item)
}

/// What takes an item from each form that is read to the one after it, from the oldest on.
const STEPS: [fn(&mut Item); (SCHEMA - OLDEST) as usize] = [without_number];

/// Items of form 1 have no number, and are otherwise as those of form 2.
fn without_number(_: &mut Item) {}

fn foreign(item: &Item) -> StoreError {
    let key = key_of(item).unwrap_or_else(|| Key::new("", ""));
    let found = item.get(ATTRIBUTE).and_then(|number| number.as_n().ok()).cloned();
    StoreError::other_schema(&key, found.unwrap_or_else(|| "that is no number".to_owned()))
}

/// How far a walk through the table has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Items that were of an older form.
    pub older: u64,
    /// Of these, the ones that were rewritten. The others went, or somebody else rewrote them meanwhile.
    pub rewritten: u64,
}

/// Rewrites every item of an older form in the present one, beside whatever the desk does: an item that is changed
/// meanwhile is read again. It walks through the whole table, page by page, so it is for a command and for no request;
/// cut off, it is begun again and passes by what is done.
///
/// # Errors
/// [`StoreError`], also of the first item that is of no form that is read.
pub async fn upgrade_all(dynamo: &Dynamo, mut told: impl FnMut(Upgraded)) -> Result<Upgraded, StoreError> {
    let mut upgraded = Upgraded::default();
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

/// The items of older forms in the next page of the table, and where the page after it begins.
async fn older(dynamo: &Dynamo, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
    const OPERATION: &str = "Scan";
    let request = ScanInput::builder()
        .table_name(dynamo.table())
        .consistent_read(true)
        .limit(PAGE)
        .filter_expression("attribute_not_exists(#schema) OR #schema <> :schema")
        .expression_attribute_names("#schema", ATTRIBUTE)
        .expression_attribute_values(":schema", number(SCHEMA))
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
        let after = in_present_form(before.clone())?;
        let update = Update::between(&before, &after);
        let write = dynamo.guarded_write().update("item", &key, &update, update.untouched(&before));
        let stands = match dynamo.write(write).await {
            Ok(()) => return Ok(true),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => dynamo.raw(&key).await?,
        };
        match stands {
            Some(item) if form(&item) != Some(SCHEMA) => before = item,
            _ => return Ok(false),
        }
        retries.backoff().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pairs: &[(&str, AttributeValue)]) -> Item {
        let key = [("pk", AttributeValue::S("LEAD#1".into())), ("sk", AttributeValue::S("LEAD".into()))];
        key.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn this_form_and_the_one_before_are_read_and_come_out_in_this_one() {
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
            match in_present_form(stored) {
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
    fn a_form_that_is_not_read_is_named_with_those_that_are() {
        let error = in_present_form(item(&[(ATTRIBUTE, number(9))])).unwrap_err();
        let words =
            format!("the item LEAD#… LEAD is of schema 9, and this program reads {OLDEST} and {SCHEMA}");
        assert!(error.to_string().starts_with(&words), "{error}");
    }
}
