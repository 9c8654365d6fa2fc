//! Reads the fields of a JSON object, and collects everything that is wrong with them. Pure.
//!
//! What always holds: every field that is missing, wrong, unknown or given twice is named, all at once; `leadScore` and
//! `lead_score` are one name; a whole number is one as JSON Schema has it, so `6`, `6.0` and `6e0` are the same.

mod object;

pub use object::Object;

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::base::values::Invalid;
use object::Node;

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
        for (written, node) in object.into_nodes() {
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
mod tests;
