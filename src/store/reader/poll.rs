//! The input and the result of one poll, for both kinds of streams.

use jiff::Timestamp;

use crate::store::{Dynamo, Key};

/// The consumer for which a stream is read.
pub(super) struct Subscription {
    pub(super) dynamo: Dynamo,
    pub(super) consumer: &'static str,
    pub(super) relevant: fn(&Key) -> bool,
}

/// What one poll of a stream handled.
#[derive(Debug, Default)]
pub(super) struct PollReport {
    /// All changes of all shards up to this time are handled, if that is known.
    pub(super) handled: Option<Timestamp>,
    /// The handler's error, if it failed.
    pub(super) unhandled: Option<String>,
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
