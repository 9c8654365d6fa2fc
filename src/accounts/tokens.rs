//! API tokens in the table: keys, items, and one function for each use case.
//!
//! A token consists of two items that are written and deleted together: one under its owner, for the list, and one
//! under the hash of its secret, with which one read authenticates a request.

use serde::{Deserialize, Serialize};

use super::AccountError;
use super::auth_cache::AuthKey;
use super::domain::{Secret, Token, TokenId, TokenName};
use super::store::account_key;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Name};
use crate::shared::idempotency::write_once;
use crate::shared::lists::{cursor_after, start_after};
use crate::store::idempotency::{Answer, Done, Idempotency};
use crate::store::{Condition, Key, Select, from_item, to_item};
use crate::web::lists::Listed;

/// The prefix of the sort keys of an account's tokens.
const TOKENS: &str = "TOKEN#";

/// Requires a session. With a token, a leaked token could create another one that outlives it.
pub(super) fn require_session(who: &SignedIn) -> Result<(), AccountError> {
    if who.via == Via::Session { Ok(()) } else { Err(AccountError::SessionNeeded) }
}

/// Returns the key of the item in its owner's list.
fn owned_key(owner: AccountId, token: TokenId) -> Key {
    Key::new(account_key(owner).pk, format!("{TOKENS}{token}"))
}

/// Returns the key of the item that authenticates a request.
fn token_key(hash: &str) -> Key {
    Key::new(format!("TOKEN#{hash}"), "TOKEN")
}

#[derive(Serialize, Deserialize)]
struct OwnedItem {
    #[serde(flatten)]
    token: Token,
    hash: String,
}

/// The item that authenticates a request. It has everything that a request needs, so that one read suffices.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenItem {
    account_id: AccountId,
    name: Name,
    email: Email,
    role: Role,
    token: TokenName,
}

impl Accounts {
    /// Returns the owner of a token, if the token was not revoked.
    pub(super) async fn by_token(&self, secret: &Secret) -> Result<Option<SignedIn>, AccountError> {
        let item = self.dynamo.get(&token_key(&secret.hash())).await?;
        let token: Option<TokenItem> = item.map(from_item).transpose()?;
        Ok(token.map(|TokenItem { account_id, name, email, role, token }| {
            SignedIn::new(account_id, name, email, role, Via::Token(token.to_string()))
        }))
    }
}

/// The outcome of creating a token.
#[derive(Debug)]
pub enum Made {
    /// The token was created now.
    Now(Token, Secret),
    /// The same request created the token before. This is its stored answer, without the secret.
    Replayed(Answer),
}

impl Accounts {
    /// Creates an API token that acts as its owner. Only the result contains the secret; it is not stored.
    ///
    /// # Errors
    /// [`AccountError::KeyReused`] if the idempotency key was used for another request.
    pub async fn create_token(
        &self,
        owner: &SignedIn,
        name: TokenName,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Made, AccountError> {
        let now = self.clock.now();
        let secret = Secret::new(self.rng.bytes());
        let token = Token { id: TokenId::new(now, &self.rng.bytes()), name, created_at: now };
        let owned = OwnedItem { token: token.clone(), hash: secret.hash() };
        let token_item = TokenItem {
            account_id: owner.id,
            name: owner.name.clone(),
            email: owner.email.clone(),
            role: owner.role,
            token: token.name.clone(),
        };
        let write = self
            .dynamo
            .guarded_write()
            .put("owned", to_item(&owned_key(owner.id, token.id), &owned)?, Condition::Absent)
            .put("token", to_item(&token_key(&owned.hash), &token_item)?, Condition::Absent);
        match write_once::<_, AccountError>(&self.dynamo, write, token, idempotency).await? {
            Ok(Done::Now(token)) => Ok(Made::Now(token, secret)),
            Ok(Done::Replayed(answer)) => Ok(Made::Replayed(answer)),
            Err(_) => Err(AccountError::Changed),
        }
    }

    /// Returns a page of an account's tokens, newest first.
    ///
    /// # Errors
    /// [`AccountError::Cursor`] if the cursor belongs to another list.
    pub async fn tokens(
        &self,
        owner: AccountId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Token>, AccountError> {
        const LIST: &str = "tokens";
        let mut range =
            Select::partition(account_key(owner).pk, i32::from(limit)).begins_with(TOKENS).backwards();
        if let Some(id) = start_after(LIST, cursor)? {
            let key = owned_key(owner, id);
            range = range.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&range).await?;
        let items: Vec<OwnedItem> = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        let items: Vec<Token> = items.into_iter().map(|item| item.token).collect();
        let next = items.last().filter(|_| page.more).map(|last| cursor_after(LIST, last.id));
        Ok(Listed { items, next })
    }

    /// Reads one token of an account.
    ///
    /// # Errors
    /// [`AccountError::NoSuchToken`] if the account has no such token.
    pub async fn token(&self, owner: AccountId, id: TokenId) -> Result<Token, AccountError> {
        Ok(self.owned_token(owner, id).await?.token)
    }

    async fn owned_token(&self, owner: AccountId, id: TokenId) -> Result<OwnedItem, AccountError> {
        let item = self.dynamo.get(&owned_key(owner, id)).await?.ok_or(AccountError::NoSuchToken)?;
        Ok(from_item(item)?)
    }

    /// Revokes a token. From then on this process rejects the token; other processes reject it within ten seconds.
    ///
    /// # Errors
    /// [`AccountError::NoSuchToken`] if the account has no such token, or if it was already revoked.
    pub async fn revoke_token(
        &self,
        owner: AccountId,
        id: TokenId,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Token, AccountError> {
        let item = self.owned_token(owner, id).await?;
        let write = self
            .dynamo
            .guarded_write()
            .delete("owned", &owned_key(owner, id), Condition::Exists)
            .delete_derived("token", &token_key(&item.hash));
        let written = self.dynamo.try_write(Idempotency::record(idempotency, write, &item.token)?).await;
        // In any case, because a write whose answer was lost may have happened.
        self.auth_cache.invalidate(&AuthKey::Token(item.hash));
        if written? { Ok(item.token) } else { Err(AccountError::NoSuchToken) }
    }
}
