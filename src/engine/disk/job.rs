//! The form in which the writer's thread receives a write.

use super::super::error::EngineError;
use super::super::state::WriteContext;

/// Answers a write after its group is on disk or has failed.
pub type Completion = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// Evaluates one write. Returns whether to store it, and its completion.
pub type Job = Box<dyn FnOnce(&mut WriteContext<'_>) -> (bool, Completion) + Send>;
