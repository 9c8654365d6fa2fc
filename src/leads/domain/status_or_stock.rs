//! The `status` parameter of lead lists, which also accepts a stock.

use std::str::FromStr;

use super::{Status, Stock};
use crate::base::values::{Invalid, text_value};

/// A status or a stock. No status and stock have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusOrStock {
    /// A place in the pipeline.
    Status(Status),
    /// Whether a lead can be sold.
    Stock(Stock),
}

impl StatusOrStock {
    /// Returns all statuses, then all stocks.
    pub fn all() -> impl Iterator<Item = Self> {
        Status::ALL.into_iter().map(Self::Status).chain(Stock::ALL.into_iter().map(Self::Stock))
    }

    /// Returns the name, for example `QUALIFIED` or `UNASSIGNED`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Status(status) => status.as_str(),
            Self::Stock(stock) => stock.as_str(),
        }
    }
}

impl FromStr for StatusOrStock {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        Self::all().find(|one| one.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|one| one.as_str().to_ascii_lowercase()).collect();
            Invalid::new(format!("The status must be one of {}.", names.join(", ")))
        })
    }
}

text_value!(StatusOrStock);
