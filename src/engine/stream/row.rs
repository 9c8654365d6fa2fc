//! Rows of the log as bytes. A modified item is stored as its old image and a delta.

use jiff::Timestamp;

use super::super::codec::{
    self, Attributes, Damaged, ItemRef, ValueRef, put_attribute, put_bytes, put_length, take_bytes,
    take_length,
};

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The item was created.
    Insert,
    /// The item was changed.
    Modify,
    /// The item was deleted.
    Remove,
}

/// A change to append to the log. Images are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    pub table: u16,
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
    /// Whether time to live deleted the item.
    pub by_service: bool,
}

/// The contents of a row.
pub struct Row<'a> {
    /// The number of bytes logged before the row.
    pub offset: u64,
    pub at: Timestamp,
    pub count: u64,
    pub changes: &'a [u8],
}

pub fn encode_row(changes: &[LoggedChange], offset: u64, at: Timestamp) -> Vec<u8> {
    let images = changes.iter().flat_map(|change| [&change.old, &change.new]).flatten();
    let mut row = Vec::with_capacity(64 + images.map(Vec::len).sum::<usize>());
    row.extend_from_slice(&offset.to_be_bytes());
    row.extend_from_slice(&at.as_millisecond().to_be_bytes());
    put_length(changes.len(), &mut row);
    for change in changes {
        put_change(change, &mut row);
    }
    row
}

fn put_change(change: &LoggedChange, into: &mut Vec<u8>) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    into.extend_from_slice(&change.table.to_be_bytes());
    into.push(flag(old.is_some(), 1) | flag(new.is_some(), 2) | flag(change.by_service, 4));
    match (old, new) {
        (Some(old), Some(new)) => {
            put_bytes(old, into);
            put_bytes(&delta(ItemRef(old), ItemRef(new)), into);
        }
        (one, other) => put_bytes(one.or(other).unwrap_or_default(), into),
    }
}

pub struct ChangeRef<'a> {
    pub table: u16,
    /// Whether time to live deleted the item.
    pub by_service: bool,
    /// The item before the change if it existed, otherwise the item after it. Both have the same key.
    pub image: ItemRef<'a>,
    pub kind: ChangeKind,
    delta: &'a [u8],
}

impl<'a> ChangeRef<'a> {
    /// Reads a change from the front of a row's changes.
    pub fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<3>()?;
        *bytes = rest;
        let [high, low, flags] = *head;
        let image = ItemRef(take_bytes(bytes)?);
        let (kind, delta) = match flags & 3 {
            1 => (ChangeKind::Remove, Default::default()),
            2 => (ChangeKind::Insert, Default::default()),
            _ => (ChangeKind::Modify, take_bytes(bytes)?),
        };
        let table = u16::from_be_bytes([high, low]);
        Some(Self { table, by_service: flags & 4 != 0, image, kind, delta })
    }

    /// Returns the item before and the item after the change.
    pub fn images(&self) -> Result<[Option<Attributes>; 2], Damaged> {
        let image = || self.image.decode().map(Some);
        Ok(match self.kind {
            ChangeKind::Insert => [None, image()?],
            ChangeKind::Remove => [image()?, None],
            ChangeKind::Modify => {
                let new = patch(self.image, self.delta).ok_or(Damaged)?;
                [image()?, Some(ItemRef(&new).decode()?)]
            }
        })
    }
}

/// Returns the difference between two items: changed attributes with their values, and removed attributes
/// with empty values.
fn delta(old: ItemRef<'_>, new: ItemRef<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut olds, mut news) = (old.attributes().peekable(), new.attributes().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return bytes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        match (old, new) {
            (Some((_, old)), Some((_, new))) if old == new => {}
            (_, Some((name, value))) => put_attribute(name, value, &mut bytes),
            (Some((name, _)), None) => put_attribute(name, ValueRef(&[]), &mut bytes),
            (None, None) => return bytes,
        }
    }
}

fn patch(old: ItemRef<'_>, delta: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(old.0.len() + delta.len());
    let (mut olds, mut news) = (old.attributes().peekable(), ItemRef(delta).attributes().peekable());
    loop {
        match (olds.peek(), news.peek()) {
            (None, None) => return Some(bytes),
            (Some((old, value)), new) if new.is_none_or(|(new, _)| old < new) => {
                put_attribute(old, *value, &mut bytes);
                olds.next();
            }
            (old, Some((new, value))) => {
                if !value.0.is_empty() {
                    put_attribute(new, *value, &mut bytes);
                }
                if old.is_some_and(|(old, _)| old == new) {
                    olds.next();
                }
                news.next();
            }
            (Some(_), None) => return None,
        }
    }
}

/// Returns the number of a row, which is its key.
pub fn row_number(key: &[u8]) -> Result<u64, Damaged> {
    Ok(u64::from_be_bytes(key.try_into().map_err(|_| Damaged)?))
}

/// Reads the number and the header of a row.
pub fn decode_row<'a>(key: &[u8], sealed: &'a [u8]) -> Result<(u64, Row<'a>), Damaged> {
    let number = row_number(key)?;
    let value = codec::unseal(key, sealed)?;
    let (offset, value) = value.split_first_chunk::<8>().ok_or(Damaged)?;
    let (at, mut changes) = value.split_first_chunk::<8>().ok_or(Damaged)?;
    let at = Timestamp::from_millisecond(i64::from_be_bytes(*at)).map_err(|_| Damaged)?;
    let count = take_length(&mut changes).ok_or(Damaged)? as u64;
    Ok((number, Row { offset: u64::from_be_bytes(*offset), at, count, changes }))
}

/// The number of a log row, and the range of the logged bytes that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowExtent {
    pub number: u64,
    start: u64,
    end: u64,
}

impl RowExtent {
    /// Returns whether `other` is the next row.
    pub fn is_before(&self, other: &Self) -> bool {
        self.number + 1 == other.number && self.end == other.start
    }
}

/// Reads a row and all its changes, and returns its extent.
pub fn extent(key: &[u8], sealed: &[u8]) -> Result<RowExtent, Damaged> {
    let (number, row) = decode_row(key, sealed)?;
    let mut changes = row.changes;
    for _ in 0..row.count {
        ChangeRef::take(&mut changes).ok_or(Damaged)?.images()?;
    }
    let (start, end) = (row.offset, row.offset.saturating_add(sealed.len() as u64));
    if changes.is_empty() { Ok(RowExtent { number, start, end }) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;

    fn item() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::hash_map("[a-e]", 0..3_u8, 0..5).prop_map(|map| {
            let text = |(name, value): (String, u8)| (name, AttributeValue::S(value.to_string()));
            codec::encode_item(&map.into_iter().map(text).collect()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_delta_turns_the_old_item_into_the_new_one(old in item(), new in item()) {
            let delta = delta(ItemRef(&old), ItemRef(&new));
            prop_assert_eq!(patch(ItemRef(&old), &delta), Some(new));
        }
    }
}
