//! The record of a write: which write put it, and which writes it abandoned.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::schema::TTL;
use super::{Condition, Item, Key, StoreError, to_attribute};

/// The attribute with the token of the write that put the record.
pub(super) const TOKEN: &str = "token";
/// The attribute of an abandoned record: the tokens of the abandoned writes, separated by spaces.
pub(super) const ABANDONED: &str = "abandoned";
/// How long a record prevents an abandoned write. No call is in flight for nearly that long.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Creates the record of a write whose request has no idempotency key.
pub(super) fn fence_item(token: &str, now: Timestamp) -> Result<Item, StoreError> {
    empty_record(&Key::new(format!("LEDGER#fence#{token}"), "LEDGER"), now)
}

/// Creates a record that expires after [`KEPT_FOR`].
pub(super) fn empty_record(key: &Key, now: Timestamp) -> Result<Item, StoreError> {
    let until = now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
    let mut item = key.attributes();
    item.insert(TTL.to_owned(), to_attribute(until.as_second())?);
    Ok(item)
}

/// Returns the condition under which the write with this token may put its record: there is no record, or one that
/// abandoned only other writes.
pub(super) fn may_record(token: &str) -> Condition {
    Condition::Any(vec![Condition::Absent, Condition::Lacks(ABANDONED, AttributeValue::S(token.to_owned()))])
}

/// Returns the tokens of the writes that a record abandoned, or `None` if it is not an abandoned record.
pub(super) fn abandoned(record: &Item) -> Option<&str> {
    record.get(ABANDONED)?.as_s().ok().map(String::as_str)
}

/// Whether a record says that nothing was done for its key.
pub(super) fn is_abandoned(record: &Item) -> bool {
    abandoned(record).is_some()
}
