//! Reads the fields of a JSON object and collects all errors in them. Pure.
//!
//! Invariants: every field that is missing, wrong, unknown or duplicated is named, all in one answer. `leadScore` and
//! `lead_score` are the same name. Whole numbers follow JSON Schema, so `6`, `6.0` and `6e0` are equal.

mod json_errors;
mod object;
mod values;

pub use json_errors::{not_json, wrong_structure};
pub use object::Object;
pub use values::{boolean, integer, text, whole_number};

use std::fmt;

use serde_json::{Map, Value};

use crate::base::values::Invalid;
use object::Node;
use values::kind;

/// A field with a wrong value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name as it was sent, or its documented name if it is missing: `conditions.scoreAtLeast`.
    pub field: String,
    /// A sentence that says what would be right.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// A type whose values are read from the fields of an object.
pub trait FromFields: Sized {
    /// Reads the value. If a field is wrong, `fields` records the error, and the result is ignored.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// Reads an object and rejects unknown fields.
///
/// # Errors
/// All wrong fields, in the order in which they are read, followed by the unknown fields.
pub fn read<T: FromFields>(object: Object) -> Result<T, Vec<FieldError>> {
    let mut fields = Fields::new(object, camel_case);
    let value = T::from_fields(&mut fields);
    fields.refuse_unknown();
    fields.finish(value)
}

/// Reads an object with exact field names, ignores unknown fields and returns their number.
///
/// # Errors
/// All wrong fields, in the order in which they are read.
pub fn read_known<T: FromFields>(object: Object) -> Result<(T, usize), Vec<FieldError>> {
    let mut fields = Fields::new(object, str::to_owned);
    let value = T::from_fields(&mut fields);
    let unknown = fields.given.len();
    Ok((fields.finish(value)?, unknown))
}

#[derive(Debug)]
struct Given {
    /// The name as it was sent.
    written: String,
    /// The name that it is read by: in camel case, unless names are exact.
    name: String,
    /// The value. For an object this is an empty object, and `object` has the fields.
    value: Value,
    object: Option<Object>,
}

/// The fields of an object that is being read.
#[derive(Debug)]
pub struct Fields {
    given: Vec<Given>,
    known: Vec<&'static str>,
    wrong: Vec<FieldError>,
}

impl Fields {
    fn new(object: Object, name_of: fn(&str) -> String) -> Self {
        let mut fields = Self { given: Vec::new(), known: Vec::new(), wrong: Vec::new() };
        for (written, node) in object.into_nodes() {
            let name = name_of(&written);
            let (value, object) = match node {
                Node::Object(object) => (Value::Object(Map::new()), Some(object)),
                Node::Other(value) => (value, None),
            };
            if fields.given.iter().any(|other| other.name == name) {
                fields.refuse(written, "This appears twice. Send it once.");
            } else {
                fields.given.push(Given { written, name, value, object });
            }
        }
        fields
    }

    /// Adds an error for each field that was not read.
    fn refuse_unknown(&mut self) {
        let message = match self.known[..] {
            [] => "This address takes no fields.".to_owned(),
            _ => format!("There's no such field. The fields are {}.", self.known.join(", ")),
        };
        let unknown = self.given.drain(..).map(|given| given.written);
        self.wrong.extend(unknown.map(|field| FieldError { field, message: message.clone() }));
    }

    fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.wrong.is_empty() => Ok(value),
            _ => Err(self.wrong),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Given> {
        self.known.push(name);
        let place = self.given.iter().position(|given| given.name == name)?;
        Some(self.given.remove(place))
    }

    /// Takes a field that must be given and not null. `hint` says what would be right.
    fn take_required(&mut self, name: &'static str, hint: impl FnOnce() -> String) -> Option<Given> {
        match self.take(name) {
            Some(given) if !given.value.is_null() => Some(given),
            given => {
                let field = given.map_or_else(|| name.to_owned(), |given| given.written);
                self.refuse(field, format!("This is missing.{}", hint()));
                None
            }
        }
    }

    /// Adds an error for a field that is wrong by itself or in combination with others.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.wrong.push(FieldError { field: field.into(), message: message.to_string() });
    }

    fn read<T>(&mut self, given: &Given, read: impl Fn(&Value) -> Result<T, Invalid>) -> Option<T> {
        read(&given.value).map_err(|invalid| self.refuse(given.written.clone(), invalid)).ok()
    }

    /// Reads a required field.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        // The error for null says what would be right.
        let hint = || read(&Value::Null).err().map(|hint| format!(" {hint}")).unwrap_or_default();
        let given = self.take_required(name, hint)?;
        self.read(&given, read)
    }

    /// Reads a field that may be missing or null.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let given = self.take(name).filter(|given| !given.value.is_null())?;
        self.read(&given, read)
    }

    /// Reads a field that may be missing but not null.
    pub fn optional_not_null<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let given = self.take(name)?;
        self.read(&given, read)
    }

    /// Reads a field that may be missing, and for which null is a value.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        let given = self.take(name)?;
        if given.value.is_null() { Some(None) } else { self.read(&given, read).map(Some) }
    }

    /// Reads a required list.
    pub fn required_list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let given = self.take_required(name, || " Send a list.".to_owned())?;
        self.read_items(&given, read)
    }

    /// Reads a list that may be missing but not null.
    pub fn optional_not_null_list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Vec<T>> {
        let given = self.take(name)?;
        self.read_items(&given, read)
    }

    /// Reads the items of a list. Errors name the item by its index, from 0.
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

    /// Accepts fields without reading them.
    pub fn ignore(&mut self, names: &[&'static str]) {
        // These fields are not added to the known names that errors list.
        self.given.retain(|given| !names.contains(&given.name.as_str()));
    }

    /// Reads an object inside the object. It may be missing but not null.
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

    /// Returns an object inside the object without reading its fields. It may be missing or null.
    pub fn object(&mut self, name: &'static str) -> Option<Object> {
        if self.given.iter().any(|given| given.name == name && !given.value.is_null()) {
            return self.take_object(name).map(|(_, object)| object);
        }
        self.take(name);
        None
    }

    /// Reads a field that may be missing, for which null is a value, and which is an object or something else.
    pub fn nullable_or_object<T>(
        &mut self,
        name: &'static str,
        of_object: impl Fn(&Object) -> Result<T, Invalid>,
        of_value: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        let given = self.take(name)?;
        if given.value.is_null() {
            return Some(None);
        }
        match &given.object {
            None => self.read(&given, of_value).map(Some),
            Some(object) => of_object(object)
                .map_err(|invalid| self.refuse(given.written.clone(), invalid))
                .ok()
                .map(Some),
        }
    }

    fn take_object(&mut self, name: &'static str) -> Option<(String, Object)> {
        let Given { written, object, .. } = self.take(name)?;
        if object.is_none() {
            self.refuse(written.clone(), "Send a JSON object.");
        }
        object.map(|object| (written, object))
    }
}

/// Converts a name to camel case, so that `lead_score` and `leadScore` are the same name.
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

#[cfg(test)]
mod tests;
