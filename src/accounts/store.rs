//! Accounts and sign-in links in the table: keys, items and one function per use case.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::domain::{Account, AccountId, Role, Secret, SignedIn, Via};
use super::hashing::{Guest, Place};
use super::login_throttle::{self, Budget};
use super::password::{Password, PasswordHash};
use super::requester::Requester;
use super::session::Session;
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
        Some(password) => Some(hash(app, &app.hashing.place(Guest::Known)?, password).await?),
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

/// Makes a participant's account for a person who signs up, with what they typed as the invitation code. The same form
/// sent twice gets the account that the first one made: for the address and its password it is signing in.
///
/// # Errors
/// [`AccountError::SignUpOff`], [`AccountError::Busy`], [`AccountError::TooManyAttempts`],
/// [`AccountError::WrongInvitationCode`]; [`AccountError::EmailTaken`] if an account with another password has the
/// address.
pub async fn sign_up(
    app: &App,
    draft: SignUpDraft,
    code: &str,
    from: &Requester,
) -> Result<Account, AccountError> {
    if app.sign_up.is_off() {
        return Err(AccountError::SignUpOff);
    }
    let SignUpDraft { name, email, password } = draft;
    let place = app.hashing.place(from.guest())?;
    let counted = login_throttle::count(app, from.budgets(&email, None)).await?;
    if !app.sign_up.admits(code) {
        return Err(AccountError::WrongInvitationCode);
    }
    let hash = Some(hash(app, &place, password.clone()).await?);
    let now = app.clock.now();
    let id = AccountId::new(now, &app.entropy.bytes());
    let account = Account::new(id, name, email, Role::Participant, hash, now);
    let account = match app.dynamo.write(addition(app, &account)?).await {
        Ok(()) => account,
        Err(WriteError::Refused(_)) => {
            let id = by_email(app, &account.email).await?;
            let found = by_password(app, id, password, &place).await?;
            found.ok_or(AccountError::EmailTaken(account.email))?
        }
        Err(WriteError::Store(error)) => return Err(error.into()),
    };
    login_throttle::give_back(app, counted).await?;
    Ok(account)
}

/// What a person types to sign up.
#[derive(Debug)]
pub struct SignUpDraft {
    /// The name.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// The password.
    pub password: Password,
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
/// [`AccountError::Busy`]; [`AccountError::TooManyAttempts`] where too many passwords were tried.
pub async fn sign_in(
    app: &App,
    email: &Email,
    password: Password,
    from: &Requester,
) -> Result<Option<Account>, AccountError> {
    let place = app.hashing.place(from.guest())?;
    let id = by_email(app, email).await?;
    let counted = login_throttle::count(app, from.budgets(email, id)).await?;
    let Some(account) = by_password(app, id, password, &place).await? else { return Ok(None) };
    login_throttle::give_back(app, counted).await?;
    Ok(Some(account))
}

/// The account with this id, if it has this password. Where there is none, it takes as long to find out.
async fn by_password(
    app: &App,
    id: Option<AccountId>,
    password: Password,
    place: &Place,
) -> Result<Option<Account>, AccountError> {
    let account = read(app, id.unwrap_or(AccountId::NOBODY)).await?;
    let hash = account.as_ref().and_then(|account| account.password.clone());
    let is_right = is_of(app, place, hash, password).await?;
    Ok(account.filter(|_| is_right))
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
/// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`], [`AccountError::Busy`];
/// [`AccountError::Changed`] if another request changed the account at the same time.
pub async fn change_password(
    app: &App,
    id: AccountId,
    current: Option<Password>,
    new: Password,
) -> Result<Account, AccountError> {
    let place = app.hashing.place(Guest::Known)?;
    let before = find(app, id).await?;
    let mut counted = None;
    if before.password.is_some() {
        // A budget of their own: strangers who guess keep nobody from changing a password.
        counted = Some(login_throttle::count(app, [Budget::SignedIn(id)]).await?);
        let current = current.ok_or(AccountError::WrongPassword)?;
        if !is_of(app, &place, before.password.clone(), current).await? {
            return Err(AccountError::WrongPassword);
        }
    }
    let after = before.clone().with_password(hash(app, &place, new).await?, app.clock.now());
    let key = account_key(id);
    let update = Update::between(&to_item(&key, &before)?, &to_item(&key, &after)?);
    let unchanged = Condition::is_number("version", before.version.get());
    let write = app.dynamo.guarded_write().update("account", &key, &update, unchanged);
    let written = app.dynamo.write(write).await;
    // Whatever came of it: a write whose answer was lost may have happened.
    app.auth_cache.invalidate_account(id);
    match written {
        Ok(()) => {
            if let Some(counted) = counted {
                login_throttle::give_back(app, counted).await?;
            }
            Ok(after)
        }
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

async fn hash(app: &App, place: &Place, password: Password) -> Result<PasswordHash, AccountError> {
    let salt = app.entropy.bytes();
    let hashed = app.hashing.run(&app.aside, place, move |memory| password.hash(&salt, memory)).await;
    let failed = |error: &dyn std::error::Error| AccountError::Hashing(error.to_string());
    hashed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Whether this is the hash of the password; where there is none, it takes as long to find out that it is not.
async fn is_of(
    app: &App,
    place: &Place,
    hash: Option<PasswordHash>,
    password: Password,
) -> Result<bool, AccountError> {
    let hash = hash.unwrap_or_else(PasswordHash::of_nobody);
    let compared = app.hashing.run(&app.aside, place, move |memory| hash.is_of(&password, memory)).await;
    compared.map_err(|error| AccountError::Hashing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::accounts::password::Memory;

    #[test]
    fn the_first_administrator_has_a_name_and_an_address() {
        assert!(first_administrator().is_ok());
    }

    #[test]
    fn an_account_is_stored_without_its_password_in_clear() {
        let now = Timestamp::UNIX_EPOCH;
        let password: Password = "correct horse battery".parse().unwrap();
        let (name, email) = first_administrator().unwrap();
        let hash = Some(password.hash(&[1; 16], &mut Memory::default()).unwrap());
        let account = Account::new(AccountId::new(now, &[1; 10]), name, email, Role::Agent, hash, now);
        let item = to_item(&account_key(account.id), &account).unwrap();
        assert!(!format!("{item:?}").contains("correct horse"));
        assert_eq!(from_item::<Account>(item).unwrap(), account);
    }
}
