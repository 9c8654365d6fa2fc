//! The form of items, by number, so that a new version of the program finds its way in what an older one wrote.
//!
//! What always holds: every item says in `schema` in which form it was written, and one that says nothing is of form 1.
//! This program reads [`SCHEMA`] and the form before it: whatever comes from the table or its stream is brought into the
//! present form before anything looks at it. A form beyond these is an error and never a guess.
//!
//! **Two versions side by side.** A version that brings a new form writes the form before it until the table says that no
//! earlier version runs any more (`holdfast upgrade --finish`). So during a rolling deployment, and after a step back, the
//! version before reads all that it meets. What it must tolerate is only this: attributes that it does not know, and items
//! with keys that it does not know. `tests/fixtures/reader` has what the version before needs of each item.
//!
//! **A new form** is a new number with its [`Step`]. A step converts what is still in the old form and leaves alone what is
//! not, for an update of some attributes may leave an item half in each. Attributes that a condition, an index or a
//! projection names keep their names and meaning. [`upgrade_all`] rewrites at leisure what no request touches, and has to
//! run with `--finish` before the version after that is deployed.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::types::AttributeValue;

use super::read::key_of;
use super::{Dynamo, Item, Key, StoreError, Update, WriteError};

/// The present form.
pub const SCHEMA: u32 = 2;

/// The oldest form that this program reads.
pub const OLDEST: u32 = SCHEMA - 1;

/// The form that is written where the table does not say: the last one before tables said it.
const UNSAID: u32 = 2;

/// The attribute with the number of an item's form.
pub const ATTRIBUTE: &str = "schema";

/// How long what the table says is believed, before it is finished.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// What turns items of the form before into those of the present form, and back.
#[derive(Debug)]
pub(super) struct Step {
    /// To the present form.
    pub(super) up: fn(&mut Item),
    /// To the form before.
    pub(super) back: fn(&mut Item),
    /// Attributes with another name in the form before: the present name, and that one.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

/// The forms that a program reads: the present one, and the one before it.
#[derive(Debug)]
pub(super) struct Forms {
    /// The number of the present form.
    pub(super) present: u32,
    /// What lies between the two.
    pub(super) step: Step,
}

/// The forms of this program. Items of form 1 have no number, and are otherwise as those of form 2.
pub(super) static FORMS: Forms =
    Forms { present: SCHEMA, step: Step { up: |_| (), back: |_| (), renamed: &[] } };

/// Which form a process writes, as the table said last.
#[derive(Debug)]
pub(super) struct FormToWrite {
    number: AtomicU32,
    /// When the table was asked last, on the clock's ticks.
    asked: Mutex<Option<Duration>>,
}

impl Forms {
    /// What is written before the table was asked: what both versions read.
    pub(super) fn at_first(&self) -> FormToWrite {
        let number = if self.present > UNSAID { self.present - 1 } else { self.present };
        FormToWrite { number: AtomicU32::new(number), asked: Mutex::new(None) }
    }

    /// The item in the present form.
    ///
    /// # Errors
    /// [`StoreError::OtherSchema`] if it is of a form that is not read.
    pub(super) fn read(&self, mut item: Item) -> Result<Item, StoreError> {
        match form(&item) {
            Some(form) if form == self.present => {}
            Some(form) if form + 1 == self.present => (self.step.up)(&mut item),
            _ => return Err(foreign(&item)),
        }
        item.insert(ATTRIBUTE.to_owned(), number(self.present));
        Ok(item)
    }

    /// An item of the present form as it is written in this one.
    pub(super) fn written(&self, mut item: Item, form: u32) -> Item {
        if form != self.present {
            (self.step.back)(&mut item);
        }
        item.insert(ATTRIBUTE.to_owned(), number(form));
        item
    }

    /// An update of an item of the present form as it is written in this one.
    pub(super) fn written_update<'a>(&self, update: &'a Update, form: u32) -> Cow<'a, Update> {
        if form == self.present {
            return Cow::Borrowed(update);
        }
        let old_name = |name: &str| {
            let renamed = self.step.renamed.iter().find(|(present, _)| *present == name);
            renamed.map_or_else(|| name.to_owned(), |(_, before)| (*before).to_owned())
        };
        Cow::Owned(update.converted(self.step.back, old_name))
    }
}

fn schema_key() -> Key {
    Key::new("SCHEMA", "SCHEMA")
}

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

/// The item in the present form of this program.
///
/// # Errors
/// [`StoreError::OtherSchema`] if it is of a form that this program does not read.
pub(super) fn in_present_form(item: Item) -> Result<Item, StoreError> {
    FORMS.read(item)
}

impl Dynamo {
    /// The form in which items are written.
    pub(super) fn form_to_write(&self) -> u32 {
        self.form.number.load(Ordering::Relaxed)
    }

    /// Asks the table which form is to be written, where it can be another one and was not asked for a minute.
    pub(super) async fn ask_for_form(&self) -> Result<(), StoreError> {
        if self.form_to_write() == self.forms.present || !self.is_to_be_asked() {
            return Ok(());
        }
        let said = self.raw(&schema_key()).await?;
        let said = said.and_then(|item| item.get("writes")?.as_n().ok()?.parse().ok()).unwrap_or(UNSAID);
        let form = said.clamp(self.forms.present - 1, self.forms.present);
        self.form.number.store(form, Ordering::Relaxed);
        Ok(())
    }

    fn is_to_be_asked(&self) -> bool {
        let now = self.clock.ticks();
        let mut asked = self.form.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked.is_none_or(|asked| now.saturating_sub(asked) >= BELIEVED_FOR);
        if is_due {
            *asked = Some(now);
        }
        is_due
    }

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
                return Err(StoreError::contradiction("TransactWriteItems", &schema_key()));
            }
        }
        self.form.number.store(self.forms.present, Ordering::Relaxed);
        Ok(())
    }
}

fn foreign(item: &Item) -> StoreError {
    let key = key_of(item).unwrap_or_else(|| Key::new("", ""));
    let found = item.get(ATTRIBUTE).and_then(|number| number.as_n().ok()).cloned();
    StoreError::other_schema(&key, found.unwrap_or_else(|| "that is no number".to_owned()))
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
        use crate::app::{Aside, Clock, Entropy};
        use crate::dynamo::line::Line;
        let line = Line::to(crate::dynamo::Embedded::new(engine.clone(), Aside::here()));
        let sleep = aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        );
        let (clock, entropy) = (Clock::of_system(), Entropy::of_system());
        Dynamo::new(line, "table", sleep, clock, entropy, Default::default()).with_forms(forms)
    }

    #[cfg(feature = "local")]
    #[tokio::test]
    async fn a_version_and_the_one_before_it_read_each_other_until_the_upgrade_is_finished() {
        let clock = crate::app::Clock::of_system();
        let engine = crate::engine::Engine::in_memory(move || clock.now());
        let (before, next) = (over(&engine, &FORMS), over(&engine, &NEXT));
        crate::dynamo::schema::create_table(&before).await.unwrap();
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
