//! The embedded engine as a [`Target`].

use std::fmt;

use aws_smithy_types::error::operation::BuildError;
use tokio::sync::oneshot;

use super::line::{CallError, Calling, Operation, Reply, Target};
use crate::base::blocking::BlockingPool;
use crate::engine::{Engine, EngineError, ErrorCode};

/// The embedded engine. Reads may wait for a disk and run on the blocking pool; writes wait in the engine's own
/// queue. Neither blocks the server's threads.
#[derive(Clone)]
pub struct Embedded {
    engine: Engine,
    blocking: BlockingPool,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

impl Embedded {
    /// Wraps an engine and runs its reads on `blocking`.
    pub fn new(engine: Engine, blocking: BlockingPool) -> Self {
        Self { engine, blocking }
    }

    /// Returns the same engine for background work.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { engine: self.engine.in_background(), blocking: self.blocking.clone() }
    }

    /// Runs work with the engine that may wait for a disk.
    ///
    /// # Errors
    /// The engine's error as a [`CallError`].
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let engine = self.engine.clone();
        let done = self.blocking.run(move || work(&engine)).await;
        done.unwrap_or_else(|_| Err(CallError::NoAnswer("the engine did not finish".to_owned())))
    }
}

impl Target for Embedded {
    fn conflicts(&self) -> bool {
        false
    }

    fn call(&self, operation: Operation) -> Calling {
        let this = self.clone();
        Box::pin(async move {
            match operation {
                Operation::TransactWriteItems(input) => {
                    let (done, answer) = oneshot::channel();
                    // The caller may have stopped waiting.
                    let done = move |answer| drop(done.send(answer));
                    this.engine.submit_transact_write_items(input.build()?, done)?;
                    let stopped = |_| CallError::NoAnswer("the engine stopped".to_owned());
                    Ok(Reply::TransactWriteItems(answer.await.map_err(stopped)??))
                }
                operation => this.blocking(|engine| run(engine, operation)).await,
            }
        })
    }
}

/// Runs an operation on this thread.
fn run(engine: &Engine, operation: Operation) -> Result<Reply, CallError> {
    Ok(match operation {
        Operation::BatchGetItem(input) => Reply::BatchGetItem(engine.batch_get_item(&input.build()?)?),
        Operation::CreateTable(input) => Reply::CreateTable(engine.create_table(input.build()?)?),
        Operation::DescribeTable(input) => Reply::DescribeTable(engine.describe_table(&input.build()?)?),
        Operation::GetItem(input) => Reply::GetItem(engine.get_item(&input.build()?)?),
        Operation::Query(input) => Reply::Query(engine.query(&input.build()?)?),
        Operation::Scan(input) => Reply::Scan(engine.scan(&input.build()?)?),
        Operation::TransactWriteItems(input) => {
            Reply::TransactWriteItems(engine.transact_write_items(input.build()?)?)
        }
        Operation::UpdateTimeToLive(input) => {
            Reply::UpdateTimeToLive(engine.update_time_to_live(input.build()?)?)
        }
    })
}

impl From<BuildError> for CallError {
    /// An incomplete input cannot be sent, and a retry would not complete it.
    fn from(error: BuildError) -> Self {
        Self::NotSent { cause: error.to_string(), may_pass: false }
    }
}

impl From<EngineError> for CallError {
    fn from(error: EngineError) -> Self {
        let EngineError { code, message, reasons, .. } = error;
        let is_server_fault = code == ErrorCode::InternalServer;
        Self::Service { code: code.as_str().to_owned(), message, is_server_fault, reasons }
    }
}
