//! Decides how to undo the change that a row made to a lead. Pure.

use crate::base::values::Version;
use crate::leads::domain::{Action, HistoryEntry};
use crate::leads::import::is_row_of;

/// How to undo a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// The row created the lead, and nothing else changed it: it is deleted at this version.
    Delete(Version),
    /// An earlier attempt deleted the lead.
    Deleted,
    /// The row and others of its import are the newest changes: the lead gets the values of an earlier version.
    Revert {
        /// The lead's version.
        newest: Version,
        /// The version before the changes of the import.
        to: Version,
    },
    /// An earlier attempt gave the lead its earlier values.
    Reverted,
    /// A later row changed the lead right after this one, and counts for both.
    Covered,
    /// Something else changed the lead since.
    Keep,
}

/// Returns how to undo the row that made a version, from the newest entries of the lead's history, newest first.
pub(super) fn plan(newest: &[HistoryEntry], version: Version, import: &str) -> Plan {
    let Some(at) = newest.iter().position(|entry| entry.version == version) else { return Plan::Keep };
    let is_row = |entry: &HistoryEntry| is_row_of(import, entry.source.as_deref());
    let (since, before) = newest.split_at(at);
    let is_creation = before.first().is_some_and(|entry| entry.action == Action::Imported);
    // Each attempt of an undo adds one entry after those of the import.
    let is_undo = |entry: &HistoryEntry| match entry.action {
        Action::Reverted => true,
        Action::Deleted => is_creation,
        _ => false,
    };
    let is_own = since.iter().all(|entry| is_row(entry) || is_undo(entry));
    let latest = newest.first().map_or(version, |entry| entry.version);
    match since.first().map(|entry| entry.action) {
        _ if !is_own => match since.last().is_some_and(is_row) {
            true => Plan::Covered,
            false => Plan::Keep,
        },
        Some(Action::Deleted) => Plan::Deleted,
        _ if is_creation => Plan::Delete(latest),
        Some(Action::Reverted) if since.iter().any(is_row) => Plan::Covered,
        Some(Action::Reverted) => Plan::Reverted,
        Some(_) => Plan::Covered,
        None => {
            let rows = before.iter().take_while(|entry| is_row(entry));
            let first = rows.last().map_or(version, |entry| entry.version);
            Plan::Revert { newest: version, to: first.previous() }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::identity::Actor;
    use crate::leads::domain::{LeadId, NewLead};

    /// The newest entries of a history, from one that ends with `U` for each row of the import, `E` for each edit, `R`
    /// for each reversion and `D` for the deletion, after `C` (the import created the lead) or `N` (it did not).
    fn history(actions: &str) -> Vec<HistoryEntry> {
        let new = NewLead::named("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        let mut lead = new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("t")).unwrap();
        let mut entries = Vec::new();
        for action in actions.chars() {
            let (action, source) = match action {
                'C' => (Action::Imported, None),
                'N' => (Action::Created, None),
                'U' => (Action::Updated, Some("import:1:7")),
                'R' => (Action::Reverted, None),
                'D' => (Action::Deleted, None),
                _ => (Action::Updated, None),
            };
            entries.insert(0, HistoryEntry::of_new(&lead, action).with_source(source));
            lead = lead.next_version(Timestamp::UNIX_EPOCH, Actor::new("t"));
        }
        entries
    }

    fn version(number: u64) -> Version {
        (1..number).fold(Version::FIRST, |version, _| version.next())
    }

    #[test]
    fn what_is_taken_back_is_decided_by_the_changes_since() {
        let revert = |newest, to| Plan::Revert { newest: version(newest), to: version(to) };
        for (actions, made, expected) in [
            ("NU", 2, revert(2, 1)),
            ("NEU", 3, revert(3, 2)),
            ("NUE", 2, Plan::Keep),
            ("NUR", 2, Plan::Reverted),
            ("NURE", 2, Plan::Keep),
            ("NUD", 2, Plan::Keep),
            ("NUU", 3, revert(3, 1)),
            ("NUU", 2, Plan::Covered),
            ("NUUR", 3, Plan::Reverted),
            ("NUUR", 2, Plan::Covered),
            ("NUUE", 3, Plan::Keep),
            ("NUUE", 2, Plan::Covered),
            ("NUEU", 4, revert(4, 3)),
            ("NUEU", 2, Plan::Keep),
            ("NUEUR", 2, Plan::Keep),
            ("C", 1, Plan::Delete(version(1))),
            ("CE", 1, Plan::Keep),
            ("CD", 1, Plan::Deleted),
            ("CUR", 1, Plan::Delete(version(3))),
            ("CURD", 1, Plan::Deleted),
            ("CUE", 1, Plan::Covered),
        ] {
            assert_eq!(plan(&history(actions), version(made), "import:1"), expected, "{actions} at {made}");
        }
        assert_eq!(plan(&history("NU"), version(2), "import:2"), revert(2, 1));
        assert_eq!(plan(&history("NUU"), version(2), "import:2"), Plan::Keep, "rows of another import");
        assert_eq!(plan(&[], version(2), "import:1"), Plan::Keep);
    }
}
