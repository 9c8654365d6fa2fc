//! The rules for changes of a lead, in two forms: as a guard on the stored lead that DynamoDB checks, and as the broken
//! rule that people read. A test ensures that both agree.

use jiff::Timestamp;

use super::{Company, FieldEdits, Lead, LeadField, LeadSource, Owner, Phone, Score, Status, Stock};
use crate::base::identity::Actor;
use crate::base::values::{Email, Name, UsState};

/// A business rule that forbids a change although its version is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A lead becomes CONVERTED only with a score of 80 or more.
    ConvertNeedsScore,
    /// A CONVERTED lead's score stays at 80 or more.
    ConvertedKeepsScore,
    /// Only an administrator can take a lead out of CONVERTED, by reopening it.
    ConvertedIsReopened,
    /// Only a CONVERTED lead can be reopened.
    OnlyConvertedReopens,
    /// A lead in an open order cannot be deleted.
    AssignedStays,
    /// A lead in an open order keeps its state.
    AssignedKeepsState,
    /// Only a withheld lead can be put back in stock.
    OnlyWithheldRestocks,
    /// A lead in an open order cannot be merged.
    AssignedIsNotMerged,
    /// Two leads cannot have the same email address.
    EmailIsUnique,
}

impl Rule {
    /// Returns the field at which pages show the rule.
    pub fn field(self) -> LeadField {
        match self {
            Self::ConvertNeedsScore | Self::ConvertedIsReopened | Self::OnlyConvertedReopens => {
                LeadField::Status
            }
            Self::ConvertedKeepsScore => LeadField::LeadScore,
            Self::AssignedStays | Self::AssignedIsNotMerged | Self::OnlyWithheldRestocks => LeadField::Stock,
            Self::AssignedKeepsState => LeadField::State,
            Self::EmailIsUnique => LeadField::Email,
        }
    }

    /// Returns the rule's name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConvertNeedsScore => "convert-needs-score",
            Self::ConvertedKeepsScore => "converted-keeps-score",
            Self::ConvertedIsReopened => "converted-is-reopened",
            Self::OnlyConvertedReopens => "only-converted-reopens",
            Self::AssignedStays => "assigned-stays",
            Self::AssignedKeepsState => "assigned-keeps-state",
            Self::OnlyWithheldRestocks => "only-withheld-restocks",
            Self::AssignedIsNotMerged => "assigned-is-not-merged",
            Self::EmailIsUnique => "email-is-unique",
        }
    }

    /// Returns the message for people, which says how to comply.
    pub fn words(self) -> &'static str {
        match self {
            Self::ConvertNeedsScore => "A lead needs a score of 80 or more to be converted.",
            Self::ConvertedKeepsScore => {
                "A converted lead needs a score of 80 or more. An administrator can reopen it first."
            }
            Self::ConvertedIsReopened => "A converted lead keeps its status. An administrator can reopen it.",
            Self::OnlyConvertedReopens => "Only a converted lead can be reopened.",
            Self::AssignedStays => {
                "A lead in an order can't be deleted. Release it or delete the order first."
            }
            Self::AssignedKeepsState => {
                "The state of a lead in an order can't change. Release it from the order first."
            }
            Self::OnlyWithheldRestocks => "Only a withheld lead can be put back in stock.",
            Self::AssignedIsNotMerged => {
                "A lead in an open order can't be merged. Release it or fulfill the order first."
            }
            Self::EmailIsUnique => "Another lead already has this email.",
        }
    }
}

/// The condition on the stored lead, besides its version, that allows a change. DynamoDB checks the lead before the
/// change, so a guard refers only to stored values that the change keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The new values are valid for every stored lead.
    VersionAlone,
    /// The stored score is 80 or more.
    ScoreAllowsConversion,
    /// The stored status is not CONVERTED.
    NotConverted,
    /// No stored lead allows the change because its new values contradict each other.
    Never,
}

/// A partial change. Fields that are `None` keep their value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadChange {
    /// The new name.
    pub name: Option<Name>,
    /// The new email address.
    pub email: Option<Email>,
    /// The new state. `Some(None)` removes the state.
    pub state: Option<Option<UsState>>,
    /// The new score.
    pub lead_score: Option<Score>,
    /// The new status.
    pub status: Option<Status>,
    /// The new phone number. `Some(None)` removes it; so with the following.
    pub phone: Option<Option<Phone>>,
    /// The new company.
    pub company: Option<Option<Company>>,
    /// The new source.
    pub source: Option<Option<LeadSource>>,
    /// The new owner.
    pub owner: Option<Option<Owner>>,
    /// The edits of custom fields.
    pub fields: FieldEdits,
}

impl LeadChange {
    /// Returns the condition on the stored status and score that allows this change.
    pub fn guard(&self) -> Guard {
        match (self.status, self.lead_score) {
            (Some(Status::Converted), Some(score)) if score < Score::TO_CONVERT => Guard::Never,
            (Some(Status::Converted), Some(_)) => Guard::VersionAlone,
            (Some(Status::Converted), None) => Guard::ScoreAllowsConversion,
            (Some(_), _) => Guard::NotConverted,
            (None, Some(score)) if score < Score::TO_CONVERT => Guard::NotConverted,
            (None, _) => Guard::VersionAlone,
        }
    }

    /// Returns the rule that this change breaks for a stored lead, if any.
    pub fn broken_rule(&self, stored: &Lead) -> Option<Rule> {
        self.broken_pipeline_rule(stored).or_else(|| self.broken_state_rule(stored))
    }

    /// Returns the rule of states that this change breaks for a stored lead, if any.
    pub fn broken_state_rule(&self, stored: &Lead) -> Option<Rule> {
        let changes_state = self.state.is_some_and(|state| state != stored.state);
        (changes_state && stored.stock == Stock::Assigned).then_some(Rule::AssignedKeepsState)
    }

    fn broken_pipeline_rule(&self, stored: &Lead) -> Option<Rule> {
        let status = self.status.unwrap_or(stored.status);
        let score = self.lead_score.unwrap_or(stored.lead_score);
        let was_converted = stored.status == Status::Converted;
        if status != Status::Converted {
            return was_converted.then_some(Rule::ConvertedIsReopened);
        }
        (score < Score::TO_CONVERT).then_some(if was_converted {
            Rule::ConvertedKeepsScore
        } else {
            Rule::ConvertNeedsScore
        })
    }

    /// Returns the lead after this change, whether or not the rules allow it. Its custom fields are another item.
    pub fn applied_to(&self, stored: &Lead, now: Timestamp, by: Actor) -> Lead {
        fn changed<T: Clone>(new: &Option<T>, old: &T) -> T {
            new.clone().unwrap_or_else(|| old.clone())
        }
        Lead {
            name: changed(&self.name, &stored.name),
            email: changed(&self.email, &stored.email),
            phone: changed(&self.phone, &stored.phone),
            company: changed(&self.company, &stored.company),
            state: changed(&self.state, &stored.state),
            lead_score: changed(&self.lead_score, &stored.lead_score),
            status: changed(&self.status, &stored.status),
            source: changed(&self.source, &stored.source),
            owner: changed(&self.owner, &stored.owner),
            ..stored.next_version(now, by)
        }
    }

    /// Returns whether the change sets no field.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::{LeadId, NewLead};

    fn stored(status: Status, score: i64) -> Lead {
        let new = NewLead {
            lead_score: Score::try_from(score).unwrap(),
            ..NewLead::named("Ann".parse().unwrap(), "ann@example.com".parse().unwrap())
        };
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        let lead = new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("test")).unwrap();
        Lead { status, ..lead }
    }

    fn admits(guard: Guard, stored: &Lead) -> bool {
        match guard {
            Guard::VersionAlone => true,
            Guard::ScoreAllowsConversion => stored.lead_score >= Score::TO_CONVERT,
            Guard::NotConverted => stored.status != Status::Converted,
            Guard::Never => false,
        }
    }

    #[test]
    fn the_guard_allows_exactly_the_changes_that_break_no_rule() {
        let scores = || (0..=100).filter(|score| [0, 79, 80, 100].contains(score));
        let statuses = || Status::ALL.into_iter();
        for status in statuses() {
            for score in scores().filter(|score| status != Status::Converted || *score >= 80) {
                let stored = stored(status, score);
                for new_status in statuses().map(Some).chain([None]) {
                    for new_score in scores().map(Some).chain([None]) {
                        let lead_score = new_score.map(|score| Score::try_from(score).unwrap());
                        let change = LeadChange { status: new_status, lead_score, ..LeadChange::default() };
                        let allowed = change.broken_rule(&stored).is_none();
                        assert_eq!(
                            admits(change.guard(), &stored),
                            allowed,
                            "{status:?}@{score}: {change:?}"
                        );
                    }
                }
            }
        }
    }
}
