//! The use cases that all features with dead letters have.

use serde::Serialize;

use super::{DeadLetterId, DeadLetterStatus, Note};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::lists::Listed;
use crate::web::problem::IntoProblem;

/// A feature with dead letters. Each change names the version that it is based on.
pub trait DeadLetters: Clone + Send + Sync + 'static {
    /// A dead letter.
    type DeadLetter: Serialize + Send + Sync + 'static;
    /// Why a use case failed.
    type Error: IntoProblem + Send;

    /// Returns the version of a dead letter.
    fn version_of(dead_letter: &Self::DeadLetter) -> Version;

    /// Lists the dead letters with a status, newest first. Two calls.
    ///
    /// # Errors
    /// A cursor of another list, or a failure of the store.
    fn list_dead_letters(
        &self,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> impl Future<Output = Result<Listed<Self::DeadLetter>, Self::Error>> + Send;

    /// Applies a dead letter now and closes it.
    ///
    /// # Errors
    /// It still cannot be applied, it does not exist, or it has changed or is closed.
    fn retry_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Self::DeadLetter>>,
    ) -> impl Future<Output = Result<Done<Self::DeadLetter>, Self::Error>> + Send;

    /// Dismisses a dead letter for good.
    ///
    /// # Errors
    /// It does not exist, or it has changed or is closed.
    fn dismiss_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Self::DeadLetter>>,
    ) -> impl Future<Output = Result<Done<Self::DeadLetter>, Self::Error>> + Send;
}
