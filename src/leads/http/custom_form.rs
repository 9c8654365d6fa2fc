//! The custom fields in a lead's form: those that the lead has, and rows for new ones.

use crate::base::values::Invalid;
use crate::leads::domain::{CustomField, CustomFields, FieldName, FieldText};
use crate::shared::forms::{Field, RawForm};

/// How many new fields one form can add.
const NEW_ROWS: usize = 3;

/// New custom fields as typed: a name and a text in each row. `new.0.name` and `new.0.text` are the first row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewFields(Vec<(String, String)>);

impl NewFields {
    pub(super) fn of(form: &RawForm) -> Self {
        let sent =
            |row: usize, part: &str| form.get(&format!("new.{row}.{part}")).unwrap_or_default().to_owned();
        let rows: Vec<_> = (0..NEW_ROWS).map(|row| (sent(row, "name"), sent(row, "text"))).collect();
        match rows.iter().all(|(name, text)| name.trim().is_empty() && text.trim().is_empty()) {
            true => Self::default(),
            false => Self(rows),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses the rows that are not blank, with a message for each invalid row.
    pub(super) fn parse(&self, errors: &mut CustomMessages) -> Vec<(FieldName, FieldText)> {
        let mut fields = Vec::new();
        for (row, (name, text)) in self.0.iter().enumerate() {
            if name.trim().is_empty() && text.trim().is_empty() {
                continue;
            }
            let parsed = name.parse::<FieldName>().and_then(|name| Ok((name, text.parse::<FieldText>()?)));
            match parsed {
                Ok(field) => fields.push(field),
                Err(invalid) => errors.added.push((row, invalid.to_string())),
            }
        }
        fields
    }

    /// Parses the fields of a new lead.
    pub(super) fn into_fields(self, errors: &mut CustomMessages) -> CustomFields {
        let fields = self.parse(errors).into_iter().map(|(name, text)| CustomField { name, text }).collect();
        CustomFields::new(fields).map_err(|invalid| errors.of_all(&invalid)).unwrap_or_default()
    }
}

/// The error messages of custom fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CustomMessages {
    fields: Vec<(String, String)>,
    added: Vec<(usize, String)>,
    all: Option<String>,
}

impl CustomMessages {
    /// Adds the message of an existing field.
    pub(super) fn of_field(&mut self, name: &FieldName, invalid: &Invalid) {
        self.fields.push((name.to_string(), invalid.to_string()));
    }

    /// Adds a message about all fields together.
    pub(super) fn of_all(&mut self, invalid: &Invalid) {
        self.all = Some(invalid.to_string());
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, message)| message.clone())
    }

    pub(super) fn added(&self, row: usize) -> Option<String> {
        self.added.iter().find(|(other, _)| *other == row).map(|(_, message)| message.clone())
    }
}

/// A custom field that the lead has, in a form.
#[derive(Debug, Clone)]
pub(super) struct CustomInput {
    /// The name of the field.
    pub(super) label: String,
    /// The number of the input, which makes its id.
    pub(super) place: usize,
    /// The text and its error.
    pub(super) input: Field,
}

/// A row for a new custom field.
#[derive(Debug, Clone)]
pub(super) struct NewInput {
    /// The number of the row.
    pub(super) place: usize,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) error: Option<String>,
}

/// The custom fields of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct CustomForm {
    pub(super) fields: Vec<CustomInput>,
    pub(super) added: Vec<NewInput>,
    /// The message about all fields together.
    pub(super) error: Option<String>,
}

impl CustomForm {
    /// Creates the form of the fields that a lead has, with blank rows for new ones.
    pub(super) fn of(fields: &CustomFields) -> Self {
        let inputs = fields.iter().map(|field| (field.name.to_string(), field.text.to_string()));
        let inputs = inputs.map(|(name, text)| (name, text.clone(), text)).collect();
        Self::filled(inputs, &NewFields::default(), &CustomMessages::default())
    }

    /// Creates the form from the name, the base and the typed text of each field.
    pub(super) fn filled(
        fields: Vec<(String, String, String)>,
        added: &NewFields,
        errors: &CustomMessages,
    ) -> Self {
        let input = |(place, (label, base, value)): (usize, (String, String, String))| CustomInput {
            input: Field { value, base, error: errors.field(&label) },
            label,
            place,
        };
        let row = |place: usize| {
            let (name, text) = added.0.get(place).cloned().unwrap_or_default();
            NewInput { place, name, text, error: errors.added(place) }
        };
        Self {
            fields: fields.into_iter().enumerate().map(input).collect(),
            added: (0..NEW_ROWS).map(row).collect(),
            error: errors.all.clone(),
        }
    }

    /// Whether the rows for new fields are open.
    pub(super) fn is_adding(&self) -> bool {
        self.added.iter().any(|row| row.error.is_some() || !row.name.is_empty() || !row.text.is_empty())
    }
}
