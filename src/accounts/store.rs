//! Accounts and sign-in links in the table: keys, items, and one function for each use case.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::domain::{Account, Secret};
use super::hashing::{Permit, Queue};
use super::login_throttle::Budget;
use super::password::{Password, PasswordHash};
use super::requester::Requester;
use super::session::Session;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Name};
use crate::store::schema::TTL;
use crate::store::{Condition, GuardedWrite, Key, StoreError, Update, from_item, to_attribute, to_item};

/// How long a sign-in link works.
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

/// The account that signs in with an email address.
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

impl Accounts {
    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`] if another account has the address.
    pub async fn add(
        &self,
        name: Name,
        email: Email,
        role: Role,
        password: Option<Password>,
    ) -> Result<AccountId, AccountError> {
        let hash = match password {
            Some(password) => Some(self.hash(&self.hashing.enter(Queue::Known)?, password).await?),
            None => None,
        };
        let now = self.clock.now();
        let account = Account::new(AccountId::new(now, &self.rng.bytes()), name, email, role, hash, now);
        match self.dynamo.try_write(self.creation(&account)?).await? {
            true => Ok(account.id),
            false => Err(AccountError::EmailTaken(account.email)),
        }
    }

    /// Returns the write that adds an account. The table refuses it if another account has the address.
    fn creation(&self, account: &Account) -> Result<GuardedWrite, StoreError> {
        let login = LoginItem { account_id: account.id };
        let account_item = to_item(&account_key(account.id), account)?;
        let write = self.dynamo.guarded_write().put("account", account_item, Condition::Absent);
        Ok(write.put("login", to_item(&login_key(&account.email), &login)?, Condition::Absent))
    }

    /// Creates a participant's account for a person who signs up. `code` is the invitation code that the person typed.
    /// Sending the same form again returns the account that the first request created: with the right password, signing
    /// up for an existing address is signing in.
    ///
    /// # Errors
    /// [`AccountError::SignUpOff`], [`AccountError::Busy`], [`AccountError::TooManyAttempts`],
    /// [`AccountError::WrongInvitationCode`]; [`AccountError::EmailTaken`] if an account with another password has the
    /// address.
    pub async fn sign_up(
        &self,
        draft: SignUpDraft,
        code: &str,
        from: &Requester,
    ) -> Result<Account, AccountError> {
        if self.sign_up.is_off() {
            return Err(AccountError::SignUpOff);
        }
        let SignUpDraft { name, email, password } = draft;
        let permit = self.hashing.enter(from.queue())?;
        let counted = self.count_attempt(from.budgets(&email, None)).await?;
        if !self.sign_up.admits(code) {
            return Err(AccountError::WrongInvitationCode);
        }
        let hash = Some(self.hash(&permit, password.clone()).await?);
        let now = self.clock.now();
        let id = AccountId::new(now, &self.rng.bytes());
        let account = Account::new(id, name, email, Role::Participant, hash, now);
        let account = if self.dynamo.try_write(self.creation(&account)?).await? {
            account
        } else {
            let id = self.by_email(&account.email).await?;
            let found = self.by_password(id, password, &permit).await?;
            found.ok_or(AccountError::EmailTaken(account.email))?
        };
        self.refund_attempt(counted).await?;
        Ok(account)
    }
}

/// The input for signing up.
#[derive(Debug)]
pub struct SignUpDraft {
    /// The name.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// The password.
    pub password: Password,
}

impl Accounts {
    /// Reads one account consistently.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`] if it does not exist.
    pub async fn find(&self, id: AccountId) -> Result<Account, AccountError> {
        self.read(id).await?.ok_or(AccountError::NoSuchAccount)
    }

    pub(super) async fn read(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.dynamo.get(&account_key(id)).await?.map(from_item).transpose()
    }

    pub(super) async fn by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let login: Option<LoginItem> =
            self.dynamo.get(&login_key(email)).await?.map(from_item).transpose()?;
        Ok(login.map(|login| login.account_id))
    }

    /// Returns the person of a session, if the session has not ended.
    pub(super) async fn by_session(&self, session: &Session) -> Result<Option<SignedIn>, AccountError> {
        let account = self.read(session.account).await?;
        let account = account.filter(|account| account.epoch == session.epoch);
        Ok(account.map(|account| account.signed_in(Via::Session)))
    }

    /// Returns the account with this address and password, or `None`. Neither the result nor its timing reveals which
    /// of the two is wrong.
    ///
    /// # Errors
    /// [`AccountError::Busy`]; [`AccountError::TooManyAttempts`] if too many passwords were tried.
    pub async fn sign_in(
        &self,
        email: &Email,
        password: Password,
        from: &Requester,
    ) -> Result<Option<Account>, AccountError> {
        let permit = self.hashing.enter(from.queue())?;
        let id = self.by_email(email).await?;
        let counted = self.count_attempt(from.budgets(email, id)).await?;
        let Some(account) = self.by_password(id, password, &permit).await? else { return Ok(None) };
        self.refund_attempt(counted).await?;
        Ok(Some(account))
    }

    /// Returns the account with this id if it has this password. A missing account takes equally long.
    async fn by_password(
        &self,
        id: Option<AccountId>,
        password: Password,
        permit: &Permit,
    ) -> Result<Option<Account>, AccountError> {
        let account = self.read(id.unwrap_or(AccountId::NOBODY)).await?;
        let hash = account.as_ref().and_then(|account| account.password.clone());
        let is_right = self.verify_password(permit, hash, password).await?;
        Ok(account.filter(|_| is_right))
    }
}

impl Accounts {
    /// Changes an account's password, which ends all its sessions and unused sign-in links. `current` must be the
    /// current password if the account has one.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::TooManyAttempts`], [`AccountError::Busy`];
    /// [`AccountError::Changed`] if another request changed the account at the same time.
    pub async fn change_password(
        &self,
        id: AccountId,
        current: Option<Password>,
        new: Password,
    ) -> Result<Account, AccountError> {
        let permit = self.hashing.enter(Queue::Known)?;
        let before = self.find(id).await?;
        let mut counted = None;
        if before.password.is_some() {
            // A separate budget, so that strangers who guess passwords cannot block a password change.
            counted = Some(self.count_attempt([Budget::SignedIn(id)]).await?);
            let current = current.ok_or(AccountError::WrongPassword)?;
            if !self.verify_password(&permit, before.password.clone(), current).await? {
                return Err(AccountError::WrongPassword);
            }
        }
        let after = before.clone().with_password(self.hash(&permit, new).await?, self.clock.now());
        let key = account_key(id);
        let update = Update::between(&to_item(&key, &before)?, &to_item(&key, &after)?);
        let unchanged = Condition::is_number("version", before.version.get());
        let write = self.dynamo.guarded_write().update("account", &key, &update, unchanged);
        let written = self.dynamo.try_write(write).await;
        // In any case, because a write whose answer was lost may have happened.
        self.auth_cache.invalidate_account(id);
        if !written? {
            // The account was deleted or changed. There is nothing to merge, so the person must try again.
            return Err(AccountError::Changed);
        }
        if let Some(counted) = counted {
            self.refund_attempt(counted).await?;
        }
        Ok(after)
    }

    /// Creates the first administrator's account unless it exists, and a link that signs them in. Two processes may do
    /// this at once. Returns the link's secret; [`super::link_path`] gives its address.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    #[allow(clippy::expect_used)]
    pub async fn first_administrator_link(&self) -> Result<String, AccountError> {
        // Both are constants that a test parses.
        let (name, email) =
            first_administrator().expect("the name and address of the first administrator are valid");
        if let Some(id) = self.by_email(&email).await? {
            return self.sign_in_link(id).await;
        }
        let id = match self.add(name, email.clone(), Role::Administrator, None).await {
            Err(AccountError::EmailTaken(_)) => {
                self.by_email(&email).await?.ok_or(AccountError::NoSuchAccount)?
            }
            added => added?,
        };
        self.sign_in_link(id).await
    }
}

fn first_administrator() -> Result<(Name, Email), crate::base::values::Invalid> {
    Ok((FIRST_NAME.parse()?, FIRST_EMAIL.parse()?))
}

impl Accounts {
    /// Creates a link that signs an account in once, within [`LINK_LASTS`] and until its password changes. Returns the
    /// link's secret.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`] if the account does not exist.
    pub async fn sign_in_link(&self, id: AccountId) -> Result<String, AccountError> {
        let account = self.find(id).await?;
        let secret = Secret::new(self.rng.bytes());
        let expires_at = (self.clock.now() + LINK_LASTS).as_second();
        let link = LinkItem { account_id: id, epoch: account.epoch, expires_at };
        let item = to_item(&link_key(&secret), &link)?;
        let write = self.dynamo.guarded_write().put("link", item, Condition::Absent);
        if self.dynamo.try_write(write).await? {
            Ok(secret.reveal().to_owned())
        } else {
            Err(AccountError::Changed)
        }
    }

    /// Uses a sign-in link. Returns the account that it signs in, or `None` if the link was already used, is too old or
    /// never existed.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub(super) async fn use_link(&self, secret: &Secret) -> Result<Option<Account>, AccountError> {
        let key = link_key(secret);
        let link: Option<LinkItem> = self.dynamo.get(&key).await?.map(from_item).transpose()?;
        let Some(link) = link else { return Ok(None) };
        let Some(account) = self.read(link.account_id).await? else { return Ok(None) };
        let now = to_attribute(self.clock.now().as_second())?;
        let write = self
            .dynamo
            .guarded_write()
            .delete("link", &key, Condition::Exists.and(Condition::AtLeast(TTL, now)))
            .check("account", &account_key(account.id), Condition::is_number("epoch", link.epoch));
        Ok(self.dynamo.try_write(write).await?.then_some(account))
    }

    async fn hash(&self, permit: &Permit, password: Password) -> Result<PasswordHash, AccountError> {
        let salt = self.rng.bytes();
        let hashed =
            self.hashing.run(&self.blocking, permit, move |memory| password.hash(&salt, memory)).await;
        let failed = |error: &dyn std::error::Error| AccountError::Hashing(error.to_string());
        hashed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// Returns whether this is the hash of the password. A missing hash takes equally long.
    async fn verify_password(
        &self,
        permit: &Permit,
        hash: Option<PasswordHash>,
        password: Password,
    ) -> Result<bool, AccountError> {
        let hash = hash.unwrap_or_else(PasswordHash::of_nobody);
        let compared =
            self.hashing.run(&self.blocking, permit, move |memory| hash.is_of(&password, memory)).await;
        compared.map_err(|error| AccountError::Hashing(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::accounts::password::Memory;

    #[test]
    fn the_name_and_address_of_the_first_administrator_are_valid() {
        assert!(first_administrator().is_ok());
    }

    #[test]
    fn a_stored_account_does_not_contain_the_password() {
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
