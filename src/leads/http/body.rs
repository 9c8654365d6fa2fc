//! The JSON bodies of requests about leads.

use serde_json::Value;

use crate::accounts::agents::AccountReference;
use crate::base::fields::{Fields, FromFields, Object, text, whole_number};
use crate::base::values::Version;
use crate::leads::domain::{
    CustomFields, FieldEdits, FieldName, FieldText, LeadChange, LeadId, NewLead, NoteText,
};
use crate::leads::{LeadError, Leads};

/// A new lead, whose owner is not looked up yet.
#[derive(Debug)]
pub(super) struct NewLeadBody {
    new: NewLead,
    owner: Option<AccountReference>,
}

impl NewLeadBody {
    /// Looks up the owner.
    pub(super) async fn resolve(self, leads: &Leads) -> Result<NewLead, LeadError> {
        let owner = match self.owner {
            Some(reference) => Some(leads.owner(&reference).await?),
            None => None,
        };
        Ok(NewLead { owner, ..self.new })
    }
}

impl FromFields for NewLeadBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let (phone, company) = (fields.optional("phone", text), fields.optional("company", text));
        let (state, lead_score) =
            (fields.optional("state", text), fields.optional_not_null("leadScore", whole_number));
        let (status, source) = (fields.optional_not_null("status", text), fields.optional("source", text));
        let owner = owner(fields).flatten();
        let custom =
            CustomFields::default().edited(&custom_fields(fields)).map_err(|e| fields.refuse("fields", e));
        Some(Self {
            new: NewLead {
                phone,
                company,
                state,
                lead_score: lead_score.unwrap_or_default(),
                status: status.unwrap_or_default(),
                source,
                fields: custom.ok()?,
                ..NewLead::named(name?, email?)
            },
            owner,
        })
    }
}

/// Reads the owner: the email address or the id of an account, or the object that a GET answers.
fn owner(fields: &mut Fields) -> Option<Option<AccountReference>> {
    let of_object = |object: &Object| {
        let id = object.clone().into_pairs().into_iter().find(|(name, _)| name == "id");
        text(&id.map_or(Value::Null, |(_, value)| value))
    };
    fields.nullable_or_object("owner", of_object, text)
}

/// Reads edits of custom fields: an object of texts, in which null removes a field.
fn custom_fields(fields: &mut Fields) -> FieldEdits {
    let mut edits: Vec<(FieldName, Option<FieldText>)> = Vec::new();
    for (name, value) in fields.object("fields").map(Object::into_pairs).unwrap_or_default() {
        let edit = name.parse::<FieldName>().and_then(|parsed| match &value {
            Value::Null => Ok((parsed, None)),
            value => text::<FieldText>(value).map(|text| (parsed, Some(text))),
        });
        match edit {
            Ok(edit) => edits.push(edit),
            Err(invalid) => fields.refuse(format!("fields.{name}"), invalid),
        }
    }
    FieldEdits::new(edits).map_err(|invalid| fields.refuse("fields", invalid)).unwrap_or_default()
}

/// A change, whose owner is not looked up yet.
#[derive(Debug)]
pub(super) struct LeadChangeBody {
    change: LeadChange,
    owner: Option<Option<AccountReference>>,
}

impl LeadChangeBody {
    /// Creates a change whose owner is looked up later.
    pub(super) fn new(change: LeadChange, owner: Option<Option<AccountReference>>) -> Self {
        Self { change, owner }
    }

    /// Returns the change without its owner.
    #[cfg(test)]
    pub(super) fn change(&self) -> &LeadChange {
        &self.change
    }

    /// Returns whether the change sets no field.
    pub(super) fn is_empty(&self) -> bool {
        self.change.is_empty() && self.owner.is_none()
    }

    /// Looks up the owner.
    pub(super) async fn resolve(&self, leads: &Leads) -> Result<LeadChange, LeadError> {
        let owner = match &self.owner {
            None => None,
            Some(None) => Some(None),
            Some(Some(reference)) => Some(Some(leads.owner(reference).await?)),
        };
        Ok(LeadChange { owner, ..self.change.clone() })
    }
}

/// A partial change: missing fields keep their values.
impl FromFields for LeadChangeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let change = LeadChange {
            name: fields.optional_not_null("name", text),
            email: fields.optional_not_null("email", text),
            phone: fields.nullable("phone", text),
            company: fields.nullable("company", text),
            state: fields.nullable("state", text),
            lead_score: fields.optional_not_null("leadScore", whole_number),
            status: fields.optional_not_null("status", text),
            source: fields.nullable("source", text),
            owner: None,
            fields: FieldEdits::default(),
        };
        let owner = owner(fields);
        Some(Self { change: LeadChange { fields: custom_fields(fields), ..change }, owner })
    }
}

/// A full change: the body of a GET with other values. Read-only fields are allowed, so that a client can send back
/// what it received, and are ignored. Missing values are removed, except custom fields, which lists do not answer.
#[derive(Debug)]
pub(super) struct Replacement(LeadChangeBody);

impl Replacement {
    /// Returns the full change as a change of every field.
    pub(super) fn change(&self) -> &LeadChangeBody {
        &self.0
    }
}

impl FromFields for Replacement {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let (phone, company) = (fields.optional("phone", text), fields.optional("company", text));
        let state = fields.optional("state", text);
        let (lead_score, status) =
            (fields.required("leadScore", whole_number), fields.required("status", text));
        let (source, owner) = (fields.optional("source", text), owner(fields).flatten());
        let custom = custom_fields(fields);
        fields.ignore(&[
            "id",
            "stock",
            "orderId",
            "merged",
            "fieldsVersion",
            "createdAt",
            "updatedAt",
            "updatedBy",
        ]);
        let change = LeadChange {
            name: Some(name?),
            email: Some(email?),
            phone: Some(phone),
            company: Some(company),
            state: Some(state),
            lead_score: Some(lead_score?),
            status: Some(status?),
            source: Some(source),
            owner: None,
            fields: custom,
        };
        Some(Self(LeadChangeBody { change, owner: Some(owner) }))
    }
}

/// The version to go back to.
#[derive(Debug)]
pub(super) struct RevertBody {
    pub(super) to: Version,
}

impl FromFields for RevertBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { to: fields.required("to", whole_number)? })
    }
}

/// The text of a note.
#[derive(Debug)]
pub(super) struct NoteBody {
    pub(super) text: NoteText,
}

impl FromFields for NoteBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { text: fields.required("text", text)? })
    }
}

/// A merge: the other lead, its version, and chosen values of the lead that is kept.
#[derive(Debug)]
pub(super) struct MergeBody {
    pub(super) merged: LeadId,
    pub(super) merged_version: Version,
    pub(super) choices: LeadChangeBody,
}

impl FromFields for MergeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let merged = fields.required("merged", text::<LeadId>);
        let merged_version = fields.required("mergedVersion", whole_number);
        let choices = fields.nested("choices");
        let nothing = || LeadChangeBody { change: LeadChange::default(), owner: None };
        Some(Self {
            merged: merged?,
            merged_version: merged_version?,
            choices: choices.unwrap_or_else(nothing),
        })
    }
}
