//! What every look at a stream needs and gives back, whichever stream it is.

use jiff::Timestamp;

use crate::store::stream::Batch;
use crate::store::{Dynamo, Key};

/// For whom a stream is read.
pub(super) struct Audience {
    pub(super) dynamo: Dynamo,
    pub(super) consumer: &'static str,
    pub(super) relevant: fn(&Key) -> bool,
}

/// What one look at a stream met.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The time of the last change that was handled.
    pub(super) handled: Option<Timestamp>,
    /// Why a batch was not handled.
    pub(super) unhandled: Option<String>,
}

impl Seen {
    pub(super) fn handled(&mut self, batch: &Batch) {
        self.handled = batch.changes.iter().map(|change| change.at).max().or(self.handled);
    }

    pub(super) fn unhandled(&mut self, cause: String) {
        self.unhandled = Some(cause);
    }
}

/// What one look at a stream came to. The greater decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// The stream told nothing new.
    Nothing,
    /// There may be more.
    More,
    /// What failed is to be tried again after a wait.
    Later,
}
