//! Keys as bytes that sort as DynamoDB sorts them.
//!
//! A key is a prefix (the table, and for an index entry the index) followed by its parts. Texts and byte
//! strings are escaped and terminated, and numbers are self-terminating. No part is a prefix of another, so a
//! range of bytes is exactly a range of keys.

use super::codec::{Kind, ValueRef};
use super::number::Number;

/// The terminator of a text or byte string. A zero byte inside the value is followed by 0xFF.
const END: [u8; 2] = [0, 1];
const ESCAPED_ZERO: [u8; 2] = [0, 0xFF];

/// The maximum length of a partition key's value in bytes.
pub const MAX_PARTITION: usize = 2048;
/// The maximum length of a sort key's value in bytes.
pub const MAX_SORT: usize = 1024;

pub fn table_prefix(table: u16) -> Vec<u8> {
    table.to_be_bytes().to_vec()
}

pub fn index_prefix(table: u16, index: u8) -> Vec<u8> {
    let [high, low] = table.to_be_bytes();
    vec![high, low, index]
}

/// Appends the value of a key attribute.
pub fn put_part(value: ValueRef<'_>, into: &mut Vec<u8>) {
    if value.kind() == Some(Kind::N) {
        into.extend_from_slice(value.payload());
        return;
    }
    put_prefix(value, into);
    into.extend_from_slice(&END);
}

/// Appends a text or byte string without its terminator. The result is a prefix of every key whose value
/// begins with it.
pub fn put_prefix(value: ValueRef<'_>, into: &mut Vec<u8>) {
    let mut pieces = value.payload().split(|byte| *byte == 0);
    into.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        into.extend_from_slice(&ESCAPED_ZERO);
        into.extend_from_slice(piece);
    }
}

/// Reads the value of a key attribute of this type from the front. Returns `None` if the bytes are not such a
/// value.
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
        let escape = *bytes.get(zero + 1)?;
        *bytes = bytes.get(zero + 2..)?;
        match escape {
            1 => return Some(value),
            0xFF => value.push(0),
            _ => return None,
        }
    }
}

/// Returns the first key after all keys that begin with `prefix`. Empty if no such key exists.
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
        fn encoded_keys_sort_like_their_parts(a in bytes(), b in bytes(), c in bytes(), d in bytes()) {
            let [one, two] = [[part(&a), part(&b)].concat(), [part(&c), part(&d)].concat()];
            prop_assert_eq!(one.cmp(&two), (a, b).cmp(&(c, d)));
        }

        #[test]
        fn parts_decode_to_the_encoded_values(a in bytes(), number in any::<i64>()) {
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
        fn a_prefix_range_contains_exactly_the_keys_with_that_prefix(a in bytes(), b in bytes()) {
            let mut prefix = vec![7];
            put_prefix(ValueRef(&encode_value(&AttributeValue::B(Blob::new(&a[..]))).unwrap()), &mut prefix);
            let key = [vec![7], part(&b)].concat();
            prop_assert_eq!(key >= prefix && key < successor(&prefix), b.starts_with(&a));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            let _ = take_part(Kind::S, &mut &bytes[..]);
            let _ = take_part(Kind::N, &mut &bytes[..]);
            let _ = successor(&bytes);
        }
    }
}
