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
//! projection names keep their names and meaning. [`upgrade_all`](super::upgrade_all) rewrites at leisure what no request
//! touches, and has to run with `--finish` before the version after that is deployed.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::item::key_of;
use super::versions::{ATTRIBUTE, SCHEMA, UNSAID, number};
use super::{Item, Key, StoreError, Update};

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
    pub(super) number: AtomicU32,
    /// When the table was asked last, on the clock's ticks.
    pub(super) asked: Mutex<Option<Duration>>,
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

/// The form of an item; none where the attribute is no such number.
pub(super) fn form(item: &Item) -> Option<u32> {
    match item.get(ATTRIBUTE) {
        None => Some(1),
        Some(number) => number.as_n().ok()?.parse().ok(),
    }
}

/// The item in the present form of this program.
///
/// # Errors
/// [`StoreError::OtherSchema`] if it is of a form that this program does not read.
pub(super) fn in_present_form(item: Item) -> Result<Item, StoreError> {
    FORMS.read(item)
}

fn foreign(item: &Item) -> StoreError {
    let key = key_of(item).unwrap_or_else(|| Key::new("", ""));
    let found = item.get(ATTRIBUTE).and_then(|number| number.as_n().ok()).cloned();
    StoreError::other_schema(&key, found.unwrap_or_else(|| "that is no number".to_owned()))
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
