//! A cache of leads at the versions that this process has read.

use std::sync::Arc;

use super::domain::{LeadId, StoredLead};
use crate::base::values::Version;

/// A cache of leads by id and version, with the reservations of large orders. An entry is never stale, because a lead
/// at a given version does not change.
#[derive(Clone)]
pub struct Snapshots(Arc<quick_cache::sync::Cache<(LeadId, Version), StoredLead>>);

impl Snapshots {
    /// Creates a cache for this many leads.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(capacity)))
    }

    pub(super) fn get(&self, id: LeadId, version: Version) -> Option<StoredLead> {
        self.0.get(&(id, version))
    }

    pub(super) fn insert(&self, lead: &StoredLead) {
        self.0.insert((lead.lead.id, lead.lead.version), lead.clone());
    }
}
