//! The writer's state in memory, and the context of one write.

use std::sync::Arc;

use jiff::Timestamp;

use super::action::Effects;
use super::catalog;
use super::storage::{Batch, Read, StorageError};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::{Fingerprint, TokenRecord, Tokens};

pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

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

    /// Applies the changes of a successful write to the state in memory.
    pub(super) fn apply(&mut self, changes: Changes) {
        self.log = changes.log;
        if let Some(catalog) = changes.catalog {
            self.catalog = catalog;
        }
        if let Some((token, record)) = changes.token {
            self.tokens.save(token, record);
        }
    }
}

/// The context of one write: the state that it sees and the changes that it collects. A write changes nothing
/// else, so a failed write has no effect.
pub(super) struct WriteContext<'a> {
    pub(super) read: &'a dyn Read,
    pub(super) state: &'a State,
    pub(super) now: Timestamp,
    pub(super) changes: Changes,
}

/// The changes of a write, applied if it succeeds.
pub(super) struct Changes {
    pub(super) batch: Batch,
    /// The end of the stream's log after the write.
    pub(super) log: LogEnd,
    /// The tables after the write, if the write changes them.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// The client request token that the write used, and its record.
    pub(super) token: Option<(Fingerprint, TokenRecord)>,
    /// Whether the write frees much space, which the data file can then release in small steps.
    pub(super) frees_space: bool,
}

impl<'a> WriteContext<'a> {
    pub(super) fn new(read: &'a dyn Read, state: &'a State, now: Timestamp) -> Self {
        let changes = Changes {
            batch: Batch::default(),
            log: state.log,
            catalog: None,
            token: None,
            frees_space: false,
        };
        Self { read, state, now, changes }
    }

    /// Adds effects to the changes of the write, as one row in the stream's log.
    pub(super) fn commit(&mut self, effects: Effects) {
        let Effects { mut batch, changes, .. } = effects;
        self.changes.log.append(&changes, self.now, &mut batch);
        self.changes.batch.changes.append(&mut batch.changes);
    }
}
