//! Merges what was read of the partitions of a day. Pure.
//!
//! Each partition is read newest first and with a limit, so it may have older entries that were not read. The newest of
//! the ends of such partitions is the *horizon*: from it on, every entry of the day was read. Entries below the horizon
//! are dropped, because an entry that was not read may lie between them; they are read again from the horizon on.
//!
//! Invariants: the merged entries are in order and complete from the horizon on, and the horizon is below the start of
//! the read. So a reader who continues below the horizon sees every entry once, and always makes progress.

use std::cmp::Reverse;

use crate::shared::audit_log::{AuditEntry, AuditId};

/// What was read of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its entries.
    pub entries: Vec<AuditEntry>,
    /// The last id that was read, if the partition may have older entries.
    pub end: Option<AuditId>,
}

/// The merged entries of all partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// The id from which on the entries are complete, or `None` if they are the whole rest of the day.
    pub horizon: Option<AuditId>,
}

/// Merges the slices of all partitions of a day.
pub fn merge(slices: Vec<Slice>) -> Merged {
    let horizon = slices.iter().filter_map(|slice| slice.end).max();
    let is_complete = |entry: &AuditEntry| horizon.is_none_or(|horizon| entry.id >= horizon);
    let all = slices.into_iter().flat_map(|slice| slice.entries);
    let mut entries: Vec<AuditEntry> = all.filter(is_complete).collect();
    entries.sort_unstable_by_key(|entry| Reverse(entry.id));
    Merged { entries, horizon }
}

/// The entries of a page, as far as they are collected.
#[derive(Debug)]
pub struct PageBuilder {
    limit: usize,
    entries: Vec<AuditEntry>,
}

impl PageBuilder {
    /// Starts a page of at most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self { limit, entries: Vec::new() }
    }

    /// Adds the next entries until the page is full. Returns the last entry on the page, if further ones did not fit:
    /// the next page starts below it.
    pub fn add(&mut self, entries: impl IntoIterator<Item = AuditEntry>) -> Option<AuditId> {
        for entry in entries {
            if self.is_full() {
                return self.entries.last().map(|last| last.id);
            }
            self.entries.push(entry);
        }
        None
    }

    /// Whether no further entry fits.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// Returns the entries.
    pub fn into_entries(self) -> Vec<AuditEntry> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::base::rng::Rng;
    use crate::shared::audit_log::{AuditActor, AuditKind};

    /// An entry at this millisecond, in the partition of its last digit.
    fn entry(millis: i64, last: u8) -> AuditEntry {
        let at = Timestamp::from_millisecond(1_790_000_000_000 + millis).unwrap();
        let (rng, actor) = (Rng::of_system(), AuditActor::command());
        let entry = AuditEntry::new(&rng, at, &actor, AuditKind::Export, "Orders", "Exported.");
        let mut random = [0; 10];
        random[9] = last;
        AuditEntry { id: AuditId::new(at, &random), ..entry }
    }

    /// Reads a partition as the store does: newest first, below an id, with a limit.
    fn slice(partition: &[AuditEntry], before: Option<AuditId>, limit: usize) -> Slice {
        let mut rest: Vec<AuditEntry> =
            partition.iter().filter(|entry| before.is_none_or(|before| entry.id < before)).cloned().collect();
        rest.sort_unstable_by_key(|entry| Reverse(entry.id));
        let more = rest.len() >= limit;
        rest.truncate(limit);
        let end = rest.last().map(|last| last.id).filter(|_| more);
        Slice { entries: rest, end }
    }

    #[test]
    fn entries_below_the_end_of_a_cut_partition_are_left_for_the_next_round() {
        let cut = Slice { entries: vec![entry(9, 0), entry(5, 0)], end: Some(entry(5, 0).id) };
        let whole = Slice { entries: vec![entry(7, 1), entry(3, 1)], end: None };
        let merged = merge(vec![cut, whole]);
        let millis: Vec<_> = merged.entries.iter().map(|entry| entry.at.as_millisecond() % 1_000).collect();
        assert_eq!((millis, merged.horizon), (vec![9, 7, 5], Some(entry(5, 0).id)));
    }

    #[test]
    fn whole_partitions_have_no_horizon() {
        let merged = merge(vec![Slice::default(), Slice { entries: vec![entry(1, 2)], end: None }]);
        assert_eq!((merged.entries.len(), merged.horizon), (1, None));
        assert_eq!(merge(Vec::new()), Merged { entries: Vec::new(), horizon: None });
    }

    #[test]
    fn a_full_page_names_its_last_entry() {
        let mut page = PageBuilder::new(2);
        assert_eq!(page.add([entry(9, 0)]), None);
        assert_eq!(page.add([entry(8, 0), entry(7, 0)]), Some(entry(8, 0).id));
        let mut exact = PageBuilder::new(1);
        assert_eq!((exact.add([entry(1, 0)]), exact.is_full()), (None, true));
    }

    proptest! {
        #[test]
        fn pages_show_every_entry_once_in_order(
            entries in prop::collection::btree_set((0_i64..40, 0_u8..16), 0..120),
            limit in 1_usize..20,
            read in 1_usize..6,
        ) {
            let mut partitions = vec![Vec::new(); 16];
            for (millis, last) in &entries {
                partitions[usize::from(*last)].push(entry(*millis, *last));
            }
            let (mut seen, mut before) = (Vec::new(), None);
            // Each round makes progress, so the pages end.
            for _ in 0..=2 * entries.len() + 1 {
                let merged = merge(partitions.iter().map(|one| slice(one, before, read)).collect());
                let mut page = PageBuilder::new(limit);
                let end = page.add(merged.entries).or(merged.horizon);
                seen.extend(page.into_entries().into_iter().map(|entry| entry.id));
                before = end;
                if end.is_none() {
                    break;
                }
            }
            prop_assert_eq!(before, None);
            let mut expected: Vec<AuditId> = partitions.concat().iter().map(|entry| entry.id).collect();
            expected.sort_unstable_by_key(|id| Reverse(*id));
            prop_assert_eq!(seen, expected);
        }
    }
}
