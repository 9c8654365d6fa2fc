//! The embedded engine: DynamoDB's semantics for what the product sends, over ordered bytes, in this process.
//!
//! Invariants:
//! - Writes are judged one after another, each against the state that all before it left. A transaction happens as a
//!   whole or not at all.
//! - On disk, nothing is answered, refusals included, before the state that it was judged against is synced.
//! - A request's parameters and expressions are checked by the caller; the one writer only judges and stores.
//! - What the engine does not support is a `ValidationException` that names it, never a silent difference.
//! - Neither input nor stored bytes can make it panic; damaged bytes are an `InternalServerError`.
//!
//! Differences from DynamoDB that callers may see: indexes are consistent at once, a batch happens as a whole, numbers
//! come back in their shortest form, nothing is throttled unless the queue of writes is full, and client request tokens
//! are forgotten when the process ends.

mod action;
mod capacity;
mod codec;
mod ddl;
mod disk;
mod error;
mod expire;
mod expression;
mod index;
mod key;
mod number;
mod query;
mod read;
mod readers;
mod storage;
mod stream;
mod tables;
mod transact;
mod write;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::create_table::{CreateTableInput, CreateTableOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::delete_table::{DeleteTableInput, DeleteTableOutput};
use aws_sdk_dynamodb::operation::describe_table::{DescribeTableInput, DescribeTableOutput};
use aws_sdk_dynamodb::operation::describe_time_to_live::{DescribeTimeToLiveInput, DescribeTimeToLiveOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::list_tables::{ListTablesInput, ListTablesOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::operation::update_table::{UpdateTableInput, UpdateTableOutput};
use aws_sdk_dynamodb::operation::update_time_to_live::{UpdateTimeToLiveInput, UpdateTimeToLiveOutput};
use aws_sdk_dynamodb::types::ReturnItemCollectionMetrics;
use jiff::Timestamp;

pub use self::error::{EngineError, ErrorCode};
pub use self::storage::OpenError;
pub use self::stream::{ChangeKind, StreamPage, StreamRecord};

use self::action::{Action, Effects};
use self::codec::ItemRef;
use self::disk::{Disk, Published};
use self::storage::{Batch, Memory, Read, Space, StorageError};
use self::stream::LogEnd;
use self::tables::{Catalog, Table};
use self::transact::Tokens;

/// Returns the current time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// The tables as they are committed.
    catalog: Published,
    backend: Backend,
}

enum Backend {
    Memory { storage: RwLock<Memory>, state: Mutex<State>, clock: Clock },
    Disk(Disk),
}

/// What the writer knows besides what is stored.
struct State {
    catalog: Arc<Catalog>,
    log: LogEnd,
    tokens: Tokens,
}

impl State {
    fn load(read: &dyn Read) -> Result<Self, StorageError> {
        Ok(Self { catalog: Arc::new(ddl::load(read)?), log: LogEnd::load(read)?, tokens: Tokens::default() })
    }

    /// Takes over what a write that succeeded changes besides what is stored.
    fn adopt(&mut self, changes: Changes) {
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
struct Writing<'a> {
    read: &'a dyn Read,
    state: &'a State,
    now: Timestamp,
    changes: Changes,
}

/// What a write changes if it succeeds.
struct Changes {
    batch: Batch,
    /// Where the stream's log ends after the write.
    log: LogEnd,
    /// The tables after the write, if it changes them.
    catalog: Option<Arc<Catalog>>,
    /// The client request token that the write used, and what is remembered of it.
    token: Option<(transact::Fingerprint, transact::Remembered)>,
    /// Whether the write frees much space, which the data file may give back in small steps.
    frees: bool,
}

impl<'a> Writing<'a> {
    fn new(read: &'a dyn Read, state: &'a State, now: Timestamp) -> Self {
        let changes =
            Changes { batch: Batch::default(), log: state.log, catalog: None, token: None, frees: false };
        Self { read, state, now, changes }
    }

    /// Adds effects to what the write changes, with one row in the stream's log.
    fn commit(&mut self, effects: Effects) {
        let Effects { mut batch, changes, .. } = effects;
        self.changes.log.append(&changes, self.now, &mut batch);
        self.changes.batch.changes.append(&mut batch.changes);
    }
}

/// The failure of a stored value that is not what was written.
fn damaged() -> EngineError {
    storage_error(StorageError::Damaged)
}

fn internal(message: impl Into<String>) -> EngineError {
    EngineError::new(ErrorCode::InternalServer, message)
}

fn storage_error(error: StorageError) -> EngineError {
    internal(error.to_string())
}

/// Refuses the parameters that are set.
fn refuse_unsupported(parameters: &[(&str, bool)]) -> Result<(), EngineError> {
    match parameters.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(EngineError::unsupported(name)),
        None => Ok(()),
    }
}

fn wants_metrics(metrics: &Option<ReturnItemCollectionMetrics>) -> bool {
    metrics == &Some(ReturnItemCollectionMetrics::Size)
}

/// A parameter that must be there.
fn required<'a, T>(parameter: &'a Option<T>, name: &str) -> Result<&'a T, EngineError> {
    parameter.as_ref().ok_or_else(|| {
        EngineError::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

impl Engine {
    /// An empty engine in memory, without threads, that takes its time from `clock`.
    pub fn in_memory(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let catalog = Arc::new(Catalog::new());
        let state = State { catalog: catalog.clone(), log: LogEnd::default(), tokens: Tokens::default() };
        let backend = Backend::Memory {
            storage: RwLock::new(Memory::default()),
            state: Mutex::new(state),
            clock: Arc::new(clock),
        };
        Self { shared: Arc::new(Shared { catalog: Arc::new(RwLock::new(catalog)), backend }) }
    }

    /// The engine on a data file, which is created with its directory if it is not there. It takes its time from
    /// `clock`. The file is this process's until the last clone is dropped.
    ///
    /// # Errors
    /// [`OpenError`], which says in one line what is wrong with the file.
    pub fn open(
        path: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (disk, catalog) = Disk::open(path, Arc::new(clock))?;
        Ok(Self { shared: Arc::new(Shared { catalog, backend: Backend::Disk(disk) }) })
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read<T>(&self, read: impl FnOnce(&dyn Read) -> Result<T, EngineError>) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, .. } => read(&*storage.read().unwrap_or_else(PoisonError::into_inner)),
            Backend::Disk(disk) => disk.read(|connection| read(connection)),
        }
    }

    /// Judges a write, stores it, and returns once it is on disk.
    fn write<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        if matches!(&self.shared.backend, Backend::Disk(disk) if disk.is_writer()) {
            return Err(internal("a callback of a write cannot wait for another write"));
        }
        let (answered, answer) = std::sync::mpsc::sync_channel(1);
        self.submit(judge, move |answer| drop(answered.send(answer)))?;
        answer.recv().map_err(|_| internal("the engine's writer has stopped"))?
    }

    /// Queues a write. `done` gets the answer once it is on disk, in memory at once.
    fn submit<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
        done: impl FnOnce(Result<T, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, state, clock } => {
                done(self.write_in_memory(storage, state, clock, judge));
                Ok(())
            }
            Backend::Disk(disk) => disk.submit(Box::new(move |writing| {
                // A judgment that panics fails alone: it changed nothing but `writing`, which is not stored.
                let answer = catch_unwind(AssertUnwindSafe(|| judge(writing))).unwrap_or_else(|_| {
                    Err(internal("the write failed unexpectedly; nothing of it is stored"))
                });
                let store = answer.is_ok();
                (store, Box::new(move |stored: Result<(), EngineError>| done(stored.and(answer))))
            })),
        }
    }

    fn write_in_memory<T>(
        &self,
        storage: &RwLock<Memory>,
        state: &Mutex<State>,
        clock: &Clock,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, mut changes) = {
            let memory = storage.read().unwrap_or_else(PoisonError::into_inner);
            let mut writing = Writing::new(&*memory, &state, clock());
            let answer = judge(&mut writing)?;
            (answer, writing.changes)
        };
        storage.write().unwrap_or_else(PoisonError::into_inner).apply(std::mem::take(&mut changes.batch));
        state.adopt(changes);
        *self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner) = state.catalog.clone();
        Ok(answer)
    }

    /// As [`transact_write_items`](Self::transact_write_items), without waiting: `done` gets the answer, on the writer's
    /// thread, so it must be short and cannot wait for another write.
    ///
    /// # Errors
    /// [`EngineError`] if the request is malformed or the queue is full; then `done` is not called.
    pub fn submit_transact_write_items(
        &self,
        input: TransactWriteItemsInput,
        done: impl FnOnce(Result<TransactWriteItemsOutput, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        self.submit(self.prepared(input, transact::prepare, transact::execute)?, done)
    }

    /// Checks a request here, and judges it where writes are.
    fn prepared_write<I, P, T>(
        &self,
        input: I,
        prepare: impl Fn(&Catalog, &I) -> Result<P, EngineError> + Send + 'static,
        execute: impl FnOnce(P, &mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError>
    where
        I: Send + 'static,
        P: Send + 'static,
        T: Send + 'static,
    {
        self.write(self.prepared(input, prepare, execute)?)
    }

    /// The judgment of a request that is checked here, and again if tables changed before it is judged.
    fn prepared<I, P, T>(
        &self,
        input: I,
        prepare: impl Fn(&Catalog, &I) -> Result<P, EngineError> + Send + 'static,
        execute: impl FnOnce(P, &mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static, EngineError>
    where
        I: Send + 'static,
        P: Send + 'static,
        T: Send + 'static,
    {
        let catalog = self.catalog();
        let plan = prepare(&catalog, &input)?;
        Ok(move |writing: &mut Writing<'_>| {
            let current = Arc::ptr_eq(&catalog, &writing.state.catalog);
            let plan = if current { plan } else { prepare(&writing.state.catalog, &input)? };
            execute(plan, writing)
        })
    }

    /// Returns the item under a key.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn get_item(&self, input: &GetItemInput) -> Result<GetItemOutput, EngineError> {
        self.read(|read| read::get_item(read, &self.catalog(), input))
    }

    /// Returns the items under up to 100 keys.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn batch_get_item(&self, input: &BatchGetItemInput) -> Result<BatchGetItemOutput, EngineError> {
        self.read(|read| read::batch_get_item(read, &self.catalog(), input))
    }

    /// Returns a page of a partition of a table or an index.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn query(&self, input: &QueryInput) -> Result<QueryOutput, EngineError> {
        self.read(|read| query::query(read, &self.catalog(), input))
    }

    /// Returns a page of a table.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn scan(&self, input: &ScanInput) -> Result<ScanOutput, EngineError> {
        self.read(|read| query::scan(read, &self.catalog(), input))
    }

    /// Stores an item if the condition holds.
    ///
    /// # Errors
    /// [`EngineError`] if the request or its condition is refused, or storage fails.
    pub fn put_item(&self, input: PutItemInput) -> Result<PutItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_put, write::put)
    }

    /// Changes attributes of an item if the condition holds.
    ///
    /// # Errors
    /// [`EngineError`] if the request or its condition is refused, or storage fails.
    pub fn update_item(&self, input: UpdateItemInput) -> Result<UpdateItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_update, write::update)
    }

    /// Deletes an item if the condition holds.
    ///
    /// # Errors
    /// [`EngineError`] if the request or its condition is refused, or storage fails.
    pub fn delete_item(&self, input: DeleteItemInput) -> Result<DeleteItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_delete, write::delete)
    }

    /// Does up to 100 writes and checks together, or none of them.
    ///
    /// # Errors
    /// [`EngineError`], with a reason for each action if one was refused.
    pub fn transact_write_items(
        &self,
        input: TransactWriteItemsInput,
    ) -> Result<TransactWriteItemsOutput, EngineError> {
        self.prepared_write(input, transact::prepare, transact::execute)
    }

    /// Does up to 25 puts and deletions.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn batch_write_item(&self, input: BatchWriteItemInput) -> Result<BatchWriteItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_batch, write::batch)
    }

    /// Creates a table. It is ready when this returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn create_table(&self, input: CreateTableInput) -> Result<CreateTableOutput, EngineError> {
        ddl::create_table(self, input)
    }

    /// Adds indexes to a table and fills them, or turns its stream on or off. It is done when this returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn update_table(&self, input: UpdateTableInput) -> Result<UpdateTableOutput, EngineError> {
        ddl::update_table(self, input)
    }

    /// Fills the indexes that a process which stopped too early left unfinished. Each step is a small write.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn build_indexes(&self) -> Result<(), EngineError> {
        ddl::build_indexes(self)
    }

    /// Describes a table. Items are not counted.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn describe_table(&self, input: &DescribeTableInput) -> Result<DescribeTableOutput, EngineError> {
        ddl::describe_table(&self.catalog(), input)
    }

    /// Lists tables by name.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused.
    pub fn list_tables(&self, input: &ListTablesInput) -> Result<ListTablesOutput, EngineError> {
        ddl::list_tables(&self.catalog(), input)
    }

    /// Deletes a table with its items.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn delete_table(&self, input: DeleteTableInput) -> Result<DeleteTableOutput, EngineError> {
        ddl::delete_table(self, input)
    }

    /// Turns time to live of a table on or off.
    ///
    /// # Errors
    /// [`EngineError`] if the request is refused or storage fails.
    pub fn update_time_to_live(
        &self,
        input: UpdateTimeToLiveInput,
    ) -> Result<UpdateTimeToLiveOutput, EngineError> {
        ddl::update_time_to_live(self, input)
    }

    /// Describes time to live of a table.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn describe_time_to_live(
        &self,
        input: &DescribeTimeToLiveInput,
    ) -> Result<DescribeTimeToLiveOutput, EngineError> {
        ddl::describe_time_to_live(&self.catalog(), input)
    }

    /// Deletes up to `limit` items whose time to live is over, and returns how many. Call it again while it returns
    /// `limit`.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn expire(&self, limit: usize) -> Result<usize, EngineError> {
        let limit = limit.min(100);
        let tables: Vec<Arc<Table>> =
            self.catalog().values().filter(|table| table.ttl.is_some()).cloned().collect();
        let mut expired = 0;
        for table in tables {
            expired += self.write(move |writing| expire_some(writing, &table, limit - expired))?;
        }
        Ok(expired)
    }
}

fn expire_some(writing: &mut Writing<'_>, table: &Arc<Table>, limit: usize) -> Result<usize, EngineError> {
    let Some(table) = writing.state.catalog.get(&table.name).filter(|table| table.ttl.is_some()).cloned()
    else {
        return Ok(0);
    };
    let now = writing.now.as_second();
    let found = expire::expired(writing.read, &table, now, limit).map_err(storage_error)?;
    let mut effects = Effects::default();
    let count = found.len();
    for expire::Expired { entry, item: storage } in found {
        let sealed = writing.read.get(Space::Items, &storage).map_err(storage_error)?;
        let item = match &sealed {
            Some(sealed) => Some(ItemRef(codec::unseal(&storage, sealed).map_err(|_| damaged())?)),
            None => None,
        };
        let Some(item) = item.filter(|item| expire::is_expired(&table, *item, now)) else {
            // What an interrupted change of the time to live left behind.
            effects.batch.delete(Space::Index, entry);
            continue;
        };
        let key = table.key_of(item).map_err(|_| damaged())?;
        let action = Action::deletion(&table, key);
        if let Ok(outcome) = action.judge(writing.read)? {
            action.commit(outcome, false, true, &mut effects);
        }
    }
    writing.commit(effects);
    Ok(count)
}
