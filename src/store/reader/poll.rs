//! The input and the result of one poll, for both kinds of streams.

use std::sync::Arc;

use jiff::Timestamp;

use crate::store::{Dynamo, Key};

/// The consumer for which a stream is read.
pub(super) struct Subscription {
    pub(super) dynamo: Dynamo,
    pub(super) consumer: &'static str,
    pub(super) relevant: fn(&Key) -> bool,
}

/// The progress of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every change in the stream is handled.
    CaughtUp,
    /// All changes up to this time are handled, and there may be more.
    Handled(Timestamp),
    /// Reading or handling failed and is retried.
    Failed,
    /// The stream deleted changes before they were read. Later changes are read after this report.
    Lost,
}

pub(super) type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// What one poll of a stream did.
#[derive(Default)]
pub(super) struct PollReport {
    /// All changes of all shards up to this time are handled, if that is known.
    pub(super) handled: Option<Timestamp>,
    /// The handler's error, if it failed.
    pub(super) unhandled: Option<String>,
    /// Receives the progress at once.
    pub(super) listener: Option<Listener>,
}

impl PollReport {
    /// Logs and reports that the stream deleted changes before they were read.
    pub(super) fn report_loss(&self, consumer: &str) {
        tracing::error!(
            consumer,
            "the stream deleted changes before they were read: rules did not run for them, and statistics may be \
             wrong until you run `holdfast recount`"
        );
        if let Some(listener) = &self.listener {
            listener(Progress::Lost);
        }
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
