//! Reads the parameters of an address, and says in plain words what is wrong with them.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads parameters into a struct whose fields are texts, or texts that may be missing.
///
/// # Errors
/// The parameter that is wrong, with what would be right.
pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    // Any text is pairs; what is no UTF-8 comes as the replacement character, which no value takes.
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let pairs = pairs.into_iter().map(|(name, value)| (name, Parameter(value)));
    T::deserialize(MapDeserializer::new(pairs)).map_err(|QueryError(words)| words)
}

/// The value of a parameter: a text, which is there.
struct Parameter(String);

impl IntoDeserializer<'_, QueryError> for Parameter {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Parameter {
    type Error = QueryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_string(self.0)
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

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What is wrong, in words.
#[derive(Debug)]
struct QueryError(String);

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for QueryError {}

impl de::Error for QueryError {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self(words.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self("A parameter is not what it should be.".to_owned())
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let short: String = name.chars().take(40).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Self(format!("There is no parameter {short:?}; this address takes {known}."))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self(format!("The parameter {name} is given twice; give it once."))
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
    struct Asked {
        q: Option<String>,
        #[serde(default)]
        sort: String,
    }

    #[test]
    fn parameters_are_read_and_what_is_wrong_is_said_in_plain_words() {
        let asked = |q: Option<&str>, sort: &str| Asked { q: q.map(str::to_owned), sort: sort.to_owned() };
        assert_eq!(read("q=a+b%20c&sort=up"), Ok(asked(Some("a b c"), "up")));
        assert_eq!(read(""), Ok(asked(None, "")));
        let wrong = |query| read::<Asked>(query).unwrap_err();
        assert_eq!(wrong("surprise=1"), "There is no parameter \"surprise\"; this address takes q, sort.");
        assert_eq!(wrong("q=1&q=2"), "The parameter q is given twice; give it once.");
    }
}
