//! A lead that a row describes, with what a person should know about it.

use crate::imports::mapping::text::quoted;
use crate::leads::domain::{CustomFields, FieldEdits, FieldName, FieldText, NewLead, Owner};
use crate::leads::import::Conversion;

/// A lead that a row describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRow {
    /// The lead, without its owner.
    pub lead: NewLead,
    /// The text of the owner column.
    pub owner: Option<String>,
    /// Whether the row gives the person's name. Otherwise the name is taken from the email address, and must not
    /// replace a name that a lead has.
    pub has_name: bool,
    /// Values that were kept as text because they were not understood, for the report.
    pub warnings: Vec<String>,
    /// The conversion for which the row has no score. Its warning is one of the warnings.
    pub conversion: Option<Conversion>,
    owner_title: String,
}

impl ParsedRow {
    /// Creates a parsed row. `owner` is the text of the owner column and its name as a custom field.
    pub(super) fn new(
        lead: NewLead,
        owner: Option<(String, String)>,
        has_name: bool,
        warnings: Vec<String>,
    ) -> Self {
        let (owner, owner_title) = owner.unzip();
        let owner_title = owner_title.unwrap_or_default();
        Self { lead, owner, has_name, warnings, conversion: None, owner_title }
    }

    /// Sets the owner to the account that the text names. If there is none, the text is kept as a custom field, and a
    /// warning says why.
    #[must_use]
    pub fn with_owner(mut self, account: Result<Owner, &str>) -> Self {
        let Some(text) = self.owner.take() else { return self };
        let reason = match account {
            Ok(owner) => {
                self.lead.owner = Some(owner);
                return self;
            }
            Err(reason) => reason,
        };
        let title = quoted(&self.owner_title);
        let kept = match with_field(&self.lead.fields, &self.owner_title, &text) {
            Some(fields) => {
                self.lead.fields = fields;
                format!("It's kept as the custom field {title}.")
            }
            None => "It's left out because the lead's custom fields are full.".to_owned(),
        };
        self.warnings.push(format!("Owner {}: {reason} {kept}", quoted(&text)));
        self
    }
}

fn with_field(fields: &CustomFields, title: &str, text: &str) -> Option<CustomFields> {
    let (name, text) = (title.parse::<FieldName>().ok()?, text.parse::<FieldText>().ok()?);
    let edits = FieldEdits::new(vec![(name, Some(text))]).ok()?;
    fields.edited(&edits).ok()
}
