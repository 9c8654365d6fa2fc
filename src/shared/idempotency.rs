//! Writes with an idempotency record.

pub use crate::store::idempotency::replayed_answer;
use crate::store::idempotency::{Done, Idempotency, KeyReused};
use crate::store::{Dynamo, GuardedWrite, Refusal, StoreError, WriteError};

/// Makes a change together with its idempotency record. `made` is the result of the change. Returns the refusal if a
/// condition failed and the same request did not succeed before.
///
/// # Errors
/// [`KeyReused`] if the key was used for another request; [`StoreError`] if the store failed.
pub async fn write_with_record<T, E: From<KeyReused> + From<StoreError>>(
    dynamo: &Dynamo,
    write: GuardedWrite,
    made: T,
    idempotency: Option<&Idempotency<'_, T>>,
) -> Result<Result<Done<T>, Refusal>, E> {
    match dynamo.write(Idempotency::record(idempotency, write, &made)?).await {
        Ok(()) => Ok(Ok(Done::Now(made))),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Refused(refusal)) => {
            let answer = replayed_answer(Idempotency::lookup_in(idempotency, &refusal)?)?;
            Ok(answer.map(Done::Replayed).ok_or(refusal))
        }
    }
}

/// Refuses a request with `error`, unless the same request succeeded before: then its stored answer is returned.
///
/// # Errors
/// `error`; [`KeyReused`] if the key was used for another request; [`StoreError`] if the store failed.
pub async fn refuse<T, E: From<KeyReused> + From<StoreError>>(
    dynamo: &Dynamo,
    idempotency: Option<&Idempotency<'_, T>>,
    error: E,
) -> Result<Done<T>, E> {
    let answer = replayed_answer(Idempotency::look_up(idempotency, dynamo).await?)?;
    answer.map(Done::Replayed).ok_or(error)
}
