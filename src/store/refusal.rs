//! Why a guarded write did not happen: a condition failed, or the store failed.

use super::{Item, StoreError};

/// Why a guarded write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A condition failed. A consistent read decides what that means.
    #[error("a condition of the write failed")]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The actions whose conditions failed, with their items as they were.
#[derive(Debug, Default)]
pub struct Refusal {
    pub(super) failed: Vec<(&'static str, Option<Item>)>,
}

impl Refusal {
    /// Whether the condition of an action with this label failed.
    pub fn of(&self, label: &str) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == label)
    }

    /// Returns the existing items of all actions with this label whose conditions failed.
    pub fn items(&self, label: &str) -> impl Iterator<Item = &Item> {
        self.failed.iter().filter(move |(failed, _)| *failed == label).filter_map(|(_, item)| item.as_ref())
    }

    /// Returns the existing item of the first action with this label whose condition failed, if there is one.
    pub fn item(&self, label: &str) -> Option<&Item> {
        self.failed.iter().find(|(failed, _)| *failed == label)?.1.as_ref()
    }
}
