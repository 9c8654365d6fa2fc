//! Encodes items as bytes and decodes them.
//!
//! An item is a sequence of attributes, sorted by name: name length, name, value length, value. A value is a
//! tag and a payload. The payload of a map is encoded like an item. Lengths are LEB128.
//!
//! Invariants: the encoding is canonical (sets and maps are sorted, numbers normalized), so two items or
//! values are equal if and only if their bytes are equal. Numbers and texts sort like their bytes.
//! Conditions, index keys and differences are therefore computed on bytes, and only returned values are
//! decoded. Stored items are compressed, and every stored value has a CRC-32 of its key and value.

mod compress;
mod encode;
mod seal;
#[cfg(test)]
mod tests;

pub use self::encode::{InvalidValue, encode_item, encode_number, encode_value, put_sorted_set};
pub use self::seal::{seal, seal_item, unseal, unseal_item};

use std::cmp::Ordering;
use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::number::{self, Number};

/// An item as an SDK type.
pub type Attributes = HashMap<String, AttributeValue>;

/// The maximum nesting depth of a value. A scalar has depth 1.
pub const MAX_DEPTH: usize = 32;
/// The maximum nesting depth that the decoder reads. Stored values have a depth of at most [`MAX_DEPTH`].
const MAX_LEVELS: usize = 2 * MAX_DEPTH;

/// The type of a value, named as in DynamoDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    S = 1,
    N = 2,
    B = 3,
    Bool = 4,
    Null = 5,
    Ss = 6,
    Ns = 7,
    Bs = 8,
    L = 9,
    M = 10,
}

impl Kind {
    /// All types in the order of their tags, which start at 1.
    const ALL: [Self; 10] =
        [Self::S, Self::N, Self::B, Self::Bool, Self::Null, Self::Ss, Self::Ns, Self::Bs, Self::L, Self::M];

    /// Returns DynamoDB's name of the type.
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

    /// Returns the type with this DynamoDB name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag.checked_sub(1)?)).copied()
    }
}

/// An error for stored bytes that are not what the engine wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are damaged")]
pub struct Damaged;

pub fn put_length(length: usize, into: &mut Vec<u8>) {
    let mut rest = length;
    while rest >= 0x80 {
        into.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// Appends bytes, preceded by their length.
pub fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    put_length(bytes.len(), into);
    into.extend_from_slice(bytes);
}

/// Reads a length from the front.
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

/// Reads bytes, preceded by their length, from the front.
pub fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// An encoded value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ValueRef<'a>(pub &'a [u8]);

impl<'a> ValueRef<'a> {
    /// Returns the type, or `None` if the bytes are damaged.
    pub fn kind(self) -> Option<Kind> {
        Kind::from_tag(*self.0.first()?)
    }

    /// Returns the bytes after the tag.
    pub fn payload(self) -> &'a [u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// Returns the elements of a set or list. Elements of a set are payloads, elements of a list are values.
    pub fn elements(self) -> Elements<'a> {
        Elements { rest: self.payload() }
    }

    /// Returns the entries of a map as an item.
    pub fn entries(self) -> ItemRef<'a> {
        ItemRef(self.payload())
    }

    /// Compares two texts, numbers or byte strings. Returns `None` for other types and for different types.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let kind = self.kind()?;
        let ordered = matches!(kind, Kind::S | Kind::N | Kind::B) && other.kind() == Some(kind);
        ordered.then(|| self.payload().cmp(other.payload()))
    }

    /// Returns the number, or `None` if the value has another type.
    pub fn number(self) -> Option<Number> {
        (self.kind()? == Kind::N).then(|| Number::decode(self.payload()).map(|(number, _)| number))?
    }

    /// Returns the size in bytes that DynamoDB counts for this value.
    pub fn size(self) -> usize {
        self.size_within(MAX_LEVELS)
    }

    /// Same as [`size`](Self::size), but ignores values below `levels` levels of nesting.
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

    /// Returns whether the value has more nesting levels than `levels`. A scalar or a set has one level.
    pub fn is_deeper_than(self, levels: usize) -> bool {
        let Some(inner) = levels.checked_sub(1) else { return true };
        match self.kind() {
            Some(Kind::L) => self.elements().any(|element| ValueRef(element).is_deeper_than(inner)),
            Some(Kind::M) => self.entries().attributes().any(|(_, value)| value.is_deeper_than(inner)),
            _ => false,
        }
    }

    pub fn decode(self) -> Result<AttributeValue, Damaged> {
        self.decode_within(MAX_LEVELS)
    }

    fn decode_within(self, levels: usize) -> Result<AttributeValue, Damaged> {
        // The engine does not write values that nest deeper, and decoding them could exhaust the stack.
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

/// An encoded item, or the encoded entries of a map.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemRef<'a>(pub &'a [u8]);

impl<'a> ItemRef<'a> {
    /// Returns the attributes, sorted by name.
    pub fn attributes(self) -> AttributesRef<'a> {
        AttributesRef { rest: self.0 }
    }

    /// Returns the attribute with this name. Stops reading at that attribute.
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

    /// Returns the item's size as DynamoDB counts it: names and values.
    pub fn size(self) -> usize {
        let (mut size, mut rest) = (0, self.0);
        while let (Some(name), Some(value)) = (take_bytes(&mut rest), take_bytes(&mut rest)) {
            size += name.len() + ValueRef(value).size();
        }
        size
    }

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

/// Appends an attribute. The caller must append attributes sorted by name.
pub fn put_attribute(name: &str, value: ValueRef<'_>, into: &mut Vec<u8>) {
    put_bytes(name.as_bytes(), into);
    put_bytes(value.0, into);
}
