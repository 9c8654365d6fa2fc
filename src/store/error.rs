//! Why the store fails, and how an error and a key are shown in the log.

use super::Key;
use super::versions::{OLDEST, SCHEMA};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or was too busy, until the deadline. A write with this failure changed nothing, and never will.
    #[error("{operation} did not succeed before its deadline, after {attempts} attempts: {last}")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt failed of.
        last: String,
    },
    /// A write was sent, and no answer came until the deadline: it may have happened, or may still happen.
    #[error("the outcome of {operation} is unknown after {attempts} attempts: {last}")]
    OutcomeUnknown {
        /// The DynamoDB operation.
        operation: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt failed of.
        last: String,
    },
    /// The disk under the embedded engine is full. This call changed nothing, but earlier calls of the same request may
    /// have. Writing resumes once there is space.
    #[error("{operation} failed: the disk is full")]
    Full {
        /// The DynamoDB operation.
        operation: &'static str,
    },
    /// It refused in a way that no waiting mends: a fault of this program or of its set-up.
    #[error("{operation} failed: {cause}")]
    Failed {
        /// The DynamoDB operation.
        operation: &'static str,
        /// What it said.
        cause: String,
    },
    /// An item is of a form that this program does not read: another version wrote it.
    #[error(
        "the item {item} is of schema {found}, and this program reads {OLDEST} and {SCHEMA}: \
         it was rolled back too far, or a version was left out"
    )]
    OtherSchema {
        /// Its key, without what it says of people.
        item: String,
        /// The number that it bears.
        found: String,
    },
    /// An item holds what this program does not understand.
    #[error("the item {item} is malformed: {cause}")]
    Malformed {
        /// Its key, without what it says of people.
        item: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl StoreError {
    pub(super) fn failed(operation: &'static str, error: impl Into<Cause>) -> Self {
        let error: Cause = error.into();
        Self::Failed { operation, cause: error_chain(&*error) }
    }

    /// Whether it passes, if not soon, and is nobody's fault.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::Full { .. })
    }

    /// A condition was refused, and the item that it guards satisfies it: the table was changed by other means.
    pub fn invariant_violation(operation: &'static str, key: &Key) -> Self {
        let cause = format!("the refusal of a condition on {} has no cause", redact(key));
        Self::Failed { operation, cause }
    }

    pub(super) fn other_schema(key: &Key, found: String) -> Self {
        Self::OtherSchema { item: redact(key), found }
    }

    pub(super) fn malformed(key: &Key, error: impl std::fmt::Display) -> Self {
        Self::Malformed { item: redact(key), cause: error.to_string() }
    }
}

/// A key for the log. Behind the kind of an item an id may be shown; an e-mail address or a word of a name may not.
fn redact(key: &Key) -> String {
    let shown = |text: &str| match text.split_once('#') {
        Some((kind, id)) if uuid::Uuid::try_parse(id).is_err() => format!("{kind}#…"),
        _ => text.split(' ').next().unwrap_or_default().to_owned(),
    };
    let sort = if key.pk.starts_with("SEARCH#") { "…".to_owned() } else { shown(&key.sk) };
    format!("{} {sort}", shown(&key.pk))
}

/// What an error and its causes say. Not what they hold: a cancelled transaction holds people's data.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_log_shows_ids_and_no_person() {
        let id = "019f0000-0000-7000-8000-000000000000";
        for (pk, sk, shown) in [
            (format!("LEAD#{id}"), "LEAD", format!("LEAD#{id} LEAD")),
            ("EMAIL#ann@example.com".to_owned(), "EMAIL", "EMAIL#… EMAIL".to_owned()),
            ("SEARCH#a".to_owned(), "ann 019f", "SEARCH#… …".to_owned()),
            (format!("LEAD#{id}"), "HISTORY#0000000001", format!("LEAD#{id} HISTORY#…")),
        ] {
            assert_eq!(redact(&Key::new(pk, sk)), shown);
        }
    }
}
