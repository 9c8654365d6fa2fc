//! Query parameters: writing them into an address, and parsing them with error messages for people.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Returns a path with these query parameters. A parameter without a value is left out.
pub fn address<V: AsRef<str>>(path: &str, parameters: impl IntoIterator<Item = (&'static str, V)>) -> String {
    let pairs = parameters.into_iter().map(|(name, value)| (name, value.as_ref().to_owned()));
    let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
    match serde_urlencoded::to_string(&pairs) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        // Pairs of texts can always be encoded.
        _ => path.to_owned(),
    }
}

/// Parses parameters into a struct with text fields, optional or not.
///
/// # Errors
/// A sentence that names the wrong parameter and says what would be right.
pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    // Any text parses as pairs. Bytes that are not UTF-8 become the replacement character, which no value accepts.
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let pairs = pairs.into_iter().map(|(name, value)| (name.clone(), Parameter { name, value }));
    T::deserialize(MapDeserializer::new(pairs)).map_err(|QueryError(message)| message)
}

/// The value of a parameter that was sent.
struct Parameter {
    name: String,
    value: String,
}

/// Implements the methods for values that are parsed from text. `$right` describes a valid value.
macro_rules! parsed {
    ($($method:ident => $visit:ident: $type:ty, $right:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
            let value = self.value.parse::<$type>();
            let error = || QueryError(format!("The parameter {} is {}.", self.name, $right));
            visitor.$visit(value.map_err(|_| error())?)
        })*
    };
}

impl IntoDeserializer<'_, QueryError> for Parameter {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Parameter {
    type Error = QueryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_string(self.value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        visitor.visit_newtype_struct(self)
    }

    parsed! {
        deserialize_bool => visit_bool: bool, "true or false";
        deserialize_i64 => visit_i64: i64, "a whole number";
        deserialize_u8 => visit_u8: u8, "a whole number from 0 to 255";
        deserialize_u16 => visit_u16: u16, "a whole number from 0 to 65,535";
        deserialize_u32 => visit_u32: u32, "a whole number from 0 to 4,294,967,295";
        deserialize_u64 => visit_u64: u64, "a whole number, 0 or more";
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

/// What is wrong, as a sentence.
#[derive(Debug)]
struct QueryError(String);

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for QueryError {}

impl de::Error for QueryError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self("A parameter has the wrong type.".to_owned())
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let short: String = name.chars().take(40).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Self(format!("There's no parameter {short:?}. This address takes {known}."))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self(format!("The parameter {name} appears twice. Send it once."))
    }

    fn missing_field(name: &'static str) -> Self {
        Self(format!("The parameter {name} is missing."))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        q: Option<String>,
        #[serde(default)]
        sort: String,
        size: Option<u64>,
    }

    #[test]
    fn parameters_are_parsed_and_errors_are_sentences() {
        let parsed = |q: Option<&str>, sort: &str, size| Parameters {
            q: q.map(str::to_owned),
            sort: sort.to_owned(),
            size,
        };
        assert_eq!(read("q=a+b%20c&sort=up&size=7"), Ok(parsed(Some("a b c"), "up", Some(7))));
        assert_eq!(read(""), Ok(parsed(None, "", None)));
        let wrong = |query| read::<Parameters>(query).unwrap_err();
        assert_eq!(
            wrong("surprise=1"),
            "There's no parameter \"surprise\". This address takes q, sort, size."
        );
        assert_eq!(wrong("size=x"), "The parameter size is a whole number, 0 or more.");
        assert_eq!(wrong("q=1&q=2"), "The parameter q appears twice. Send it once.");
    }
}
