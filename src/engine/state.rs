//! What the writer knows besides what is stored, and one write while it is judged.

use std::sync::Arc;

use jiff::Timestamp;

use super::action::Effects;
use super::catalog;
use super::storage::{Batch, Read, StorageError};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::{Fingerprint, Remembered, Tokens};

/// Returns the current time.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the writer knows besides what is stored.
pub(super) struct State {
    pub(super) catalog: Arc<Catalog>,
    pub(super) log: LogEnd,
    pub(super) tokens: Tokens,
}

impl State {
    pub(super) fn load(read: &dyn Read) -> Result<Self, StorageError> {
        Ok(Self {
            catalog: Arc::new(catalog::load(read)?),
            log: LogEnd::load(read)?,
            tokens: Tokens::default(),
        })
    }

    /// Takes over what a write that succeeded changes besides what is stored.
    pub(super) fn adopt(&mut self, changes: Changes) {
        self.log = changes.log;
        if let Some(catalog) = changes.catalog {
            self.catalog = catalog;
        }
        if let Some((token, remembered)) = changes.token {
            self.tokens.remember(token, remembered);
        }
    }
}

/// One write while it is judged: what it sees, and what it changes if it succeeds. Nothing else changes before that, so a
/// judgment that fails, in whatever way, leaves nothing behind.
pub(super) struct Writing<'a> {
    pub(super) read: &'a dyn Read,
    pub(super) state: &'a State,
    pub(super) now: Timestamp,
    pub(super) changes: Changes,
}

/// What a write changes if it succeeds.
pub(super) struct Changes {
    pub(super) batch: Batch,
    /// Where the stream's log ends after the write.
    pub(super) log: LogEnd,
    /// The tables after the write, if it changes them.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// The client request token that the write used, and what is remembered of it.
    pub(super) token: Option<(Fingerprint, Remembered)>,
    /// Whether the write frees much space, which the data file may give back in small steps.
    pub(super) frees: bool,
}

impl<'a> Writing<'a> {
    pub(super) fn new(read: &'a dyn Read, state: &'a State, now: Timestamp) -> Self {
        let changes =
            Changes { batch: Batch::default(), log: state.log, catalog: None, token: None, frees: false };
        Self { read, state, now, changes }
    }

    /// Adds effects to what the write changes, with one row in the stream's log.
    pub(super) fn commit(&mut self, effects: Effects) {
        let Effects { mut batch, changes, .. } = effects;
        self.changes.log.append(&changes, self.now, &mut batch);
        self.changes.batch.changes.append(&mut batch.changes);
    }
}
