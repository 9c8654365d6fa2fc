//! The input and the result of one poll of a stream, for both kinds of stream.

use jiff::Timestamp;

use crate::store::stream::Batch;
use crate::store::{Dynamo, Key};

/// The consumer that a stream is read for.
pub(super) struct Subscription {
    pub(super) dynamo: Dynamo,
    pub(super) consumer: &'static str,
    pub(super) relevant: fn(&Key) -> bool,
}

/// What one poll of a stream handled.
#[derive(Debug, Default)]
pub(super) struct PollReport {
    /// The time of the last handled change.
    pub(super) handled: Option<Timestamp>,
    /// The handler's error, if it failed.
    pub(super) unhandled: Option<String>,
}

impl PollReport {
    pub(super) fn handled(&mut self, batch: &Batch) {
        self.handled = batch.changes.iter().map(|change| change.at).max().or(self.handled);
    }

    pub(super) fn unhandled(&mut self, cause: String) {
        self.unhandled = Some(cause);
    }
}

/// The result of one poll of a stream. Of several results, the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Poll {
    /// The stream has nothing new.
    Nothing,
    /// There may be more.
    More,
    /// A failure must be retried after a wait.
    Retry,
}
