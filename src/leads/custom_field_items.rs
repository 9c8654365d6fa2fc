//! The custom fields of a lead: an item of their own, written in the transaction of the lead's change.
//!
//! Invariant: a reader of both never sees the fields of one version beside the lead of another. The lead says which
//! version wrote its fields, and so does the item.

use serde::Serialize;

use super::domain::{CustomFieldChange, CustomFields, FieldEdits, Lead, LeadId};
use super::error::LeadError;
use super::items::{FIELDS, FieldsItem, fields_key, lead_key, stored_lead, text};
use crate::base::values::Version;
use crate::leads::Leads;
use crate::store::schema::SK;
use crate::store::{Condition, GuardedWrite, Item, StoreError, from_item, to_item};

/// A lead with its custom fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeadWithFields {
    /// The lead.
    #[serde(flatten)]
    pub lead: Lead,
    /// The custom fields.
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    pub fields: CustomFields,
}

impl Leads {
    /// Reads one lead and its custom fields consistently, with one call.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if there is no such lead.
    pub async fn find_with_fields(&self, id: LeadId) -> Result<LeadWithFields, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let items = self.dynamo.get_all(&[lead_key(id), fields_key(id)]).await?;
            let (fields, lead): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_fields);
            let Some(lead) = lead.into_iter().next() else { return Err(self.missing(id).await?) };
            let fields = fields.into_iter().next().map(from_item::<FieldsItem>).transpose()?;
            if let Some(stored) = self.resolve(stored_lead(lead)?).await? {
                let version = fields.as_ref().map(|item| item.version);
                // A change between the reads of the two items shows itself here.
                if version == stored.lead.fields_version {
                    self.snapshots.insert(&stored);
                    let fields =
                        fields.map_or_else(|| Ok(CustomFields::default()), |item| item.into_fields(id))?;
                    return Ok(LeadWithFields { lead: stored.lead, fields });
                }
            }
            retries.backoff().await?;
        }
    }

    /// Reads the custom fields that a lead has at its version, and edits them.
    ///
    /// # Errors
    /// [`LeadError::Invalid`] if the edited fields would be too many or too long.
    pub(super) async fn edit_fields(
        &self,
        lead: &Lead,
        edits: &FieldEdits,
    ) -> Result<EditedFields, LeadError> {
        let item = match lead.fields_version {
            None => None,
            Some(_) => {
                self.dynamo.get(&fields_key(lead.id)).await?.map(from_item::<FieldsItem>).transpose()?
            }
        };
        let written_at = item.as_ref().map(|item| item.version);
        let before = item.map_or_else(|| Ok(CustomFields::default()), |item| item.into_fields(lead.id))?;
        EditedFields { written_at, after: before.clone(), before }.edited(edits)
    }
}

fn is_fields(item: &Item) -> bool {
    text(item, SK) == Some(FIELDS)
}

/// Custom fields before and after a change.
#[derive(Debug, Clone, Default)]
pub(super) struct EditedFields {
    written_at: Option<Version>,
    before: CustomFields,
    after: CustomFields,
}

impl EditedFields {
    /// Returns the fields before the change.
    pub(super) fn before(&self) -> &CustomFields {
        &self.before
    }

    /// Returns the change with other edits.
    ///
    /// # Errors
    /// [`LeadError::Invalid`] if the edited fields would be too many or too long.
    pub(super) fn edited(&self, edits: &FieldEdits) -> Result<Self, LeadError> {
        let after = self.before.edited(edits).map_err(|invalid| LeadError::Invalid("fields", invalid))?;
        Ok(Self { after, ..self.clone() })
    }

    /// Returns the differences.
    pub(super) fn changes(&self) -> Vec<CustomFieldChange> {
        self.before.changes_to(&self.after)
    }

    /// Returns the lead with the version of its fields after this change.
    pub(super) fn mark(&self, lead: Lead) -> Lead {
        match (self.changes().is_empty(), self.after.is_empty()) {
            (true, _) => lead,
            (false, true) => Lead { fields_version: None, ..lead },
            (false, false) => Lead { fields_version: Some(lead.version), ..lead },
        }
    }

    /// Adds the changed fields to the write of the lead at this version.
    pub(super) fn write(&self, write: GuardedWrite, lead: &Lead) -> Result<GuardedWrite, StoreError> {
        if self.changes().is_empty() {
            return Ok(write);
        }
        let as_read = match self.written_at {
            Some(version) => Condition::is_number("version", version.get()),
            None => Condition::Absent,
        };
        let key = fields_key(lead.id);
        Ok(match self.after.is_empty() {
            true => write.delete("fields", &key, as_read),
            false => {
                write.put("fields", to_item(&key, &FieldsItem::new(lead.version, &self.after))?, as_read)
            }
        })
    }
}
