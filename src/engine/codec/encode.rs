//! Encodes SDK values as bytes.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::number::Number;
use super::{Attributes, Kind, MAX_DEPTH, ValueRef, put_attribute, put_bytes};

const FALSE_NULL: &str =
    "One or more parameter values were invalid: Null attribute value types must have the value of true";
const NO_TYPE: &str = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";

/// Why an SDK value cannot be stored, as DynamoDB's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub String);

fn invalid(message: &str) -> InvalidValue {
    InvalidValue(message.to_owned())
}

pub fn encode_item(item: &Attributes) -> Result<Vec<u8>, InvalidValue> {
    let mut bytes = Vec::with_capacity(64 * item.len());
    put_entries(item, MAX_DEPTH, &mut bytes)?;
    Ok(bytes)
}

pub fn encode_value(value: &AttributeValue) -> Result<Vec<u8>, InvalidValue> {
    let mut bytes = Vec::new();
    put_value(value, MAX_DEPTH, &mut bytes)?;
    Ok(bytes)
}

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
        AttributeValue::Null(false) => return Err(invalid(FALSE_NULL)),
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
        AttributeValue::Ns(numbers) => put_set(Kind::Ns, encoded_numbers(numbers)?, into)?,
        AttributeValue::L(elements) => {
            into.push(Kind::L as u8);
            put_elements(elements, inner, into)?;
        }
        AttributeValue::M(entries) => {
            into.push(Kind::M as u8);
            put_entries(entries, inner, into)?;
        }
        _ => return Err(invalid(NO_TYPE)),
    }
    Ok(())
}

fn put_elements(elements: &[AttributeValue], depth: usize, into: &mut Vec<u8>) -> Result<(), InvalidValue> {
    let mut scratch = Vec::new();
    for element in elements {
        scratch.clear();
        put_value(element, depth, &mut scratch)?;
        put_bytes(&scratch, into);
    }
    Ok(())
}

fn encoded_numbers(numbers: &[String]) -> Result<Vec<Vec<u8>>, InvalidValue> {
    let encoded = |text: &String| {
        let mut bytes = Vec::new();
        parse_number(text)?.encode(&mut bytes);
        Ok::<_, InvalidValue>(bytes)
    };
    numbers.iter().map(encoded).collect()
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

/// Appends a set. The elements must be sorted and distinct.
pub fn put_sorted_set<'a>(kind: Kind, elements: impl Iterator<Item = &'a [u8]>, into: &mut Vec<u8>) {
    into.push(kind as u8);
    for element in elements {
        put_bytes(element, into);
    }
}
