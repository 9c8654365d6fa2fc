//! Errors of the store, and how the log shows an error and a key.

use super::Key;
use super::versions::{OLDEST, SCHEMA};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a call of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer or was too busy until the deadline. A write with this error changed nothing and never
    /// will.
    #[error("{operation} did not succeed before its deadline, after {attempts} attempts: {last}")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        last: String,
    },
    /// A write was sent, and no answer came until the deadline. It may have happened, or may still happen.
    #[error("the outcome of {operation} is unknown after {attempts} attempts: {last}")]
    OutcomeUnknown {
        /// The DynamoDB operation.
        operation: &'static str,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        last: String,
    },
    /// The disk of the embedded engine is full. This call changed nothing, but earlier calls of the same request may
    /// have. Writes work again once there is space.
    #[error("{operation} failed: the disk is full")]
    Full {
        /// The DynamoDB operation.
        operation: &'static str,
    },
    /// The store rejected the call, and a retry cannot help: this program or its configuration is wrong.
    #[error("{operation} failed: {cause}")]
    Failed {
        /// The DynamoDB operation.
        operation: &'static str,
        /// The store's message.
        cause: String,
    },
    /// Another program version wrote the item, in a schema that this program does not read.
    #[error(
        "the item {item} is of schema {found}, and this program reads {OLDEST} and {SCHEMA}: \
         it was rolled back too far, or a version was skipped"
    )]
    OtherSchema {
        /// The item's key, without personal data.
        item: String,
        /// The schema number of the item.
        found: String,
    },
    /// An item holds data that this program does not understand.
    #[error("the item {item} is malformed: {cause}")]
    Malformed {
        /// The item's key, without personal data.
        item: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl StoreError {
    pub(super) fn failed(operation: &'static str, error: impl Into<Source>) -> Self {
        let error: Source = error.into();
        Self::Failed { operation, cause: error_chain(&*error) }
    }

    /// Whether the failure is temporary, even if it lasts long, and not a fault of this program.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::Full { .. })
    }

    /// Creates the error for a refused condition that the item satisfies. Something other than this program changed the
    /// table.
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

/// Formats a key for the log. It may show the kind of an item and an id, but no email address and no word of a name.
fn redact(key: &Key) -> String {
    let redacted = |text: &str| match text.split_once('#') {
        Some((kind, id)) if uuid::Uuid::try_parse(id).is_err() => format!("{kind}#…"),
        _ => text.split(' ').next().unwrap_or_default().to_owned(),
    };
    let sort = if key.pk.starts_with("SEARCH#") || key.pk.starts_with("WORD#") {
        "…".to_owned()
    } else {
        redacted(&key.sk)
    };
    format!("{} {sort}", redacted(&key.pk))
}

/// Returns the messages of an error and its causes, without their fields, because a canceled transaction holds personal
/// data.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut messages: Vec<String> = causes.map(ToString::to_string).collect();
    messages.dedup();
    messages.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_key_shows_ids_and_no_personal_data() {
        let id = "019f0000-0000-7000-8000-000000000000";
        for (pk, sk, redacted) in [
            (format!("LEAD#{id}"), "LEAD", format!("LEAD#{id} LEAD")),
            ("EMAIL#ann@example.com".to_owned(), "EMAIL", "EMAIL#… EMAIL".to_owned()),
            ("SEARCH#a".to_owned(), "ann 019f", "SEARCH#… …".to_owned()),
            ("WORD#an".to_owned(), "ann 019f", "WORD#… …".to_owned()),
            (format!("LEAD#{id}"), "HISTORY#0000000001", format!("LEAD#{id} HISTORY#…")),
        ] {
            assert_eq!(redact(&Key::new(pk, sk)), redacted);
        }
    }
}
