//! API tokens in the table: items, and one function for each use case.
//!
//! A token consists of two items that are written and deleted together: one under its owner, for the list, and one
//! under the hash of its secret, which authenticates requests. Authentication also reads the account, so that a token
//! has its account's name, never a higher role, and ends with the account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AccountError;
use super::auth_cache::AuthKey;
use super::authority::{AUTHORITY, is_active_with};
use super::change::Operator;
use super::domain::{Account, AccountStatus, Secret, Token, TokenDraft, TokenId, TokenName};
use super::items::{TOKENS, account_key, owned_token_key, token_key};
use super::sessions::SEEN_EVERY;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Name};
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::shared::cursors::{cursor_after, start_after};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{
    Condition, GuardedWrite, Key, Select, StoreError, Update, from_item, to_attribute, to_item,
};
use crate::web::lists::Listed;

/// Requires a session. With a token, a leaked token could create another one that outlives it.
pub(super) fn require_session(who: &SignedIn) -> Result<(), AccountError> {
    if who.via == Via::Session { Ok(()) } else { Err(AccountError::SessionNeeded) }
}

/// The item in its owner's list.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnedItem {
    id: TokenId,
    name: TokenName,
    created_at: Timestamp,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    /// The time at which it expires, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

fn first_epoch() -> u64 {
    1
}

/// The item that authenticates a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenItem {
    account_id: AccountId,
    name: Name,
    email: Email,
    role: Role,
    token: TokenName,
    /// The epoch of the account's tokens in which it was created.
    #[serde(default = "first_epoch")]
    epoch: u64,
    /// The time at which it expires, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl TokenItem {
    /// Returns whether the token of this account works.
    fn is_current(&self, account: &Account, now: Timestamp) -> bool {
        account.is_active()
            && self.epoch == account.token_epoch
            && self.expires_at.is_none_or(|end| now.as_second() < end)
    }
}

fn token_of(owned: OwnedItem, item: &TokenItem) -> Token {
    let OwnedItem { id, name, created_at, prefix, expires_at, .. } = owned;
    let expires_at = expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    Token { id, name, role: item.role, prefix, created_at, expires_at, last_used_at: item.last_used_at }
}

impl Accounts {
    /// Returns the account of a token in the token's role, if the token works.
    pub(super) async fn by_token(&self, secret: &Secret) -> Result<Option<SignedIn>, AccountError> {
        let key = token_key(&secret.hash());
        let token: Option<TokenItem> = self.dynamo.get(&key).await?.map(from_item).transpose()?;
        let Some(token) = token else { return Ok(None) };
        let (account, now) = (self.read(token.account_id).await?, self.clock.now());
        if account.as_ref().is_some_and(|account| account.status == AccountStatus::Disabled) {
            return Err(AccountError::Disabled);
        }
        let Some(account) = account.filter(|account| token.is_current(account, now)) else { return Ok(None) };
        if token.last_used_at.is_none_or(|last| now.duration_since(last) >= SEEN_EVERY) {
            self.used_token(&key, &token, now).await;
        }
        let role = token.role.min(account.role);
        Ok(Some(SignedIn { role, ..account.signed_in(Via::Token(token.token.to_string())) }))
    }

    /// Writes the last use of a token. The request does not depend on it.
    async fn used_token(&self, key: &Key, token: &TokenItem, now: Timestamp) {
        let write = || {
            let last = token.last_used_at.map(to_attribute).transpose()?;
            let unchanged = Condition::Exists.and(Condition::Same(vec![("lastUsedAt".to_owned(), last)]));
            let used = Update::default().set("lastUsedAt", to_attribute(now)?);
            Ok::<_, StoreError>(self.dynamo.guarded_write().update("token", key, &used, unchanged))
        };
        self.write_last_use(write()).await;
    }
}

impl Accounts {
    /// Creates an API token of an account. Only the result contains the secret; it is not stored, so the stored answer
    /// of the same request does not contain it.
    ///
    /// # Errors
    /// [`AccountError::RoleTooHigh`] if the account's role is lower than the token's; [`AccountError::NotActive`];
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NoLongerAllowed`]; [`AccountError::KeyReused`] if the
    /// idempotency key was used for another request.
    pub async fn create_token(
        &self,
        owner: AccountId,
        draft: TokenDraft,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Done<(Token, Secret)>, AccountError> {
        let account = self.find(owner).await?;
        if draft.role > account.role {
            return Err(AccountError::RoleTooHigh(account.role));
        }
        if !account.is_active() {
            return Err(AccountError::NotActive);
        }
        let secret = Secret::new(self.rng.bytes());
        let (owned, item) = self.items_of_new_token(&account, draft, &secret);
        let write = self.token_write(&account, &owned, &item, operator)?;
        let token = token_of(owned, &item);
        match write_with_record::<_, AccountError>(&self.dynamo, write, token, idempotency).await? {
            Ok(Done::Now(token)) => Ok(Done::Now((token, secret))),
            Ok(Done::Replayed(answer)) => Ok(Done::Replayed(answer)),
            Err(refusal) if refusal.of("account") || refusal.of(AUTHORITY) => {
                Err(AccountError::NoLongerAllowed)
            }
            Err(_) => Err(AccountError::Changed),
        }
    }

    /// Returns the two items of a new token.
    fn items_of_new_token(
        &self,
        account: &Account,
        draft: TokenDraft,
        secret: &Secret,
    ) -> (OwnedItem, TokenItem) {
        let now = self.clock.now();
        let expires_at = draft.days.map(|days| days.from(now).as_second());
        let owned = OwnedItem {
            id: TokenId::new(now, &self.rng.bytes()),
            name: draft.name.clone(),
            created_at: now,
            hash: secret.hash(),
            prefix: Some(secret.prefix()),
            expires_at,
        };
        let item = TokenItem {
            account_id: account.id,
            name: account.name.clone(),
            email: account.email.clone(),
            role: draft.role,
            token: draft.name,
            epoch: account.token_epoch,
            expires_at,
            last_used_at: None,
        };
        (owned, item)
    }

    /// Returns the write that creates a token, if its account still has the role and its tokens were not revoked.
    fn token_write(
        &self,
        account: &Account,
        owned: &OwnedItem,
        item: &TokenItem,
        operator: Operator<'_>,
    ) -> Result<GuardedWrite, StoreError> {
        let detail = format!("Token {} created with the role {}.", item.token, item.role);
        let entry = self.audit_entry(account, &operator.actor(), AuditKind::TokenCreated, detail);
        let may_have = is_active_with(item.role).and(has_token_epoch(account.token_epoch));
        let write = self
            .dynamo
            .guarded_write()
            .put("owned", to_item(&owned_token_key(account.id, owned.id), owned)?, Condition::Absent)
            .put("token", to_item(&token_key(&owned.hash), item)?, Condition::Absent)
            .check("account", &account_key(account.id), may_have)
            .audit(&entry)?;
        Ok(operator.authorize(write, Some(account.id)))
    }

    /// Returns a page of an account's tokens that were not revoked, newest first.
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
        let account = self.find(owner).await?;
        let mut range =
            Select::partition(account_key(owner).pk, i32::from(limit)).begins_with(TOKENS).backwards();
        if let Some(id) = start_after(LIST, cursor)? {
            let key = owned_token_key(owner, id);
            range = range.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&range).await?;
        let more = page.more;
        let owned: Vec<OwnedItem> = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        let next = owned.last().filter(|_| more).map(|last| cursor_after(LIST, last.id));
        let items = self.with_token_items(owned).await?;
        let items = items.into_iter().filter(|(_, item)| item.epoch == account.token_epoch);
        Ok(Listed { items: items.map(|(owned, item)| token_of(owned, &item)).collect(), next })
    }

    async fn with_token_items(
        &self,
        owned: Vec<OwnedItem>,
    ) -> Result<Vec<(OwnedItem, TokenItem)>, StoreError> {
        let keys: Vec<Key> = owned.iter().map(|owned| token_key(&owned.hash)).collect();
        let mut found = std::collections::HashMap::new();
        for item in self.dynamo.get_all(&keys).await? {
            if let Some(pk) = item.get(crate::store::schema::PK).and_then(|pk| pk.as_s().ok()).cloned() {
                found.insert(pk, from_item::<TokenItem>(item)?);
            }
        }
        let pair = |owned: OwnedItem| found.remove(&token_key(&owned.hash).pk).map(|item| (owned, item));
        Ok(owned.into_iter().filter_map(pair).collect())
    }

    /// Reads one token of an account.
    ///
    /// # Errors
    /// [`AccountError::NoSuchToken`] if the account has no such token.
    pub async fn token(&self, owner: AccountId, id: TokenId) -> Result<Token, AccountError> {
        let (owned, item) = self.owned_token(owner, id).await?;
        Ok(token_of(owned, &item))
    }

    async fn owned_token(
        &self,
        owner: AccountId,
        id: TokenId,
    ) -> Result<(OwnedItem, TokenItem), AccountError> {
        let item = self.dynamo.get(&owned_token_key(owner, id)).await?.ok_or(AccountError::NoSuchToken)?;
        let pair = self.with_token_items(vec![from_item(item)?]).await?.pop();
        pair.ok_or(AccountError::NoSuchToken)
    }

    /// Revokes a token. From then on this process rejects the token; other processes reject it within ten seconds.
    ///
    /// # Errors
    /// [`AccountError::NoSuchToken`] if the account has no such token, or if it was already revoked;
    /// [`AccountError::NoLongerAllowed`]; [`AccountError::KeyReused`].
    pub async fn revoke_token(
        &self,
        owner: AccountId,
        id: TokenId,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Done<Token>, AccountError> {
        let revoke = self.revoke_token_now(owner, id, operator, idempotency);
        Idempotency::run(idempotency, &self.dynamo, revoke).await
    }

    async fn revoke_token_now(
        &self,
        owner: AccountId,
        id: TokenId,
        operator: Operator<'_>,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Token, AccountError> {
        let (owned, item) = self.owned_token(owner, id).await?;
        let hash = owned.hash.clone();
        let token = token_of(owned, &item);
        let (subject, detail) =
            (format!("{} <{}>", item.name, item.email), format!("Token {} revoked.", token.name));
        let (kind, now) = (AuditKind::TokenRevoked, self.clock.now());
        let entry = AuditEntry::new(&self.rng, now, &operator.actor(), kind, subject, detail);
        let write = self
            .dynamo
            .guarded_write()
            .delete("owned", &owned_token_key(owner, id), Condition::Exists)
            .delete_derived("token", &token_key(&hash))
            .audit(&entry.at_path(format!("/people/{owner}")))?;
        let write = operator.authorize(write, None);
        let write = Idempotency::record(idempotency, write, &token)?;
        let written = self.write_authorized(write).await;
        // Done even after an error: a write whose answer was lost may have happened.
        self.auth_cache.invalidate(&AuthKey::Token(hash));
        if written? { Ok(token) } else { Err(AccountError::NoSuchToken) }
    }
}

/// Returns the condition that the tokens of an account were not revoked since this epoch.
fn has_token_epoch(epoch: u64) -> Condition {
    let same = Condition::is_number("tokenEpoch", epoch);
    match epoch {
        // Accounts of version 0.1 have no such attribute.
        1 => Condition::Any(vec![same, Condition::Same(vec![("tokenEpoch".to_owned(), None)])]),
        _ => same,
    }
}
