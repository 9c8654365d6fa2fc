//! The fields of a lead.

use crate::base::values::text_enum;

text_enum! {
    /// A field of a lead whose changes the history records, in the order in which pages show them.
    pub enum LeadField, exact, "This isn't a field of a lead.";
    /// `name`
    Name = "name",
    /// `email`
    Email = "email",
    /// `phone`
    Phone = "phone",
    /// `company`
    Company = "company",
    /// `state`
    State = "state",
    /// `leadScore`
    LeadScore = "leadScore",
    /// `status`
    Status = "status",
    /// `source`
    Source = "source",
    /// `owner`
    Owner = "owner",
    /// `stock`
    Stock = "stock",
}

impl LeadField {
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
