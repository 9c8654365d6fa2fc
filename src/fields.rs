//! Reads the fields of a JSON object, and collects everything that is wrong with them. Pure.
//!
//! What always holds: every field that is missing, wrong, unknown or given twice is named, all at once; `leadScore` and
//! `lead_score` are one name; a whole number is one as JSON Schema has it, so `6`, `6.0` and `6e0` are the same.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::values::Invalid;

/// A field that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name as it was sent, or as it is documented where it is missing: `conditions.scoreAtLeast`.
    pub field: String,
    /// What would be right, in words.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The fields of a JSON object as they were written: a name that is there twice is seen twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(Vec<(String, Node)>);

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Object(Object),
    Other(Value),
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)? {
            Node::Object(object) => Ok(object),
            Node::Other(_) => Err(D::Error::custom("this is no JSON object")),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;
        impl<'de> Visitor<'de> for Nodes {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Other(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Other(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Other(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Other(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Other(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Other(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::Other(Value::Array(list)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Node::Object(Object(pairs)))
            }
        }
        deserializer.deserialize_any(Nodes)
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(map) => Self::Object(map.into()),
            other => Self::Other(other),
        }
    }
}

impl From<Node> for Value {
    fn from(node: Node) -> Self {
        match node {
            Node::Object(object) => Self::Object(object.into_pairs().into_iter().collect()),
            Node::Other(value) => value,
        }
    }
}

impl From<Map<String, Value>> for Object {
    fn from(map: Map<String, Value>) -> Self {
        Self(map.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}

impl Object {
    /// The fields in their order, each with its name as it was written.
    pub fn into_pairs(self) -> Vec<(String, Value)> {
        self.0.into_iter().map(|(name, node)| (name, node.into())).collect()
    }
}

/// What is read from the fields of an object.
pub trait FromFields: Sized {
    /// Reads it. Nothing, or a value that is thrown away, where a field is wrong: `fields` knows which.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// Reads an object.
///
/// # Errors
/// All fields that are wrong, in the order in which they are read; unknown ones come last.
pub fn read<T: FromFields>(object: Object) -> Result<T, Vec<FieldError>> {
    let mut fields = Fields::new(object, camel_case);
    let value = T::from_fields(&mut fields);
    let wrong = fields.end(true);
    match value {
        Some(value) if wrong.is_empty() => Ok(value),
        _ => Err(wrong),
    }
}

/// Reads an object whose names are taken as they are written, leaves other fields aside, and gives how many there are.
///
/// # Errors
/// All fields that are wrong, in the order in which they are read.
pub fn read_known<T: FromFields>(object: Object) -> Result<(T, usize), Vec<FieldError>> {
    let mut fields = Fields::new(object, str::to_owned);
    let value = T::from_fields(&mut fields);
    let others = fields.given.len();
    let wrong = fields.end(false);
    match value {
        Some(value) if wrong.is_empty() => Ok((value, others)),
        _ => Err(wrong),
    }
}

/// A field that was sent.
#[derive(Debug)]
struct Given {
    /// As it was written.
    written: String,
    /// In camel case.
    name: String,
    /// The value; of an object only that it is one.
    value: Value,
    object: Option<Object>,
}

/// The fields of an object while they are read.
#[derive(Debug)]
pub struct Fields {
    given: Vec<Given>,
    known: Vec<&'static str>,
    wrong: Vec<FieldError>,
}

impl Fields {
    fn new(object: Object, name_of: fn(&str) -> String) -> Self {
        let mut fields = Self { given: Vec::new(), known: Vec::new(), wrong: Vec::new() };
        let mut twice = Vec::new();
        for (written, node) in object.0 {
            let name = name_of(&written);
            let (value, object) = match node {
                Node::Object(object) => (Value::Object(Map::new()), Some(object)),
                Node::Other(value) => (value, None),
            };
            if fields.given.iter().any(|other| other.name == name) {
                twice.push(FieldError {
                    field: written,
                    message: "This is given twice; give it once.".into(),
                });
            } else {
                fields.given.push(Given { written, name, value, object });
            }
        }
        fields.wrong = twice;
        fields
    }

    /// Everything that is wrong; with `strict` also the fields that nobody has read.
    fn end(mut self, strict: bool) -> Vec<FieldError> {
        if strict {
            let message = match self.known[..] {
                [] => "There is no such field here; send none.".to_owned(),
                _ => format!("There is no such field here; there are {}.", self.known.join(", ")),
            };
            let unknown = self.given.drain(..).map(|given| given.written);
            self.wrong.extend(unknown.map(|field| FieldError { field, message: message.clone() }));
        }
        self.wrong
    }

    fn take(&mut self, name: &'static str) -> Option<Given> {
        self.known.push(name);
        let place = self.given.iter().position(|given| given.name == name)?;
        Some(self.given.remove(place))
    }

    /// Names a field that is wrong in itself or beside others.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.wrong.push(FieldError { field: field.into(), message: message.to_string() });
    }

    fn read<T>(&mut self, given: &Given, read: impl Fn(&Value) -> Result<T, Invalid>) -> Option<T> {
        read(&given.value).map_err(|invalid| self.refuse(given.written.clone(), invalid)).ok()
    }

    /// A field that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        match self.take(name) {
            Some(given) if !given.value.is_null() => self.read(&given, read),
            given => {
                // A reader of null says what would be right.
                let right = read(&Value::Null).err().map(|words| format!(" {words}")).unwrap_or_default();
                let field = given.map_or_else(|| name.to_owned(), |given| given.written);
                self.refuse(field, format!("This is missing.{right}"));
                None
            }
        }
    }

    /// A field that may be missing or null.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let given = self.take(name).filter(|given| !given.value.is_null())?;
        self.read(&given, read)
    }

    /// A field that may be missing, but is not null.
    pub fn present<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let given = self.take(name)?;
        self.read(&given, read)
    }

    /// A field that may be missing; null is a value of it.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        let given = self.take(name)?;
        if given.value.is_null() { Some(None) } else { self.read(&given, read).map(Some) }
    }

    /// A list that must be there.
    pub fn required_list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        match self.take(name) {
            Some(given) if !given.value.is_null() => self.read_items(&given, read),
            given => {
                let field = given.map_or_else(|| name.to_owned(), |given| given.written);
                self.refuse(field, "This is missing. Send a list.");
                None
            }
        }
    }

    /// A list that may be missing, but is not null.
    pub fn present_list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let given = self.take(name)?;
        self.read_items(&given, read)
    }

    /// Every item that is wrong is named by its place, from 0.
    fn read_items<T>(
        &mut self,
        given: &Given,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let Some(items) = given.value.as_array() else {
            self.refuse(given.written.clone(), format!("Send a list, not {}.", kind(&given.value)));
            return None;
        };
        let mut good = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match read(item) {
                Ok(item) => good.push(item),
                Err(invalid) => self.refuse(format!("{}[{place}]", given.written), invalid),
            }
        }
        (good.len() == items.len()).then_some(good)
    }

    /// Fields that may be there and are not read.
    pub fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            // What is not read is not listed as what could be sent either.
            if let Some(place) = self.given.iter().position(|given| given.name == *name) {
                self.given.remove(place);
            }
        }
    }

    /// An object within the object. It may be missing, but is not null.
    pub fn nested<T: FromFields>(&mut self, name: &'static str) -> Option<T> {
        let (written, object) = self.take_object(name)?;
        match read(object) {
            Ok(value) => Some(value),
            Err(wrong) => {
                for FieldError { field, message } in wrong {
                    self.refuse(format!("{written}.{field}"), message);
                }
                None
            }
        }
    }

    /// An object within the object, as it was sent. It may be missing or null.
    pub fn object(&mut self, name: &'static str) -> Option<Object> {
        if self.given.iter().any(|given| given.name == name && !given.value.is_null()) {
            return self.take_object(name).map(|(_, object)| object);
        }
        self.take(name);
        None
    }

    fn take_object(&mut self, name: &'static str) -> Option<(String, Object)> {
        let Given { written, object, .. } = self.take(name)?;
        if object.is_none() {
            self.refuse(written.clone(), "Send a JSON object.");
        }
        object.map(|object| (written, object))
    }
}

/// `lead_score` and `leadScore` are one name.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut after_mark = false;
    for c in name.chars() {
        match c {
            '_' if !camel.is_empty() => after_mark = true,
            c if after_mark => {
                camel.extend(c.to_uppercase());
                after_mark = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What the type says of a text that is not there.
fn hint<T: FromStr<Err: Into<Invalid>>>() -> Option<Invalid> {
    "".parse::<T>().err().map(Into::into)
}

/// Reads a text.
///
/// # Errors
/// What would be right.
pub fn text<T: FromStr<Err: Into<Invalid>>>(value: &Value) -> Result<T, Invalid> {
    match value {
        Value::String(text) => text.parse().map_err(Into::into),
        Value::Null => Err(hint::<T>().unwrap_or_else(|| Invalid::new("Send text in quotation marks."))),
        other => Err(Invalid::new(format!("Send text in quotation marks, not {}.", kind(other)))),
    }
}

/// Reads a whole number: `6`, `6.0` and `6e0` are the same.
///
/// # Errors
/// What would be right.
pub fn whole_number<T: FromStr<Err = Invalid>>(value: &Value) -> Result<T, Invalid> {
    match integer(value) {
        Some(number) => number.to_string().parse(),
        None => Err(hint::<T>().unwrap_or_else(|| Invalid::new("Send a whole number."))),
    }
}

/// The whole number that a JSON number is, as far as it is exact.
pub fn integer(value: &Value) -> Option<i64> {
    /// The largest whole number up to which a floating-point number is exact: 2^53.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_number()?;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
    number.as_i64().or_else(|| format!("{:.0}", float()?).parse().ok())
}

/// Reads true or false.
///
/// # Errors
/// What would be right.
pub fn boolean(value: &Value) -> Result<bool, Invalid> {
    value.as_bool().ok_or_else(|| Invalid::new("Send true or false."))
}

/// Why bytes are no JSON, for people: where it goes wrong, without the words of the parser.
pub fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "it ends too early".to_owned()
    } else {
        format!("it goes wrong at line {}, column {}", error.line(), error.column())
    }
}

/// What is wrong with JSON that was to be of a certain form, without the words of the parser. `path` is the field as far as
/// it is known; `.` is none.
pub fn misfit(path: &str, error: &serde_json::Error) -> String {
    if !error.is_data() {
        return not_json(error);
    }
    let words = error.to_string();
    let named = |before: &str| words.strip_prefix(before)?.split('`').next().map(str::to_owned);
    let within = |name: String| if path == "." { name } else { format!("{path}.{name}") };
    if let Some(name) = named("missing field `") {
        return format!("{} is missing", within(name));
    }
    if let Some(name) = named("unknown field `") {
        return format!("there is no field {}", within(name));
    }
    let of_the_parser = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "duplicate field",
        "data did not",
    ];
    let place = if path == "." { "it" } else { path };
    if of_the_parser.iter().any(|begin| words.starts_with(begin)) {
        return format!("{place} is not what it should be");
    }
    // The rest are sentences of our own values.
    let words = words.split(" at line ").next().unwrap_or_default();
    format!("{place}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::Score;
    use crate::values::{Email, Name, UsState, Version};
    use serde_json::json;

    #[derive(Debug, PartialEq)]
    struct Inner {
        least: Option<Score>,
    }

    impl FromFields for Inner {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            Some(Self { least: fields.present("scoreAtLeast", whole_number) })
        }
    }

    #[derive(Debug, PartialEq)]
    struct Outer {
        name: Name,
        email: Email,
        score: Option<Score>,
        state: Option<Option<UsState>>,
        version: Option<Version>,
        inner: Option<Inner>,
    }

    impl FromFields for Outer {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let (name, email) = (fields.required("name", text), fields.required("email", text));
            let score = fields.present("leadScore", whole_number);
            let state = fields.nullable("state", text);
            let version = fields.optional("version", whole_number);
            let inner = fields.nested("inner");
            fields.ignore(&["createdAt"]);
            Some(Self { name: name?, email: email?, score, state, version, inner })
        }
    }

    fn outer(json: &str) -> Result<Outer, Vec<(String, String)>> {
        let read = read(serde_json::from_str(json).unwrap());
        read.map_err(|wrong| wrong.into_iter().map(|one| (one.field, one.message)).collect())
    }

    #[test]
    fn a_field_is_read_in_camel_case_and_in_snake_case() {
        let camel = r#"{"name":"Ann","email":"a@example.com","leadScore":7,"inner":{"scoreAtLeast":5}}"#;
        let snake = r#"{"name":"Ann","email":"a@example.com","lead_score":7,"inner":{"score_at_least":5}}"#;
        assert_eq!(outer(camel), outer(snake));
        assert_eq!(outer(camel).unwrap().inner.unwrap().least.unwrap().get(), 5);
        assert_eq!(camel_case("created_at_1"), "createdAt1");
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let wrong = outer(
            r#"{"lead_score":101,"state":"ZZ","version":0,"inner":{"scoreAtLeast":"5","x":1},"surprise":1,
                "email":7,"email":"a@example.com","created_at":1}"#,
        )
        .unwrap_err();
        let fields: Vec<_> = wrong.iter().map(|(field, _)| field.as_str()).collect();
        let all = [
            "email",
            "name",
            "email",
            "lead_score",
            "state",
            "version",
            "inner.scoreAtLeast",
            "inner.x",
            "surprise",
        ];
        assert_eq!(fields, all);
        assert!(wrong.iter().all(|(_, message)| message.ends_with('.')), "{wrong:?}");
        assert_eq!(wrong[1].1, "This is missing. Give a name.");
        assert_eq!(wrong[2].1, "Send text in quotation marks, not a number.");
        assert_eq!(
            wrong[8].1,
            "There is no such field here; there are name, email, leadScore, state, version, inner."
        );
    }

    #[test]
    fn fields_of_other_names_are_counted_where_they_are_left_aside() {
        let (inner, others) = read_known::<Inner>(
            serde_json::from_value(json!({ "scoreAtLeast": 5, "score_at_least": 6, "traceId": {} })).unwrap(),
        )
        .unwrap();
        assert_eq!((inner.least.map(Score::get), others), (Some(5), 2));
    }

    #[test]
    fn null_is_missing_a_value_or_wrong_as_the_field_has_it() {
        let with = |more: &str| outer(&format!(r#"{{"name":"Ann","email":"a@example.com",{more}}}"#));
        assert_eq!(with(r#""state":null"#).unwrap().state, Some(None));
        assert_eq!(with(r#""version":null"#).unwrap().version, None);
        for (more, field) in [(r#""leadScore":null"#, "leadScore"), (r#""inner":null"#, "inner")] {
            assert_eq!(with(more).unwrap_err()[0].0, field);
        }
        assert_eq!(outer(r#"{"name":null,"email":"a@example.com"}"#).unwrap_err()[0].0, "name");
    }

    #[test]
    fn a_whole_number_is_one_as_json_schema_has_it() {
        for (json, number) in [
            ("6", Some(6)),
            ("6.0", Some(6)),
            ("1e1", Some(10)),
            ("-0.0", Some(0)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9007199254740994.0", None),
            ("18446744073709551615", None),
            ("6.5", None),
            ("1e300", None),
            ("\"6\"", None),
            ("true", None),
        ] {
            assert_eq!(integer(&serde_json::from_str(json).unwrap()), number, "{json}");
        }
    }

    #[test]
    fn lists_name_every_item_that_is_wrong() {
        #[derive(Debug, PartialEq)]
        struct List(Vec<UsState>);
        impl FromFields for List {
            fn from_fields(fields: &mut Fields) -> Option<Self> {
                fields.required_list("states", text).map(Self)
            }
        }
        let list = |value: Value| {
            let read = read::<List>(serde_json::from_value(json!({ "states": value })).unwrap());
            read.map(|List(states)| states.len())
                .map_err(|wrong| wrong.into_iter().map(|one| one.field).collect())
        };
        let wrong = |fields: &[&str]| Err(fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>());
        assert_eq!(list(json!(["ny", "CA"])), Ok(2));
        assert_eq!(list(json!(["NY", "ZZ", "CA", 7, null])), wrong(&["states[1]", "states[3]", "states[4]"]));
        assert_eq!(list(json!("NY")), wrong(&["states"]));
        assert_eq!(list(json!(null)), wrong(&["states"]));
    }

    #[test]
    fn what_is_no_json_is_placed_without_the_words_of_the_parser() {
        let words = |text: &str| not_json(&serde_json::from_str::<Value>(text).unwrap_err());
        assert_eq!(words("{"), "it ends too early");
        assert_eq!(words("{\"a\" 1}"), "it goes wrong at line 1, column 6");
    }
}
