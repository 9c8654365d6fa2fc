//! Custom fields: named texts of a lead that Holdfast has no field of its own for.
//!
//! Invariants: at most 40 fields, together at most 16 KB. No two names differ only in letter case, and no name is one
//! of a lead's own fields.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LeadField;
use crate::base::text::{is_invisible, isolated, one_line};
use crate::base::values::{Invalid, text_type};

text_type!(
    /// The name of a custom field as it was written, on one line.
    FieldName,
    parse_field_name
);

impl FieldName {
    const MAX_CHARS: usize = 100;
    /// Names that a lead has besides its [`LeadField`]s.
    const RESERVED: [&str; 7] = ["id", "version", "orderid", "createdat", "updatedat", "updatedby", "fields"];

    /// Returns the name without what people write differently. Two names are the same if their keys are equal.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// Whether a text names one of a lead's own fields, in JSON (`leadScore`), in a form or in a table (`Lead score`).
    fn is_own(text: &str) -> bool {
        let folded: String =
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let own = LeadField::ALL.iter().map(|field| field.as_str().to_lowercase());
        own.chain(Self::RESERVED.map(str::to_owned)).any(|name| name == folded)
    }
}

fn parse_field_name(text: &str) -> Result<String, Invalid> {
    let text = one_line("A custom field name", text)?;
    if text.is_empty() {
        Err(Invalid::new("Enter a name for the custom field."))
    } else if text.chars().count() > FieldName::MAX_CHARS {
        Err(Invalid::new("A custom field name can have at most 100 characters."))
    } else if FieldName::is_own(&text) {
        Err(Invalid::new(format!("This lead already has the field “{}”. Use another name.", isolated(&text))))
    } else {
        Ok(text)
    }
}

text_type!(
    /// The text of a custom field, without white space at its ends. Lines and tabs are kept.
    FieldText,
    parse_field_text
);

fn parse_field_text(text: &str) -> Result<String, Invalid> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    if text.is_empty() {
        Err(Invalid::new("Enter a value for the custom field, or remove it."))
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Err(Invalid::new("A custom field can't have control characters."))
    } else if text.len() > CustomFields::MAX_BYTES {
        Err(Invalid::new("A lead's custom fields can have at most 16 KB in total."))
    } else {
        Ok(text.to_owned())
    }
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The name.
    pub name: FieldName,
    /// The text.
    pub text: FieldText,
}

/// The change of one custom field. `None` means that there is no such field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomFieldChange {
    /// The name.
    pub name: FieldName,
    /// The text before the change.
    pub old: Option<FieldText>,
    /// The text after the change.
    pub new: Option<FieldText>,
}

/// All custom fields of a lead, in the order in which they were added. In JSON they are an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomFields(Vec<CustomField>);

impl CustomFields {
    /// The most fields of a lead.
    pub const MAX: usize = 40;
    /// The most bytes of all names and texts together.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Creates the fields of a lead.
    ///
    /// # Errors
    /// [`Invalid`] for too many fields, too many bytes, or a name that occurs twice.
    pub fn new(fields: Vec<CustomField>) -> Result<Self, Invalid> {
        let mut known = std::collections::HashSet::new();
        if let Some(twice) = fields.iter().find(|field| !known.insert(field.name.key())) {
            return Err(Invalid::new(format!(
                "The custom field “{}” appears twice.",
                isolated(twice.name.as_str())
            )));
        }
        Self(fields).checked()
    }

    fn checked(self) -> Result<Self, Invalid> {
        if self.0.len() > Self::MAX {
            return Err(Invalid::new(format!(
                "A lead can have at most {} custom fields; these are {}.",
                Self::MAX,
                self.0.len()
            )));
        }
        if self.bytes() > Self::MAX_BYTES {
            return Err(Invalid::new(format!(
                "A lead's custom fields can have at most 16 KB in total; these have {:.1} KB.",
                self.bytes() as f64 / 1024.0
            )));
        }
        Ok(self)
    }

    /// Returns the number of bytes of all names and texts.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|field| field.name.as_str().len() + field.text.as_str().len()).sum()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = &CustomField> {
        self.0.iter()
    }

    /// Returns the text of a field, regardless of the letter case of its name.
    pub fn get(&self, name: &FieldName) -> Option<&FieldText> {
        self.0.iter().find(|field| field.name.key() == name.key()).map(|field| &field.text)
    }

    /// Returns the fields after some edits. New fields come last; `None` removes a field.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn edited(&self, edits: &FieldEdits) -> Result<Self, Invalid> {
        let mut fields = self.0.clone();
        for (name, text) in edits.iter() {
            let at = fields.iter().position(|field| field.name.key() == name.key());
            match (at, text) {
                (Some(at), Some(text)) => fields[at].text = text.clone(),
                (Some(at), None) => drop(fields.remove(at)),
                (None, Some(text)) => fields.push(CustomField { name: name.clone(), text: text.clone() }),
                (None, None) => {}
            }
        }
        Self(fields).checked()
    }

    /// Returns the difference between these fields and later ones.
    pub fn changes_to(&self, after: &Self) -> Vec<CustomFieldChange> {
        let changed = self.0.iter().map(|field| CustomFieldChange {
            name: field.name.clone(),
            old: Some(field.text.clone()),
            new: after.get(&field.name).cloned(),
        });
        let added = after.0.iter().filter(|field| self.get(&field.name).is_none()).map(|field| {
            CustomFieldChange { name: field.name.clone(), old: None, new: Some(field.text.clone()) }
        });
        changed.chain(added).filter(|change| change.old != change.new).collect()
    }
}

/// Edits of some custom fields. Fields that are not named keep their text; `None` removes a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldEdits(Vec<(FieldName, Option<FieldText>)>);

impl FieldEdits {
    /// Creates edits from names and texts.
    ///
    /// # Errors
    /// [`Invalid`] if a name occurs twice.
    pub fn new(edits: Vec<(FieldName, Option<FieldText>)>) -> Result<Self, Invalid> {
        let mut known = std::collections::HashSet::new();
        match edits.iter().find(|(name, _)| !known.insert(name.key())) {
            Some((twice, _)) => Err(Invalid::new(format!("The custom field “{twice}” appears twice."))),
            None => Ok(Self(edits)),
        }
    }

    /// Returns the edits that make `before` the same as `after`.
    pub fn between(before: &CustomFields, after: &CustomFields) -> Self {
        Self(before.changes_to(after).into_iter().map(|change| (change.name, change.new)).collect())
    }

    /// Leaves out the edits of these fields.
    pub fn without(self, fields: &CustomFields) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| fields.get(name).is_none()).collect())
    }

    /// Returns these edits and other ones, which win.
    pub fn and(self, other: &Self) -> Self {
        let is_replaced = |name: &FieldName| other.0.iter().any(|(replaced, _)| replaced.key() == name.key());
        Self(
            self.0
                .into_iter()
                .filter(|(name, _)| !is_replaced(name))
                .chain(other.0.iter().cloned())
                .collect(),
        )
    }

    /// Whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the new text of a field, if it is edited.
    pub fn get(&self, name: &FieldName) -> Option<&Option<FieldText>> {
        self.0.iter().find(|(edited, _)| edited.key() == name.key()).map(|(_, text)| text)
    }

    /// Returns the edits in their order.
    pub fn iter(&self) -> impl Iterator<Item = &(FieldName, Option<FieldText>)> {
        self.0.iter()
    }
}

impl Serialize for CustomFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|field| (&field.name, &field.text)))
    }
}

impl<'de> Deserialize<'de> for CustomFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = CustomFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CustomFields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, text)) = map.next_entry()? {
                    fields.push(CustomField { name, text });
                }
                CustomFields::new(fields).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: &str, text: &str) -> CustomField {
        CustomField { name: name.parse().unwrap(), text: text.parse().unwrap() }
    }

    fn edits(edits: &[(&str, Option<&str>)]) -> FieldEdits {
        let parse = |(name, text): &(&str, Option<&str>)| {
            (name.parse().unwrap(), text.map(|text| text.parse().unwrap()))
        };
        FieldEdits::new(edits.iter().map(parse).collect()).unwrap()
    }

    #[test]
    fn a_field_name_is_short_and_not_a_field_of_leads() {
        assert_eq!(" Job \u{a0} title\u{200b}".parse::<FieldName>().unwrap().as_str(), "Job title");
        for name in ["", "Lead score", "leadScore", "E-MAIL", "Version", "order id", "a\nb", &"x".repeat(101)]
        {
            assert!(name.parse::<FieldName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_number_and_the_bytes_of_fields_are_limited() {
        let many = |count: usize| (0..count).map(|n| field(&format!("Field {n}"), "x")).collect::<Vec<_>>();
        assert!(CustomFields::new(many(40)).is_ok());
        assert!(
            CustomFields::new(many(41))
                .unwrap_err()
                .to_string()
                .contains("at most 40 custom fields; these are 41")
        );
        let long = "x".repeat(16 * 1024 - 4);
        assert!(CustomFields::new(vec![field("Note", &long)]).is_ok());
        let error = CustomFields::new(vec![field("Note", &long), field("B", "y")]).unwrap_err();
        assert!(error.to_string().contains("at most 16 KB in total; these have 16.0 KB"), "{error}");
        assert!(CustomFields::new(vec![field("Note", "a"), field("NOTE", "b")]).is_err());
    }

    #[test]
    fn edits_change_add_and_remove_fields_and_keep_the_order() {
        let before = CustomFields::new(vec![field("A", "1"), field("B", "2"), field("C", "3")]).unwrap();
        let edits = edits(&[("b", Some("two")), ("D", Some("4")), ("A", None), ("Z", None)]);
        let after = before.edited(&edits).unwrap();
        assert_eq!(serde_json::to_string(&after).unwrap(), r#"{"B":"two","C":"3","D":"4"}"#);
        let changes = before.changes_to(&after);
        assert_eq!(changes.len(), 3, "{changes:?}");
        assert_eq!(after.edited(&FieldEdits::between(&after, &before)).unwrap().changes_to(&before), []);
    }

    proptest! {
        #[test]
        fn the_changes_between_two_versions_lead_from_one_to_the_other(
            before in prop::collection::btree_map("[a-f]", "[x-z]{1,2}", 0..6),
            after in prop::collection::btree_map("[a-f]", "[x-z]{1,2}", 0..6),
        ) {
            let fields = |map: &std::collections::BTreeMap<String, String>| {
                CustomFields::new(map.iter().map(|(name, text)| field(&format!("n{name}"), text)).collect()).unwrap()
            };
            let (before, after) = (fields(&before), fields(&after));
            let reached = before.edited(&FieldEdits::between(&before, &after)).unwrap();
            prop_assert_eq!(reached.changes_to(&after), vec![]);
        }
    }
}
