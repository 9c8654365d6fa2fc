//! Merges two edits of one lead that started from the same version, field by field. Pure.
//!
//! Invariants: a field that one person changed has that value in the merged lead. A field that both changed to
//! different values has no merged value until the person chooses. No value is lost.

use super::domain::LeadField;
use super::texts::Texts;

/// The result of merging one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeOutcome {
    /// Nobody changed it.
    Untouched,
    /// Only the person changed it.
    Kept,
    /// Only another person changed it.
    Theirs,
    /// Both changed it to the same value.
    Agreed,
    /// Both changed it to different values, so the person must choose.
    Overlap,
}

/// A merged field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedField {
    /// The field.
    pub field: LeadField,
    /// The value that is stored now.
    pub now: String,
    /// The person's own value, changed or not.
    pub yours: String,
    /// The result of the merge.
    pub outcome: MergeOutcome,
}

impl MergedField {
    /// Returns the value in the merged lead, or `None` if the person must choose.
    pub fn merged(&self) -> Option<&str> {
        match self.outcome {
            MergeOutcome::Kept => Some(&self.yours),
            MergeOutcome::Untouched | MergeOutcome::Theirs | MergeOutcome::Agreed => Some(&self.now),
            MergeOutcome::Overlap => None,
        }
    }
}

/// Merges the person's values with the stored values. Both started from `base`. The fields are in the order in which
/// pages show them. A field in `undecided` overlapped before and still needs a choice; its `base` is already the other
/// person's value.
pub fn merge(base: &Texts, now: &Texts, yours: &Texts, undecided: &[LeadField]) -> Vec<MergedField> {
    let rows = base.iter().zip(now.iter()).zip(yours.iter());
    rows.map(|(((field, base), (_, now)), (_, yours))| {
        let mine = yours != base;
        let theirs = now != base || undecided.contains(&field);
        let outcome = match (mine, theirs) {
            (false, false) => MergeOutcome::Untouched,
            (true, false) => MergeOutcome::Kept,
            (false, true) => MergeOutcome::Theirs,
            (true, true) if now == yours => MergeOutcome::Agreed,
            (true, true) => MergeOutcome::Overlap,
        };
        MergedField { field, now: now.clone(), yours: yours.clone(), outcome }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(values: [&str; 5]) -> Texts {
        let [name, email, state, lead_score, status] = values.map(str::to_owned);
        Texts { name, email, state, lead_score, status }
    }

    #[test]
    fn each_field_has_its_outcome() {
        let base = texts(["Ann", "ann@example.com", "NY", "50", "PROSPECT"]);
        let now = texts(["Ann", "lee@example.com", "CA", "70", "QUALIFIED"]);
        let yours = texts(["Anna", "ann@example.com", "CA", "65", "PROSPECT"]);
        let merged = merge(&base, &now, &yours, &[]);
        let outcomes: Vec<_> = merged.iter().map(|field| field.outcome).collect();
        assert_eq!(
            outcomes,
            [
                MergeOutcome::Kept,
                MergeOutcome::Theirs,
                MergeOutcome::Agreed,
                MergeOutcome::Overlap,
                MergeOutcome::Theirs
            ]
        );
        let values: Vec<_> = merged.iter().map(MergedField::merged).collect();
        assert_eq!(values, [Some("Anna"), Some("lee@example.com"), Some("CA"), None, Some("QUALIFIED")]);
    }

    #[test]
    fn an_undecided_field_still_overlaps() {
        let fresh = texts(["Ann", "ann@example.com", "NY", "70", "PROSPECT"]);
        let yours = Texts { lead_score: "65".to_owned(), ..fresh.clone() };
        let merged = merge(&fresh, &fresh, &yours, &[LeadField::LeadScore]);
        assert_eq!(merged[3].outcome, MergeOutcome::Overlap);
        assert_eq!(merge(&fresh, &fresh, &yours, &[])[3].outcome, MergeOutcome::Kept);
    }

    fn any_texts() -> impl Strategy<Value = Texts> {
        // Few values, so that both often pick the same.
        prop::array::uniform5("[ab]?").prop_map(|values| texts(values.each_ref().map(String::as_str)))
    }

    proptest! {
        #[test]
        fn a_merge_keeps_every_edit_and_loses_no_value(
            base in any_texts(), now in any_texts(), yours in any_texts()
        ) {
            let merged = merge(&base, &now, &yours, &[]);
            prop_assert_eq!(merged.len(), LeadField::EDITABLE.len());
            for field in merged {
                let was = base.get(field.field).unwrap();
                let (theirs, mine) = (now.get(field.field).unwrap(), yours.get(field.field).unwrap());
                prop_assert_eq!((&field.now, &field.yours), (theirs, mine));
                let expected = match (theirs == was, mine == was) {
                    (true, _) => Some(mine.as_str()),
                    (false, true) => Some(theirs.as_str()),
                    (false, false) if theirs == mine => Some(mine.as_str()),
                    (false, false) => None,
                };
                prop_assert_eq!(field.merged(), expected);
            }
        }
    }
}
