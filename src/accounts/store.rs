//! Reads and creates accounts.

use super::AccountError;
use super::change::{Description, Operator};
use super::domain::Account;
use super::hashing::Queue;
use super::items::{HISTORY, HistoryEntry, LoginItem, account_key, history_key, login_key};
use super::password::Password;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Name, Version};
use crate::shared::audit_log::AuditKind;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::{Select, StoreError, from_item};
use crate::web::lists::Listed;

impl Accounts {
    /// Adds an active account.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`] if another account has the address; [`AccountError::NewPassword`].
    pub async fn add(
        &self,
        name: Name,
        email: Email,
        role: Role,
        password: Option<Password>,
    ) -> Result<AccountId, AccountError> {
        let hash = match password {
            Some(password) => {
                password.check_new(&name, &email).map_err(AccountError::NewPassword)?;
                Some(self.hash(&self.hashing.enter(Queue::Known)?, password).await?)
            }
            None => None,
        };
        let now = self.clock.now();
        let account = Account::new(AccountId::new(now, &self.rng.bytes()), name, email, role, hash, now);
        let what = Description::new(AuditKind::AccountCreated, format!("Added as {role}."));
        self.make(self.creation_write(&account, Operator::Command, &what)?, &account).await?;
        Ok(account.id)
    }

    /// Reads one account consistently.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`] if it does not exist.
    pub async fn find(&self, id: AccountId) -> Result<Account, AccountError> {
        self.read(id).await?.ok_or(AccountError::NoSuchAccount)
    }

    /// Reads the account with this email address.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`] if there is none.
    pub async fn find_by_email(&self, email: &Email) -> Result<Account, AccountError> {
        let id = self.by_email(email).await?.ok_or(AccountError::NoSuchAccount)?;
        self.find(id).await
    }

    pub(super) async fn read(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.dynamo.get(&account_key(id)).await?.map(from_item).transpose()
    }

    pub(super) async fn by_email(&self, email: &Email) -> Result<Option<AccountId>, StoreError> {
        let login: Option<LoginItem> =
            self.dynamo.get(&login_key(email)).await?.map(from_item).transpose()?;
        Ok(login.map(|login| login.account_id))
    }

    /// Returns a page of the changes of an account, newest first. The history of a deleted account stays.
    ///
    /// # Errors
    /// [`AccountError::Cursor`] if the cursor belongs to another list.
    pub async fn history(
        &self,
        id: AccountId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<HistoryEntry>, AccountError> {
        const LIST: &str = "account history";
        let mut range =
            Select::partition(account_key(id).pk, i32::from(limit)).begins_with(HISTORY).backwards();
        if let Some(version) = start_after::<Version>(LIST, cursor)? {
            let key = history_key(id, version);
            range = range.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&range).await?;
        let items: Vec<HistoryEntry> = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        let next = items.last().filter(|_| page.more).map(|last| cursor_after(LIST, last.version));
        Ok(Listed { items, next })
    }
}
