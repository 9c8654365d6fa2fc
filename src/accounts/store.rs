//! Accounts and sign-in links in the table: keys, items and one function per use case.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::domain::{Account, AccountId, Role, Secret, SignedIn, Via};
use super::password::{Password, PasswordHash};
use super::session::Session;
use super::{AccountError, attempts};
use crate::app::App;
use crate::dynamo::schema::TTL;
use crate::dynamo::{
    Condition, GuardedWrite, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};
use crate::values::{Email, Name};

/// How long a sign-in link can be used.
pub const LINK_LASTS: SignedDuration = SignedDuration::from_hours(24);

const FIRST_NAME: &str = "Administrator";
const FIRST_EMAIL: &str = "admin@holdfast.local";

pub(super) fn account_key(id: AccountId) -> Key {
    Key::new(format!("ACCOUNT#{id}"), "ACCOUNT")
}

fn login_key(email: &Email) -> Key {
    Key::new(format!("LOGIN#{}", email.key()), "LOGIN")
}

fn link_key(secret: &Secret) -> Key {
    Key::new(format!("LINK#{}", secret.hash()), "LINK")
}

/// Whose a sign-in name is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginItem {
    account_id: AccountId,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkItem {
    account_id: AccountId,
    epoch: u64,
    expires_at: i64,
}

/// Adds an account.
///
/// # Errors
/// [`AccountError::EmailTaken`] if another account has the address.
pub async fn add(
    app: &App,
    name: Name,
    email: Email,
    role: Role,
    password: Option<Password>,
) -> Result<AccountId, AccountError> {
    let hash = match password {
        Some(password) => Some(hash(app, password).await?),
        None => None,
    };
    let now = app.clock.now();
    let account = Account::new(AccountId::new(now, &app.entropy.bytes()), name, email, role, hash, now);
    match app.dynamo.write(addition(app, &account)?).await {
        Ok(()) => Ok(account.id),
        Err(WriteError::Refused(_)) => Err(AccountError::EmailTaken(account.email)),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// The write that adds an account, refused where another one has its address.
fn addition(app: &App, account: &Account) -> Result<GuardedWrite, StoreError> {
    let login = LoginItem { account_id: account.id };
    let account_item = to_item(&account_key(account.id), account)?;
    let write = app.dynamo.guarded_write().put("account", account_item, Condition::Absent);
    Ok(write.put("login", to_item(&login_key(&account.email), &login)?, Condition::Absent))
}

/// Makes a participant's account for somebody who signs up, with what they typed as the invitation code. Whoever sends
/// the same twice gets the account that the first time made: for the address and its password it is signing in.
///
/// # Errors
/// [`AccountError::SignUpOff`], [`AccountError::TooManyAttempts`], [`AccountError::WrongInvitationCode`];
/// [`AccountError::EmailTaken`] if an account with another password has the address.
pub async fn sign_up(
    app: &App,
    name: Name,
    email: Email,
    password: Password,
    code: &str,
) -> Result<Account, AccountError> {
    if app.sign_up.is_off() {
        return Err(AccountError::SignUpOff);
    }
    attempts::count(app, &email).await?;
    if !app.sign_up.admits(code) {
        return Err(AccountError::WrongInvitationCode);
    }
    let hash = Some(hash(app, password.clone()).await?);
    let now = app.clock.now();
    let id = AccountId::new(now, &app.entropy.bytes());
    let account = Account::new(id, name, email, Role::Participant, hash, now);
    match app.dynamo.write(attempts::forget(addition(app, &account)?, &account.email)).await {
        Ok(()) => Ok(account),
        Err(WriteError::Refused(_)) => {
            let found = by_password(app, &account.email, password).await?;
            found.ok_or(AccountError::EmailTaken(account.email))
        }
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// One account, read consistently.
///
/// # Errors
/// [`AccountError::NoSuchAccount`] if there is none.
pub async fn find(app: &App, id: AccountId) -> Result<Account, AccountError> {
    read(app, id).await?.ok_or(AccountError::NoSuchAccount)
}

async fn read(app: &App, id: AccountId) -> Result<Option<Account>, StoreError> {
    app.dynamo.get(&account_key(id)).await?.map(from_item).transpose()
}

async fn by_email(app: &App, email: &Email) -> Result<Option<AccountId>, StoreError> {
    let login: Option<LoginItem> = app.dynamo.get(&login_key(email)).await?.map(from_item).transpose()?;
    Ok(login.map(|login| login.account_id))
}

/// Whose a session is, if it has not ended.
pub(super) async fn by_session(app: &App, session: &Session) -> Result<Option<SignedIn>, AccountError> {
    let account = read(app, session.account).await?;
    let account = account.filter(|account| account.epoch == session.epoch);
    Ok(account.map(|account| account.signed_in(Via::Session)))
}

/// The account with this address and password, or none: which of the two is wrong is not said, by words or by time.
///
/// # Errors
/// [`AccountError::TooManyAttempts`] where too many passwords were tried for the address.
pub async fn sign_in(app: &App, email: &Email, password: Password) -> Result<Option<Account>, AccountError> {
    attempts::count(app, email).await?;
    by_password(app, email, password).await
}

/// As [`sign_in`], of an attempt that was counted already.
async fn by_password(app: &App, email: &Email, password: Password) -> Result<Option<Account>, AccountError> {
    let id = by_email(app, email).await?.unwrap_or(AccountId::NOBODY);
    let account = read(app, id).await?;
    let hash = account.as_ref().and_then(|account| account.password.clone());
    if !is_of(app, hash, password).await? {
        return Ok(None);
    }
    let forgotten = attempts::forget(app.dynamo.guarded_write(), email);
    unguarded(app.dynamo.write(forgotten).await)?;
    Ok(account)
}

/// The answer to a write whose actions carry no condition.
fn unguarded(answer: Result<(), WriteError>) -> Result<(), AccountError> {
    match answer {
        Ok(()) => Ok(()),
        Err(WriteError::Refused(_)) => Err(AccountError::Changed),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// Gives an account another password, which ends all its sessions and unused sign-in links. The one it has, if it has
/// one, must be shown.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`]; [`AccountError::Changed`] if the account was
/// changed meanwhile.
pub async fn change_password(
    app: &App,
    id: AccountId,
    current: Option<Password>,
    new: Password,
) -> Result<Account, AccountError> {
    let before = find(app, id).await?;
    if before.password.is_some() {
        attempts::count(app, &before.email).await?;
        let current = current.ok_or(AccountError::WrongPassword)?;
        if !is_of(app, before.password.clone(), current).await? {
            return Err(AccountError::WrongPassword);
        }
    }
    let after = before.clone().with_password(hash(app, new).await?, app.clock.now());
    let key = account_key(id);
    let update = Update::between(&to_item(&key, &before)?, &to_item(&key, &after)?);
    let unchanged = Condition::is_number("version", before.version.get());
    let write = app.dynamo.guarded_write().update("account", &key, &update, unchanged);
    let written = app.dynamo.write(attempts::forget(write, &after.email)).await;
    // Whatever came of it: a write whose answer was lost may have happened.
    app.auth_cache.invalidate_account(id);
    match written {
        Ok(()) => Ok(after),
        // Gone, or at another version: either way there is nothing to merge, and the person tries again.
        Err(WriteError::Refused(_)) => Err(AccountError::Changed),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// Makes sure that there is an account for the first administrator, also when two processes start at once, and makes
/// a link that signs them in. The answer is the link's secret; [`super::link_path`] is its address.
///
/// # Errors
/// [`AccountError::Store`] if the store failed.
#[allow(clippy::expect_used)]
pub async fn first_administrator_link(app: &App) -> Result<String, AccountError> {
    // Constants; a test reads them.
    let (name, email) = first_administrator().expect("the first administrator has a name and an address");
    if let Some(id) = by_email(app, &email).await? {
        return sign_in_link(app, id).await;
    }
    let id = match add(app, name, email.clone(), Role::Administrator, None).await {
        Err(AccountError::EmailTaken(_)) => {
            by_email(app, &email).await?.ok_or(AccountError::NoSuchAccount)?
        }
        added => added?,
    };
    sign_in_link(app, id).await
}

fn first_administrator() -> Result<(Name, Email), crate::values::Invalid> {
    Ok((FIRST_NAME.parse()?, FIRST_EMAIL.parse()?))
}

/// Makes a link that signs an account in once, within [`LINK_LASTS`], unless its password changes before. The answer
/// is the link's secret.
///
/// # Errors
/// [`AccountError::NoSuchAccount`] if there is no such account.
pub async fn sign_in_link(app: &App, id: AccountId) -> Result<String, AccountError> {
    let account = find(app, id).await?;
    let secret = Secret::new(app.entropy.bytes());
    let expires_at = (app.clock.now() + LINK_LASTS).as_second();
    let link = LinkItem { account_id: id, epoch: account.epoch, expires_at };
    let item = to_item(&link_key(&secret), &link)?;
    let write = app.dynamo.guarded_write().put("link", item, Condition::Absent);
    unguarded(app.dynamo.write(write).await)?;
    Ok(secret.reveal().to_owned())
}

/// Uses a sign-in link: the account that it signs in, or none if it was used, is too old or never was.
///
/// # Errors
/// [`AccountError::Store`] if the store failed.
pub(super) async fn use_link(app: &App, secret: &Secret) -> Result<Option<Account>, AccountError> {
    let key = link_key(secret);
    let link: Option<LinkItem> = app.dynamo.get(&key).await?.map(from_item).transpose()?;
    let Some(link) = link else { return Ok(None) };
    let Some(account) = read(app, link.account_id).await? else { return Ok(None) };
    let now = to_attribute(app.clock.now().as_second())?;
    let write = app
        .dynamo
        .guarded_write()
        .delete("link", &key, Condition::Exists.and(Condition::AtLeast(TTL, now)))
        .check("account", &account_key(account.id), Condition::is_number("epoch", link.epoch));
    match app.dynamo.write(write).await {
        Ok(()) => Ok(Some(account)),
        Err(WriteError::Refused(_)) => Ok(None),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

async fn hash(app: &App, password: Password) -> Result<PasswordHash, AccountError> {
    let salt = app.entropy.bytes();
    let hashed = aside(app, move || password.hash(&salt)).await?;
    hashed.map_err(|error| AccountError::Hashing(error.to_string()))
}

/// Whether this is the hash of the password; where there is none, it is found out just as slowly that it is not.
async fn is_of(app: &App, hash: Option<PasswordHash>, password: Password) -> Result<bool, AccountError> {
    let hash = hash.unwrap_or_else(PasswordHash::of_nobody);
    aside(app, move || hash.is_of(&password)).await
}

/// How many passwords are hashed at once: each takes 19 MiB.
static HASHING: Semaphore = Semaphore::const_new(4);

/// Does slow work where it holds up no other request.
async fn aside<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccountError> {
    let permit = HASHING.acquire().await.map_err(|error| AccountError::Hashing(error.to_string()))?;
    let work = move || {
        // Held by the work, for it goes on where the request that waits for it is given up.
        let _permit = permit;
        work()
    };
    app.aside.run(work).await.map_err(|error| AccountError::Hashing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_first_administrator_has_a_name_and_an_address() {
        assert!(first_administrator().is_ok());
    }

    #[test]
    fn an_account_is_stored_without_its_password_in_clear() {
        let now = Timestamp::UNIX_EPOCH;
        let password: Password = "correct horse battery".parse().unwrap();
        let (name, email) = first_administrator().unwrap();
        let hash = Some(password.hash(&[1; 16]).unwrap());
        let account = Account::new(AccountId::new(now, &[1; 10]), name, email, Role::Agent, hash, now);
        let item = to_item(&account_key(account.id), &account).unwrap();
        assert!(!format!("{item:?}").contains("correct horse"));
        assert_eq!(from_item::<Account>(item).unwrap(), account);
    }
}
