//! What lists of leads are asked for under one name.

use std::str::FromStr;

use super::{Status, Stock};
use crate::base::values::{Invalid, text_value};

/// A lead's place in the pipeline, or whether it is free to be sold: no two of them share a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusOrStock {
    /// The place in the pipeline.
    Status(Status),
    /// Whether it is free.
    Stock(Stock),
}

impl StatusOrStock {
    /// All, those of the pipeline first.
    pub fn all() -> impl Iterator<Item = Self> {
        Status::ALL.into_iter().map(Self::Status).chain(Stock::ALL.into_iter().map(Self::Stock))
    }

    /// The name, for example `QUALIFIED` or `UNASSIGNED`.
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
            Invalid::new(format!("A lead's status is one of {}.", names.join(", ")))
        })
    }
}

text_value!(StatusOrStock);
