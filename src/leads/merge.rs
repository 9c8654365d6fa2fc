//! Two people edited one lead from the same version: what each of them changed, field by field. Pure.
//!
//! What always holds: a field that one of them changed has that value in the merged lead; a field that both changed,
//! to different values, has none until the person chooses; and neither's value ever vanishes.

use super::domain::LeadField;
use super::forms::Texts;

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeOutcome {
    /// Nobody changed it.
    Untouched,
    /// Only the person changed it.
    Kept,
    /// Only somebody else changed it.
    Theirs,
    /// Both changed it, to the same value.
    Agreed,
    /// Both changed it, to different values: the person chooses.
    Overlap,
}

/// A field as the person saw it, as it stands now, and as the person wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedField {
    /// Which field.
    pub field: LeadField,
    /// The value stored now.
    pub now: String,
    /// The value that the person wants, or saw and left.
    pub yours: String,
    /// What became of it.
    pub fate: MergeOutcome,
}

impl MergedField {
    /// The value in the merged lead; none where the person has to choose.
    pub fn merged(&self) -> Option<&str> {
        match self.fate {
            MergeOutcome::Kept => Some(&self.yours),
            MergeOutcome::Untouched | MergeOutcome::Theirs | MergeOutcome::Agreed => Some(&self.now),
            MergeOutcome::Overlap => None,
        }
    }
}

/// Merges what the person wants with what is stored now, both made of `base`, in the order of the pages. A field in
/// `undecided` was found to overlap before and is not chosen yet; its `base` is somebody else's value already.
pub fn merge(base: &Texts, now: &Texts, yours: &Texts, undecided: &[LeadField]) -> Vec<MergedField> {
    let rows = base.iter().zip(now.iter()).zip(yours.iter());
    rows.map(|(((field, base), (_, now)), (_, yours))| {
        let mine = yours != base;
        let theirs = now != base || undecided.contains(&field);
        let fate = match (mine, theirs) {
            (false, false) => MergeOutcome::Untouched,
            (true, false) => MergeOutcome::Kept,
            (false, true) => MergeOutcome::Theirs,
            (true, true) if now == yours => MergeOutcome::Agreed,
            (true, true) => MergeOutcome::Overlap,
        };
        MergedField { field, now: now.clone(), yours: yours.clone(), fate }
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
    fn each_field_has_its_fate() {
        let base = texts(["Ann", "ann@example.com", "NY", "50", "PROSPECT"]);
        let now = texts(["Ann", "lee@example.com", "CA", "70", "QUALIFIED"]);
        let yours = texts(["Anna", "ann@example.com", "CA", "65", "PROSPECT"]);
        let merged = merge(&base, &now, &yours, &[]);
        let fates: Vec<_> = merged.iter().map(|field| field.fate).collect();
        assert_eq!(
            fates,
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
    fn a_field_that_was_not_chosen_yet_still_overlaps_though_its_base_is_fresh() {
        let fresh = texts(["Ann", "ann@example.com", "NY", "70", "PROSPECT"]);
        let yours = Texts { lead_score: "65".to_owned(), ..fresh.clone() };
        let merged = merge(&fresh, &fresh, &yours, &[LeadField::LeadScore]);
        assert_eq!(merged[3].fate, MergeOutcome::Overlap);
        assert_eq!(merge(&fresh, &fresh, &yours, &[])[3].fate, MergeOutcome::Kept);
    }

    fn any_texts() -> impl Strategy<Value = Texts> {
        // Few values, so that both often choose the same.
        prop::array::uniform5("[ab]?").prop_map(|values| texts(values.each_ref().map(String::as_str)))
    }

    proptest! {
        #[test]
        fn the_merge_holds_every_edit_of_both_and_loses_no_value(
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
