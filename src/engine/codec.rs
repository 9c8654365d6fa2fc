//! Items as bytes, and back.
//!
//! An item is a sequence of attributes in the order of their names: name length, name, value length, value. A value is a
//! tag and a payload; a map's payload has the form of an item. Lengths are LEB128.
//!
//! Invariants: the form is canonical (sets and maps are sorted, numbers normalized), so two items or values are equal if
//! and only if their bytes are; numbers and texts compare as their bytes do. So conditions, index keys and differences
//! are judged on bytes, and only what is returned is decoded. Stored bytes are sealed with a CRC-32 of key and value.

use std::cmp::Ordering;
use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::number::{self, Number};

/// An item as the SDK has it.
pub type Attributes = HashMap<String, AttributeValue>;

/// The deepest nesting of a value; a scalar is of depth 1.
pub const MAX_DEPTH: usize = 32;
/// The deepest nesting that is read. Stored values are of [`MAX_DEPTH`] at most.
const MAX_LEVELS: usize = 2 * MAX_DEPTH;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Text.
    S = 1,
    /// Number.
    N = 2,
    /// Bytes.
    B = 3,
    /// True or false.
    Bool = 4,
    /// Null.
    Null = 5,
    /// Set of texts.
    Ss = 6,
    /// Set of numbers.
    Ns = 7,
    /// Set of byte strings.
    Bs = 8,
    /// List.
    L = 9,
    /// Map.
    M = 10,
}

impl Kind {
    /// In the order of their tags, which begin with 1.
    const ALL: [Self; 10] =
        [Self::S, Self::N, Self::B, Self::Bool, Self::Null, Self::Ss, Self::Ns, Self::Bs, Self::L, Self::M];

    /// DynamoDB's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
            Self::Bool => "BOOL",
            Self::Null => "NULL",
            Self::Ss => "SS",
            Self::Ns => "NS",
            Self::Bs => "BS",
            Self::L => "L",
            Self::M => "M",
        }
    }

    /// The type with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag.checked_sub(1)?)).copied()
    }
}

/// Stored bytes that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are damaged")]
pub struct Damaged;

/// Why an SDK value cannot be stored, in DynamoDB's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub String);

fn invalid(message: &str) -> InvalidValue {
    InvalidValue(message.to_owned())
}

/// Appends a length.
pub fn put_length(length: usize, into: &mut Vec<u8>) {
    let mut rest = length;
    while rest >= 0x80 {
        into.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// Appends bytes with their length before them.
pub fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    put_length(bytes.len(), into);
    into.extend_from_slice(bytes);
}

/// Takes a length from the front.
pub fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

/// Takes bytes with their length before them from the front.
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// A value in encoded form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ValueRef<'a>(pub &'a [u8]);

impl<'a> ValueRef<'a> {
    /// The type. None if the bytes are damaged.
    pub fn kind(self) -> Option<Kind> {
        Kind::from_tag(*self.0.first()?)
    }

    /// What follows the tag.
    pub fn payload(self) -> &'a [u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The elements of a set or list, as payloads of a set and as values of a list.
    pub fn elements(self) -> Elements<'a> {
        Elements { rest: self.payload() }
    }

    /// The map's entries, as an item.
    pub fn entries(self) -> ItemRef<'a> {
        ItemRef(self.payload())
    }

    /// Orders two texts, numbers or byte strings. None for other or different types.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let kind = self.kind()?;
        let ordered = matches!(kind, Kind::S | Kind::N | Kind::B) && other.kind() == Some(kind);
        ordered.then(|| self.payload().cmp(other.payload()))
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<Number> {
        (self.kind()? == Kind::N).then(|| Number::decode(self.payload()).map(|(number, _)| number))?
    }

    /// The bytes that DynamoDB counts for the value in an item's size.
    pub fn size(self) -> usize {
        self.size_within(MAX_LEVELS)
    }

    /// As [`size`](Self::size), without what is deeper than the value can be.
    fn size_within(self, levels: usize) -> usize {
        let Some((kind, inner)) = self.kind().zip(levels.checked_sub(1)) else { return 0 };
        match kind {
            Kind::S | Kind::B => self.payload().len(),
            Kind::N => number::encoded_size(self.payload()),
            Kind::Bool | Kind::Null => 1,
            Kind::Ss | Kind::Bs => self.elements().map(<[u8]>::len).sum(),
            Kind::Ns => self.elements().map(number::encoded_size).sum(),
            Kind::L => {
                let size = |element| 1 + ValueRef(element).size_within(inner);
                3 + self.elements().map(size).sum::<usize>()
            }
            Kind::M => {
                let size = |(name, value): (&str, Self)| 1 + name.len() + value.size_within(inner);
                3 + self.entries().attributes().map(size).sum::<usize>()
            }
        }
    }

    /// Whether the value has more levels than this; a scalar or a set has one.
    pub fn is_deeper_than(self, levels: usize) -> bool {
        let Some(inner) = levels.checked_sub(1) else { return true };
        match self.kind() {
            Some(Kind::L) => self.elements().any(|element| ValueRef(element).is_deeper_than(inner)),
            Some(Kind::M) => self.entries().attributes().any(|(_, value)| value.is_deeper_than(inner)),
            _ => false,
        }
    }

    /// The value as the SDK has it.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no value.
    pub fn decode(self) -> Result<AttributeValue, Damaged> {
        self.decode_within(MAX_LEVELS)
    }

    fn decode_within(self, levels: usize) -> Result<AttributeValue, Damaged> {
        // Bytes that nest deeper were not written here, and would exhaust the stack.
        let inner = levels.checked_sub(1).ok_or(Damaged)?;
        let payload = self.payload();
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Damaged);
        let number = |bytes| Number::decode(bytes).map(|(number, _)| number.to_string()).ok_or(Damaged);
        Ok(match self.kind().ok_or(Damaged)? {
            Kind::S => AttributeValue::S(text(payload)?),
            Kind::N => AttributeValue::N(number(payload)?),
            Kind::B => AttributeValue::B(Blob::new(payload)),
            Kind::Bool => AttributeValue::Bool(payload == [1]),
            Kind::Null => AttributeValue::Null(true),
            Kind::Ss => AttributeValue::Ss(self.elements().map(text).collect::<Result<_, _>>()?),
            Kind::Ns => AttributeValue::Ns(self.elements().map(number).collect::<Result<_, _>>()?),
            Kind::Bs => AttributeValue::Bs(self.elements().map(Blob::new).collect()),
            Kind::L => {
                let elements = self.elements().map(|element| ValueRef(element).decode_within(inner));
                AttributeValue::L(elements.collect::<Result<_, _>>()?)
            }
            Kind::M => AttributeValue::M(self.entries().decode_within(inner)?),
        })
    }
}

/// Walks the elements of a set or list.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        take_bytes(&mut self.rest)
    }
}

/// An item, or the entries of a map, in encoded form.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemRef<'a>(pub &'a [u8]);

impl<'a> ItemRef<'a> {
    /// The attributes in the order of their names.
    pub fn attributes(self) -> AttributesRef<'a> {
        AttributesRef { rest: self.0 }
    }

    /// The attribute with this name. Reads no attribute behind it.
    pub fn get(self, name: &str) -> Option<ValueRef<'a>> {
        let name = name.as_bytes();
        let mut rest = self.0;
        while let Some(found) = take_bytes(&mut rest) {
            let value = take_bytes(&mut rest)?;
            match found.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some(ValueRef(value)),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The item's size as DynamoDB counts it: names and values.
    pub fn size(self) -> usize {
        let (mut size, mut rest) = (0, self.0);
        while let (Some(name), Some(value)) = (take_bytes(&mut rest), take_bytes(&mut rest)) {
            size += name.len() + ValueRef(value).size();
        }
        size
    }

    /// The item as the SDK has it.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no item.
    pub fn decode(self) -> Result<Attributes, Damaged> {
        self.decode_within(MAX_LEVELS)
    }

    fn decode_within(self, levels: usize) -> Result<Attributes, Damaged> {
        let mut item = HashMap::new();
        let mut rest = self.0;
        while !rest.is_empty() {
            let name =
                take_bytes(&mut rest).and_then(|name| std::str::from_utf8(name).ok()).ok_or(Damaged)?;
            let value = take_bytes(&mut rest).ok_or(Damaged)?;
            item.insert(name.to_owned(), ValueRef(value).decode_within(levels)?);
        }
        Ok(item)
    }
}

/// Walks the attributes of an item.
#[derive(Clone)]
pub struct AttributesRef<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AttributesRef<'a> {
    type Item = (&'a str, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = std::str::from_utf8(take_bytes(&mut self.rest)?).ok()?;
        Some((name, ValueRef(take_bytes(&mut self.rest)?)))
    }
}

/// Appends an attribute. The caller keeps the order of the names.
pub fn put_attribute(name: &str, value: ValueRef<'_>, into: &mut Vec<u8>) {
    put_bytes(name.as_bytes(), into);
    put_bytes(value.0, into);
}

/// The bytes of an item.
///
/// # Errors
/// [`InvalidValue`] if DynamoDB would not store it.
pub fn encode_item(item: &Attributes) -> Result<Vec<u8>, InvalidValue> {
    let mut bytes = Vec::with_capacity(64 * item.len());
    put_entries(item, MAX_DEPTH, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a value.
///
/// # Errors
/// [`InvalidValue`] if DynamoDB would not store it.
pub fn encode_value(value: &AttributeValue) -> Result<Vec<u8>, InvalidValue> {
    let mut bytes = Vec::new();
    put_value(value, MAX_DEPTH, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a number.
pub fn encode_number(number: &Number) -> Vec<u8> {
    let mut bytes = vec![Kind::N as u8];
    number.encode(&mut bytes);
    bytes
}

fn put_entries(entries: &Attributes, depth: usize, into: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut scratch = Vec::new();
    for (name, value) in sorted {
        if name.is_empty() {
            return Err(invalid("Empty attribute name"));
        }
        if name.len() > 65_535 {
            return Err(invalid("Attribute name is too large, must be less than 65536 bytes"));
        }
        scratch.clear();
        put_value(value, depth, &mut scratch)?;
        put_attribute(name, ValueRef(&scratch), into);
    }
    Ok(())
}

fn put_value(value: &AttributeValue, depth: usize, into: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let Some(inner) = depth.checked_sub(1) else {
        return Err(invalid("Nesting Levels have exceeded supported limits"));
    };
    let mut scalar = |kind: Kind, payload: &[u8]| {
        into.push(kind as u8);
        into.extend_from_slice(payload);
    };
    match value {
        AttributeValue::S(text) => scalar(Kind::S, text.as_bytes()),
        AttributeValue::B(bytes) => scalar(Kind::B, bytes.as_ref()),
        AttributeValue::Bool(value) => scalar(Kind::Bool, &[u8::from(*value)]),
        AttributeValue::Null(true) => scalar(Kind::Null, &[]),
        AttributeValue::Null(false) => {
            return Err(invalid(
                "One or more parameter values were invalid: Null attribute value types must have the value of true",
            ));
        }
        AttributeValue::N(text) => {
            into.push(Kind::N as u8);
            parse_number(text)?.encode(into);
        }
        AttributeValue::Ss(texts) => {
            put_set(Kind::Ss, texts.iter().map(|text| text.as_bytes().to_vec()).collect(), into)?;
        }
        AttributeValue::Bs(blobs) => {
            put_set(Kind::Bs, blobs.iter().map(|blob| blob.as_ref().to_vec()).collect(), into)?;
        }
        AttributeValue::Ns(numbers) => {
            let numbers = numbers.iter().map(|text| {
                let mut bytes = Vec::new();
                parse_number(text)?.encode(&mut bytes);
                Ok(bytes)
            });
            put_set(Kind::Ns, numbers.collect::<Result<_, InvalidValue>>()?, into)?;
        }
        AttributeValue::L(elements) => {
            into.push(Kind::L as u8);
            let mut scratch = Vec::new();
            for element in elements {
                scratch.clear();
                put_value(element, inner, &mut scratch)?;
                put_bytes(&scratch, into);
            }
        }
        AttributeValue::M(entries) => {
            into.push(Kind::M as u8);
            put_entries(entries, inner, into)?;
        }
        _ => {
            return Err(invalid(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            ));
        }
    }
    Ok(())
}

fn parse_number(text: &str) -> Result<Number, InvalidValue> {
    Number::parse(text).map_err(|error| InvalidValue(error.to_string()))
}

fn put_set(kind: Kind, mut elements: Vec<Vec<u8>>, into: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let count = elements.len();
    if count == 0 {
        let what = match kind {
            Kind::Ss => "An string set",
            Kind::Ns => "An number set",
            _ => "Binary sets",
        };
        return Err(InvalidValue(format!(
            "One or more parameter values were invalid: {what} may not be empty"
        )));
    }
    elements.sort_unstable();
    elements.dedup();
    if elements.len() < count {
        return Err(invalid(
            "One or more parameter values were invalid: Input collection contains duplicates",
        ));
    }
    put_sorted_set(kind, elements.iter().map(Vec::as_slice), into);
    Ok(())
}

/// Appends a set of elements that are sorted and distinct.
pub fn put_sorted_set<'a>(kind: Kind, elements: impl Iterator<Item = &'a [u8]>, into: &mut Vec<u8>) {
    into.push(kind as u8);
    for element in elements {
        put_bytes(element, into);
    }
}

/// Puts a CRC-32 of key and value before the value.
pub fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(value.len() + 4);
    sealed.extend_from_slice(&checksum(key, value).to_le_bytes());
    sealed.extend_from_slice(value);
    sealed
}

/// The value behind a CRC-32 that fits it and its key.
///
/// # Errors
/// [`Damaged`] if the CRC-32 does not fit.
pub fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Damaged> {
    let (crc, value) = sealed.split_first_chunk::<4>().ok_or(Damaged)?;
    (u32::from_le_bytes(*crc) == checksum(key, value)).then_some(value).ok_or(Damaged)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar() -> impl Strategy<Value = AttributeValue> {
        prop_oneof![
            any::<String>().prop_map(AttributeValue::S),
            any::<i64>().prop_map(|number| AttributeValue::N(number.to_string())),
            any::<Vec<u8>>().prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
            any::<bool>().prop_map(AttributeValue::Bool),
            Just(AttributeValue::Null(true)),
            proptest::collection::btree_set(any::<String>(), 1..4)
                .prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
            proptest::collection::btree_set(any::<i32>(), 1..4).prop_map(|set| AttributeValue::Ns(
                set.into_iter().map(|number| number.to_string()).collect()
            )),
            proptest::collection::btree_set(any::<Vec<u8>>(), 1..4)
                .prop_map(|set| AttributeValue::Bs(set.into_iter().map(Blob::new).collect())),
        ]
    }

    fn value() -> impl Strategy<Value = AttributeValue> {
        scalar().prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
                proptest::collection::hash_map("[a-z]{1,3}", inner, 0..4).prop_map(AttributeValue::M),
            ]
        })
    }

    pub(super) fn item() -> impl Strategy<Value = Attributes> {
        proptest::collection::hash_map("[a-z]{1,4}", value(), 0..6)
    }

    fn without_order(value: &AttributeValue) -> AttributeValue {
        match value {
            AttributeValue::Ns(numbers) => {
                let mut numbers = numbers.clone();
                numbers.sort_by_key(|number| number.parse::<i64>().unwrap());
                AttributeValue::Ns(numbers)
            }
            AttributeValue::L(list) => AttributeValue::L(list.iter().map(without_order).collect()),
            AttributeValue::M(map) => AttributeValue::M(ordered(map)),
            other => other.clone(),
        }
    }

    fn ordered(item: &Attributes) -> Attributes {
        item.iter().map(|(name, value)| (name.clone(), without_order(value))).collect()
    }

    proptest! {
        #[test]
        fn an_item_comes_back_as_it_was_written(item in item()) {
            let bytes = encode_item(&item).unwrap();
            prop_assert_eq!(ItemRef(&bytes).decode().unwrap(), ordered(&item));
            for (name, value) in &item {
                let found = ItemRef(&bytes).get(name).unwrap();
                prop_assert_eq!(found.0, &encode_value(value).unwrap()[..]);
            }
            prop_assert!(ItemRef(&bytes).get("missing").is_none());
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in any::<Vec<u8>>()) {
            let _ = ItemRef(&bytes).decode();
            let _ = ItemRef(&bytes).size();
            let _ = ValueRef(&bytes).decode();
            let _ = ValueRef(&bytes).is_deeper_than(3);
        }

        #[test]
        fn a_changed_byte_of_a_sealed_value_is_found(value in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
            let mut sealed = seal(b"key", &value);
            prop_assert_eq!(unseal(b"key", &sealed), Ok(&value[..]));
            prop_assert_eq!(unseal(b"another", &sealed), Err(Damaged));
            let at = at.index(sealed.len());
            sealed[at] ^= 0x10;
            prop_assert_eq!(unseal(b"key", &sealed), Err(Damaged));
        }
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        let set = |numbers: &[&str]| {
            AttributeValue::Ns(numbers.iter().map(|number| (*number).to_owned()).collect())
        };
        assert_eq!(encode_value(&set(&["3", "1.0", "2"])), encode_value(&set(&["1", "2", "3e0"])));
        let number = |text: &str| encode_value(&AttributeValue::N(text.to_owned()));
        assert_eq!(number("1.50"), number("15e-1"));
    }

    #[test]
    fn values_that_dynamodb_refuses_are_refused() {
        let text = |text: &str| text.to_owned();
        for value in [
            AttributeValue::Ss(vec![]),
            AttributeValue::Ss(vec![text("a"), text("a")]),
            AttributeValue::Ns(vec![text("1"), text("1.0")]),
            AttributeValue::Null(false),
            AttributeValue::N(text("x")),
            AttributeValue::M(HashMap::from([(String::new(), AttributeValue::Null(true))])),
        ] {
            assert!(encode_value(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_value_has_at_most_32_levels() {
        let nested =
            |levels| (1..levels).fold(AttributeValue::Null(true), |inner, _| AttributeValue::L(vec![inner]));
        assert!(encode_value(&nested(MAX_DEPTH)).is_ok());
        assert!(encode_value(&nested(MAX_DEPTH + 1)).is_err());
        let seven = encode_value(&nested(7)).unwrap();
        assert!(ValueRef(&seven).is_deeper_than(6) && !ValueRef(&seven).is_deeper_than(7));
    }

    #[test]
    fn bytes_that_nest_without_end_do_not_exhaust_the_stack() {
        let nested = (0..3000).fold(vec![Kind::Null as u8], |inner, _| {
            let mut outer = vec![Kind::L as u8];
            put_bytes(&inner, &mut outer);
            outer
        });
        assert_eq!(ValueRef(&nested).decode(), Err(Damaged));
        assert!(ValueRef(&nested).is_deeper_than(MAX_DEPTH) && ValueRef(&nested).size() > 0);
    }

    #[test]
    fn sizes_count_as_dynamodb_counts_them() {
        let item = HashMap::from([
            ("text".to_owned(), AttributeValue::S("héllo".to_owned())),
            ("n".to_owned(), AttributeValue::N("-123.45".to_owned())),
            ("list".to_owned(), AttributeValue::L(vec![AttributeValue::Bool(true)])),
        ]);
        let bytes = encode_item(&item).unwrap();
        assert_eq!(ItemRef(&bytes).size(), (4 + 6) + (1 + 5) + (4 + 3 + 1 + 1));
    }
}
