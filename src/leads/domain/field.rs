//! The fields of a lead.

use serde::{Deserialize, Serialize};

/// A field of a lead whose changes the history records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeadField {
    /// `name`
    Name,
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `company`
    Company,
    /// `state`
    State,
    /// `leadScore`
    LeadScore,
    /// `status`
    Status,
    /// `source`
    Source,
    /// `owner`
    Owner,
    /// `stock`
    Stock,
}

impl LeadField {
    /// All fields, in the order in which pages show them.
    pub const ALL: [Self; 10] = [
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::State,
        Self::LeadScore,
        Self::Status,
        Self::Source,
        Self::Owner,
        Self::Stock,
    ];
    /// The fields that people edit.
    pub const EDITABLE: [Self; 9] = [
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::State,
        Self::LeadScore,
        Self::Status,
        Self::Source,
        Self::Owner,
    ];

    /// Returns the name in JSON, in forms and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Company => "company",
            Self::State => "state",
            Self::LeadScore => "leadScore",
            Self::Status => "status",
            Self::Source => "source",
            Self::Owner => "owner",
            Self::Stock => "stock",
        }
    }

    /// Returns the name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Email => "Email",
            Self::Phone => "Phone",
            Self::Company => "Company",
            Self::State => "State",
            Self::LeadScore => "Lead score",
            Self::Status => "Status",
            Self::Source => "Source",
            Self::Owner => "Owner",
            Self::Stock => "Stock",
        }
    }
}
