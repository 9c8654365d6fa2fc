//! The record of a write: which write put it, and which writes it abandoned.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::schema::TTL;
use super::{Condition, Item, Key, StoreError, to_attribute};

/// The attribute of a record that says which write put it.
pub(super) const TOKEN: &str = "token";
/// The attribute of an abandoned record: the tokens of the writes that were given up, in one text.
pub(super) const ABANDONED: &str = "abandoned";
/// How long a write that was given up is kept from happening: far longer than any call is under way.
pub(super) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The record of a write whose request has no idempotency key.
pub(super) fn fence_item(token: &str, now: Timestamp) -> Result<Item, StoreError> {
    let until = now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
    let mut item = Key::new(format!("LEDGER#fence#{token}"), "LEDGER").attributes();
    item.insert(TTL.to_owned(), to_attribute(until.as_second())?);
    Ok(item)
}

/// That the write with this token may put its record: there is none, or one that abandoned other writes.
pub(super) fn may_record(token: &str) -> Condition {
    Condition::Any(vec![Condition::Absent, Condition::Lacks(ABANDONED, AttributeValue::S(token.to_owned()))])
}

/// The tokens of the writes that a record abandoned, if it abandoned any.
pub(super) fn abandoned(record: &Item) -> Option<&str> {
    record.get(ABANDONED)?.as_s().ok().map(String::as_str)
}

/// Whether a record says that nothing was done for its key.
pub(super) fn is_abandoned(record: &Item) -> bool {
    abandoned(record).is_some()
}
