//! A write as the writer's thread gets it.

use super::super::error::EngineError;
use super::super::state::Writing;

/// Answers a write once its group is on disk, or failed.
pub type Finish = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// Judges one write: whether it is to be stored, and who waits for it.
pub type Job = Box<dyn FnOnce(&mut Writing<'_>) -> (bool, Finish) + Send>;
