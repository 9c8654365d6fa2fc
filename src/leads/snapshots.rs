//! Leads at versions that this process has seen.

use std::sync::Arc;

use super::domain::{LeadId, StoredLead};
use crate::base::values::Version;

/// Leads as they stood at versions that this process has seen, with the holds of large orders.
#[derive(Clone)]
pub struct Snapshots(Arc<quick_cache::sync::Cache<(LeadId, Version), StoredLead>>);

impl Snapshots {
    /// Room for this many.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(capacity)))
    }

    pub(super) fn at(&self, id: LeadId, version: Version) -> Option<StoredLead> {
        self.0.get(&(id, version))
    }

    pub(super) fn keep(&self, seen: &StoredLead) {
        self.0.insert((seen.lead.id, seen.lead.version), seen.clone());
    }
}
