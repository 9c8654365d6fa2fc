//! The account that a command names: finds it, and changes it in the version that it has.

use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::domain::Account;
use holdfast::accounts::{AccountError, Accounts};
use holdfast::store::idempotency::Done;

use crate::failure::Failure;

/// How often a command reads an account that others change at the same time.
const ATTEMPTS: u32 = 5;

/// Finds an account.
pub async fn find(accounts: &Accounts, reference: &AccountReference) -> Result<Account, Failure> {
    let missing = || Failure::NoAccount(reference.clone());
    let id = accounts.id_of(reference).await?.ok_or_else(missing)?;
    accounts.find(id).await.map_err(|error| match error {
        AccountError::NoSuchAccount => missing(),
        error => error.into(),
    })
}

/// Finds an account and changes it. If others change it at the same time, it is read again.
pub async fn change<T>(
    accounts: &Accounts,
    reference: &AccountReference,
    change: impl AsyncFn(Account) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut attempt = 1;
    loop {
        let account = find(accounts, reference).await?;
        let label = account.label();
        match change(account).await {
            Err(Failure::Account(AccountError::Conflict(_) | AccountError::Changed))
                if attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(Failure::Account(error)) => return Err(refused(error, label)),
            done => return done,
        }
    }
}

/// Returns the result of a command's change of the account with this label. Only a request with an idempotency key, which
/// a command does not have, gets a stored answer instead.
pub fn made_now<T>(done: Done<T>, label: impl Into<String>) -> Result<T, Failure> {
    done.now().ok_or_else(|| Failure::Contended(label.into()))
}

/// Returns why a change of the account with this label was refused.
pub fn refused(error: AccountError, label: String) -> Failure {
    match error {
        AccountError::LastAdministrator => Failure::LastAdministrator(label),
        AccountError::Conflict(_) | AccountError::Changed => Failure::Contended(label),
        error => error.into(),
    }
}
