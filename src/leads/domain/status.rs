//! The status and the stock of a lead.

use crate::base::values::text_enum;

text_enum! {
    /// The lead's place in the pipeline.
    #[derive(Default)]
    pub enum Status, "The status must be PROSPECT, QUALIFIED, or CONVERTED.";
    /// Known, but not yet assessed.
    #[default]
    Prospect = "PROSPECT",
    /// Worth an agent's time.
    Qualified = "QUALIFIED",
    /// Bought. Only an administrator can reopen the lead.
    Converted = "CONVERTED",
}

impl Status {
    /// Returns the name for people, for example `Prospect`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Prospect => "Prospect",
            Self::Qualified => "Qualified",
            Self::Converted => "Converted",
        }
    }

    /// Returns the name in style sheets, for example `prospect`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::Qualified => "qualified",
            Self::Converted => "converted",
        }
    }
}

text_enum! {
    /// Whether a lead can be sold. Orders set the stock; people do not edit it.
    #[derive(Default)]
    pub enum Stock, "The stock must be UNASSIGNED, ASSIGNED, FULFILLED, or WITHHELD.";
    /// Free.
    #[default]
    Unassigned = "UNASSIGNED",
    /// In an open order.
    Assigned = "ASSIGNED",
    /// Delivered in a fulfilled order.
    Fulfilled = "FULFILLED",
    /// Kept out of stock after a bad contact until an agent puts it back.
    Withheld = "WITHHELD",
}

impl Stock {
    /// Returns the name for people, for example `Unassigned`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unassigned => "Unassigned",
            Self::Assigned => "Assigned",
            Self::Fulfilled => "Fulfilled",
            Self::Withheld => "Withheld",
        }
    }

    /// Returns the name in style sheets, for example `unassigned`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Assigned => "assigned",
            Self::Fulfilled => "fulfilled",
            Self::Withheld => "withheld",
        }
    }
}
