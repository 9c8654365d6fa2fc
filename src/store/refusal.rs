//! Why a guarded write did not happen: a condition was refused, or the store failed.

use super::{Item, StoreError};

/// Why a guarded write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A condition did not hold. A consistent read decides what that means.
    #[error("a condition of the write did not hold")]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which actions' conditions did not hold, with the items as they were.
#[derive(Debug, Default)]
pub struct Refusal {
    pub(super) failed: Vec<(&'static str, Option<Item>)>,
}

impl Refusal {
    /// Whether the condition of an action with this label failed.
    pub fn of(&self, label: &str) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == label)
    }

    /// All items that stood where conditions of actions with this label failed.
    pub fn items(&self, label: &str) -> impl Iterator<Item = &Item> {
        self.failed.iter().filter(move |(failed, _)| *failed == label).filter_map(|(_, item)| item.as_ref())
    }

    /// The item that stood where the labelled action's condition failed, if one did.
    pub fn item(&self, label: &str) -> Option<&Item> {
        self.failed.iter().find(|(failed, _)| *failed == label)?.1.as_ref()
    }
}
