//! Reads the value of a field.

use std::str::FromStr;

use serde_json::Value;

use crate::base::values::Invalid;

/// Names the type of a value, for error messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Returns the type's error for an empty text.
fn hint<T: FromStr<Err: Into<Invalid>>>() -> Option<Invalid> {
    "".parse::<T>().err().map(Into::into)
}

/// Reads a string.
///
/// # Errors
/// A sentence that says what would be right.
pub fn text<T: FromStr<Err: Into<Invalid>>>(value: &Value) -> Result<T, Invalid> {
    match value {
        Value::String(text) => text.parse().map_err(Into::into),
        Value::Null => Err(hint::<T>().unwrap_or_else(|| Invalid::new("Send text in quotation marks."))),
        other => Err(Invalid::new(format!("Send text in quotation marks, not {}.", kind(other)))),
    }
}

/// Reads a whole number: `6`, `6.0` and `6e0` are equal.
///
/// # Errors
/// A sentence that says what would be right.
pub fn whole_number<T: FromStr<Err = Invalid>>(value: &Value) -> Result<T, Invalid> {
    match integer(value) {
        Some(number) => number.to_string().parse(),
        None => Err(hint::<T>().unwrap_or_else(|| Invalid::new("Send a whole number."))),
    }
}

/// Returns the integer value of a JSON number, if it is whole and exact.
pub fn integer(value: &Value) -> Option<i64> {
    /// All integers up to this one are exact as floating-point numbers: 2^53.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_number()?;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
    number.as_i64().or_else(|| format!("{:.0}", float()?).parse().ok())
}

/// Reads a Boolean.
///
/// # Errors
/// A sentence that says what would be right.
pub fn boolean(value: &Value) -> Result<bool, Invalid> {
    value.as_bool().ok_or_else(|| Invalid::new("Send true or false."))
}
