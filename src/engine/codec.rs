//! Items as bytes, and back.
//!
//! An item is a sequence of attributes in the order of their names: name length, name, value length, value. A value is a
//! tag and a payload; a map's payload has the form of an item. Lengths are LEB128.
//!
//! Invariants: the form is canonical (sets and maps are sorted, numbers normalized), so two items or values are equal if
//! and only if their bytes are; numbers and texts compare as their bytes do. So conditions, index keys and differences
//! are judged on bytes, and only what is returned is decoded. Stored items are compressed, and all stored bytes are sealed
//! with a CRC-32 of key and value.

mod compress;
mod encode;
mod seal;
#[cfg(test)]
mod tests;

pub use self::encode::{encode_item, encode_number, encode_value, put_sorted_set};
pub use self::seal::{seal, seal_item, unseal, unseal_item};

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
