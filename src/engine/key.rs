//! Keys as bytes that order as DynamoDB orders them.
//!
//! A key is a prefix (table, and for an index entry the index) and its parts, one behind the other. Texts and byte
//! strings are escaped and ended, numbers end themselves, so no part is the beginning of another and a range of bytes is
//! exactly a range of keys.

use super::codec::{Kind, ValueRef};
use super::number::Number;

/// Ends a text or a byte string. A zero byte inside is followed by 0xFF.
const END: [u8; 2] = [0, 1];
const ESCAPED_ZERO: [u8; 2] = [0, 0xFF];

/// The most bytes of a partition key's value.
pub const MAX_PARTITION: usize = 2048;
/// The most bytes of a sort key's value.
pub const MAX_SORT: usize = 1024;

/// The prefix of a table's items.
pub fn table_prefix(table: u16) -> Vec<u8> {
    table.to_be_bytes().to_vec()
}

/// The prefix of an index's entries.
pub fn index_prefix(table: u16, index: u8) -> Vec<u8> {
    let [high, low] = table.to_be_bytes();
    vec![high, low, index]
}

/// Appends a key attribute's value.
pub fn put_part(value: ValueRef<'_>, into: &mut Vec<u8>) {
    if value.kind() == Some(Kind::N) {
        into.extend_from_slice(value.payload());
        return;
    }
    put_prefix(value, into);
    into.extend_from_slice(&END);
}

/// Appends a text or byte string without its end: what all that begin with it begin with.
pub fn put_prefix(value: ValueRef<'_>, into: &mut Vec<u8>) {
    let mut pieces = value.payload().split(|byte| *byte == 0);
    into.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        into.extend_from_slice(&ESCAPED_ZERO);
        into.extend_from_slice(piece);
    }
}

/// Takes a key attribute's value of this type from the front. None if the bytes are no such value.
pub fn take_part(kind: Kind, bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut value = vec![kind as u8];
    if kind == Kind::N {
        let (_, rest) = Number::decode(bytes)?;
        let length = bytes.len() - rest.len();
        value.extend_from_slice(bytes.get(..length)?);
        *bytes = rest;
        return Some(value);
    }
    loop {
        let zero = bytes.iter().position(|byte| *byte == 0)?;
        value.extend_from_slice(bytes.get(..zero)?);
        let mark = *bytes.get(zero + 1)?;
        *bytes = bytes.get(zero + 2..)?;
        match mark {
            1 => return Some(value),
            0xFF => value.push(0),
            _ => return None,
        }
    }
}

/// The first key behind all that begin with `prefix`. Empty if there is none.
pub fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xFF {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::codec::encode_value;
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;

    fn part(bytes: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        put_part(ValueRef(&encode_value(&AttributeValue::B(Blob::new(bytes))).unwrap()), &mut key);
        key
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(0xFF), any::<u8>()], 0..6)
    }

    proptest! {
        #[test]
        fn keys_order_as_their_parts_do(a in bytes(), b in bytes(), c in bytes(), d in bytes()) {
            let [one, two] = [[part(&a), part(&b)].concat(), [part(&c), part(&d)].concat()];
            prop_assert_eq!(one.cmp(&two), (a, b).cmp(&(c, d)));
        }

        #[test]
        fn parts_come_back(a in bytes(), number in any::<i64>()) {
            let number = encode_value(&AttributeValue::N(number.to_string())).unwrap();
            let mut key = part(&a);
            put_part(ValueRef(&number), &mut key);
            key.push(9);
            let mut rest = &key[..];
            prop_assert_eq!(&take_part(Kind::B, &mut rest).unwrap()[1..], &a[..]);
            prop_assert_eq!(take_part(Kind::N, &mut rest).unwrap(), number);
            prop_assert_eq!(rest, &[9]);
        }

        #[test]
        fn a_prefix_is_before_exactly_what_begins_with_it(a in bytes(), b in bytes()) {
            let mut prefix = vec![7];
            put_prefix(ValueRef(&encode_value(&AttributeValue::B(Blob::new(&a[..]))).unwrap()), &mut prefix);
            let key = [vec![7], part(&b)].concat();
            prop_assert_eq!(key >= prefix && key < successor(&prefix), b.starts_with(&a));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = take_part(Kind::S, &mut &bytes[..]);
            let _ = take_part(Kind::N, &mut &bytes[..]);
            let _ = successor(&bytes);
        }
    }
}
