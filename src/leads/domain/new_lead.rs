//! The input for a new lead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Company, CustomFields, Lead, LeadId, LeadSource, Owner, Phone, Rule, Score, Status, Stock};
use crate::base::identity::Actor;
use crate::base::values::{Email, Name, UsState, Version};

/// The input for a new lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLead {
    /// The person's name.
    pub name: Name,
    /// The email address.
    pub email: Email,
    /// The phone number, if known.
    #[serde(default)]
    pub phone: Option<Phone>,
    /// The organization that the person belongs to, if known.
    #[serde(default)]
    pub company: Option<Company>,
    /// The US state, if known.
    #[serde(default)]
    pub state: Option<UsState>,
    /// The lead score. The default is 0.
    #[serde(default)]
    pub lead_score: Score,
    /// The place in the pipeline. The default is PROSPECT.
    #[serde(default)]
    pub status: Status,
    /// Where the lead comes from, if known.
    #[serde(default)]
    pub source: Option<LeadSource>,
    /// The agent who looks after the lead, if there is one.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// The custom fields.
    #[serde(default)]
    pub fields: CustomFields,
}

impl NewLead {
    /// Returns a lead with only a name and an email address.
    pub fn named(name: Name, email: Email) -> Self {
        Self {
            name,
            email,
            phone: None,
            company: None,
            state: None,
            lead_score: Score::default(),
            status: Status::default(),
            source: None,
            owner: None,
            fields: CustomFields::default(),
        }
    }

    /// Returns the lead at its first version. Its custom fields are another item.
    ///
    /// # Errors
    /// The [`Rule`] that the lead breaks.
    pub fn into_lead(self, id: LeadId, now: Timestamp, by: Actor) -> Result<Lead, Rule> {
        if self.status == Status::Converted && self.lead_score < Score::TO_CONVERT {
            return Err(Rule::ConvertNeedsScore);
        }
        Ok(Lead {
            id,
            name: self.name,
            email: self.email,
            phone: self.phone,
            company: self.company,
            state: self.state,
            lead_score: self.lead_score,
            status: self.status,
            source: self.source,
            owner: self.owner,
            fields_version: (!self.fields.is_empty()).then_some(Version::FIRST),
            merged: Vec::new(),
            stock: Stock::Unassigned,
            order_id: None,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            updated_by: by,
        })
    }
}
