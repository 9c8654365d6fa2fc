//! Merges two edits of one lead that started from the same version, field by field. Pure. `merge_leads.rs` merges two
//! leads.
//!
//! Invariants: a field that one person changed has that value in the merged lead. A field that both changed to
//! different values has no merged value until the person chooses. No value is lost.

use super::domain::{FieldName, LeadField};

/// A field of a lead in a form: one of its own or a custom one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKey {
    /// A field that every lead has.
    Own(LeadField),
    /// A custom field.
    Custom(FieldName),
}

impl FieldKey {
    /// Returns the name in forms, for example `leadScore` or `fields.Industry`.
    pub fn name(&self) -> String {
        match self {
            Self::Own(field) => field.as_str().to_owned(),
            Self::Custom(name) => format!("fields.{name}"),
        }
    }

    /// Returns the name for people.
    pub fn label(&self) -> String {
        match self {
            Self::Own(field) => field.label().to_owned(),
            Self::Custom(name) => name.to_string(),
        }
    }
}

/// A field of a form: what the person saw, and what they typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedField {
    /// The field.
    pub key: FieldKey,
    /// The value that the person saw.
    pub base: String,
    /// The value that they typed.
    pub typed: String,
    /// Whether another person changed it too, and it still needs a choice. `base` is then already the other person's
    /// value.
    pub undecided: bool,
}

/// The result of merging one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeOutcome {
    /// Neither side changed it.
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
    pub key: FieldKey,
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

/// Merges the person's values with the stored values, which `now` returns.
pub fn merge(fields: Vec<TypedField>, now: impl Fn(&FieldKey) -> String) -> Vec<MergedField> {
    fields.into_iter().map(|field| merge_field(field, &now)).collect()
}

fn merge_field(field: TypedField, now: impl Fn(&FieldKey) -> String) -> MergedField {
    let TypedField { key, base, typed: yours, undecided } = field;
    let now = now(&key);
    let (mine, theirs) = (yours != base, now != base || undecided);
    let outcome = match (mine, theirs) {
        (false, false) => MergeOutcome::Untouched,
        (true, false) => MergeOutcome::Kept,
        (false, true) => MergeOutcome::Theirs,
        (true, true) if now == yours => MergeOutcome::Agreed,
        (true, true) => MergeOutcome::Overlap,
    };
    MergedField { key, now, yours, outcome }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(field: LeadField, base: &str, typed: &str) -> TypedField {
        let (base, typed) = (base.to_owned(), typed.to_owned());
        TypedField { key: FieldKey::Own(field), base, typed, undecided: false }
    }

    #[test]
    fn each_field_has_its_outcome() {
        let industry: FieldName = "Industry".parse().unwrap();
        let custom = TypedField {
            key: FieldKey::Custom(industry),
            base: String::new(),
            typed: "Roofing".to_owned(),
            undecided: false,
        };
        let fields = vec![
            typed(LeadField::Name, "Ann", "Anna"),
            typed(LeadField::Email, "ann@example.com", "ann@example.com"),
            typed(LeadField::State, "NY", "CA"),
            typed(LeadField::LeadScore, "50", "65"),
            typed(LeadField::Phone, "", ""),
            custom,
        ];
        let now = |key: &FieldKey| match key {
            FieldKey::Own(LeadField::Name) => "Ann",
            FieldKey::Own(LeadField::Email) => "lee@example.com",
            FieldKey::Own(LeadField::State) => "CA",
            FieldKey::Own(LeadField::LeadScore) => "70",
            _ => "",
        };
        let merged = merge(fields, |key| now(key).to_owned());
        let outcomes: Vec<_> = merged.iter().map(|field| field.outcome).collect();
        use MergeOutcome::{Agreed, Kept, Overlap, Theirs, Untouched};
        assert_eq!(outcomes, [Kept, Theirs, Agreed, Overlap, Untouched, Kept]);
        let values: Vec<_> = merged.iter().map(MergedField::merged).collect();
        assert_eq!(
            values,
            [Some("Anna"), Some("lee@example.com"), Some("CA"), None, Some(""), Some("Roofing")]
        );
        assert_eq!(
            (merged[5].key.name(), merged[5].key.label()),
            ("fields.Industry".into(), "Industry".into())
        );
    }

    #[test]
    fn an_undecided_field_still_overlaps() {
        let score = typed(LeadField::LeadScore, "70", "65");
        let again = |undecided| {
            let field = TypedField { undecided, ..score.clone() };
            merge(vec![field], |_| "70".to_owned())[0].outcome
        };
        assert_eq!((again(true), again(false)), (MergeOutcome::Overlap, MergeOutcome::Kept));
    }

    proptest! {
        // Few values, so that both often pick the same.
        #[test]
        fn a_merge_keeps_every_edit_and_loses_no_value(was in "[ab]?", theirs in "[ab]?", mine in "[ab]?") {
            let field = typed(LeadField::Company, &was, &mine);
            let merged = merge(vec![field], |_| theirs.clone()).remove(0);
            prop_assert_eq!((&merged.now, &merged.yours), (&theirs, &mine));
            let expected = match (theirs == was, mine == was) {
                (true, _) => Some(mine.as_str()),
                (false, true) => Some(theirs.as_str()),
                (false, false) if theirs == mine => Some(mine.as_str()),
                (false, false) => None,
            };
            prop_assert_eq!(merged.merged(), expected);
        }
    }
}
