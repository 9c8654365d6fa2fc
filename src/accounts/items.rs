//! The keys and items of accounts in the table.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Secret, TokenId};
use crate::base::identity::{AccountId, Actor, Role};
use crate::base::values::{Email, Version, email_parts, name_parts};
use crate::shared::search::{IndexWord, WordIndex, fold, index_words};
use crate::store::schema::{ALL_NEWEST, Index, STATE_NEWEST, STATUS_NEWEST, STATUS_STATE_NEWEST};
use crate::store::{Condition, GuardedWrite, Item, Key, StoreError, to_attribute, to_item};

/// The search index of accounts.
pub(super) const WORDS: WordIndex =
    WordIndex { prefix: "PERSON#", partition_chars: 1, list: "account search" };

/// The most search words of an account. A new name and address can replace all of them within one transaction.
const MAX_WORDS: usize = 24;

/// The prefix of the sort keys of an account's history.
pub(super) const HISTORY: &str = "HISTORY#";
/// The prefix of the sort keys of an account's sessions.
pub(super) const SESSIONS: &str = "SESSION#";
/// The prefix of the sort keys of an account's tokens.
pub(super) const TOKENS: &str = "TOKEN#";

pub(super) fn account_key(id: AccountId) -> Key {
    Key::new(format!("ACCOUNT#{id}"), "ACCOUNT")
}

pub(super) fn login_key(email: &Email) -> Key {
    Key::new(format!("LOGIN#{}", email.key()), "LOGIN")
}

pub(super) fn link_key(secret: &Secret) -> Key {
    Key::new(format!("LINK#{}", secret.hash()), "LINK")
}

pub(super) fn history_key(id: AccountId, version: Version) -> Key {
    Key::new(account_key(id).pk, format!("{HISTORY}{:010}", version.get()))
}

/// Returns the key of a session, by the hash of its secret.
pub(super) fn session_key(id: AccountId, hash: &str) -> Key {
    Key::new(account_key(id).pk, format!("{SESSIONS}{hash}"))
}

/// Returns the key of the token in its owner's list.
pub(super) fn owned_token_key(owner: AccountId, token: TokenId) -> Key {
    Key::new(account_key(owner).pk, format!("{TOKENS}{token}"))
}

/// Returns the key of the token that authenticates a request.
pub(super) fn token_key(hash: &str) -> Key {
    Key::new(format!("TOKEN#{hash}"), "TOKEN")
}

/// Returns the key of the deletion that began and is not done.
pub(super) fn deletion_key(id: AccountId) -> Key {
    Key::new(account_key(id).pk, "DELETION")
}

/// Returns the key of the number of active administrators.
pub(super) fn administrators_key() -> Key {
    Key::new("ADMINISTRATORS", "COUNT")
}

/// The attribute with the number of active administrators.
pub(super) const ADMINISTRATORS: &str = "number";

/// The account that signs in with an email address.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginItem {
    pub(super) account_id: AccountId,
}

/// A link, by the hash of its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkItem {
    pub(super) account_id: AccountId,
    pub(super) epoch: u64,
    pub(super) expires_at: i64,
    #[serde(default = "LinkPurpose::of_former_links")]
    pub(super) purpose: LinkPurpose,
    /// The number of the account's invitation or reset. A later one replaces it.
    #[serde(default)]
    pub(super) number: u64,
}

/// A change of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The version that the change created.
    pub version: Version,
    /// The time.
    pub at: Timestamp,
    /// Who made it.
    pub by: Actor,
    /// What changed, in sentences.
    pub detail: String,
}

/// What the search index stores with each word.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchItem {
    pub(super) account_id: AccountId,
    role: Role,
    status: AccountStatus,
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only accounts with this role.
    pub role: Option<Role>,
    /// Only accounts with this status.
    pub status: Option<AccountStatus>,
}

impl Filter {
    /// Returns whether the filter admits an account.
    pub fn admits(self, account: &Account) -> bool {
        self.role.is_none_or(|role| role == account.role)
            && self.status.is_none_or(|status| status == account.status)
    }

    /// Returns the index and the partition of its list.
    pub(super) fn list(self) -> (Index, String) {
        match (self.role, self.status) {
            (None, None) => (ALL_NEWEST, LIST.to_owned()),
            (Some(role), None) => (STATE_NEWEST, by_role(role)),
            (None, Some(status)) => (STATUS_NEWEST, by_status(status)),
            (Some(role), Some(status)) => (STATUS_STATE_NEWEST, by_both(role, status)),
        }
    }
}

const LIST: &str = "ACCOUNTS";

fn by_role(role: Role) -> String {
    format!("{LIST}#ROLE#{role}")
}

fn by_status(status: AccountStatus) -> String {
    format!("{LIST}#STATUS#{status}")
}

fn by_both(role: Role, status: AccountStatus) -> String {
    format!("{LIST}#BOTH#{role}#{status}")
}

/// The most characters of a name in the sort key of the lists.
const SORTED_CHARS: usize = 60;

/// Returns the sort key of an account in the lists, which are sorted by name.
pub(super) fn list_sort(account: &Account) -> String {
    let name: String = fold(account.name.as_str()).chars().take(SORTED_CHARS).collect();
    format!("{name} {}", account.id)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedAccount<'a> {
    #[serde(flatten)]
    account: &'a Account,
    list_all: &'a str,
    list_state: String,
    list_status: String,
    list_status_state: String,
    sort_newest: String,
}

/// The attribute that accounts before the lists do not have.
pub(super) const LISTED: &str = "listAll";

/// Returns the item of an account, with the attributes of the lists.
pub(super) fn account_item(account: &Account) -> Result<Item, StoreError> {
    let (role, status) = (account.role, account.status);
    let listed = ListedAccount {
        account,
        list_all: LIST,
        list_state: by_role(role),
        list_status: by_status(status),
        list_status_state: by_both(role, status),
        sort_newest: list_sort(account),
    };
    to_item(&account_key(account.id), &listed)
}

/// Returns whether the item of an account has the attributes of the lists.
pub(super) fn is_listed(item: &Item) -> bool {
    item.contains_key(LISTED)
}

/// Returns whether an account counts as an administrator who can manage the others.
pub(super) fn is_active_administrator(account: &Account) -> bool {
    account.role == Role::Administrator
        && account.status == AccountStatus::Active
        && account.kind == AccountKind::Person
}

/// Returns the words that find an account: those of its name and its email address.
fn words_of(account: &Account) -> Vec<IndexWord> {
    let email = account.email.as_str();
    let mut words: Vec<String> = Vec::new();
    for word in [email].into_iter().chain(name_parts(account.name.as_str())).chain(email_parts(email)) {
        let word = fold(word);
        if words.len() < MAX_WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    index_words(words.iter().map(String::as_str))
}

/// Adds the changes of the search index between two states of an account to a write.
pub(super) fn reindex(
    mut write: GuardedWrite,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<GuardedWrite, StoreError> {
    let shown = |account: &Account| (words_of(account), account.role, account.status);
    let (old, new) = (before.map(shown), after.map(shown));
    if old == new {
        return Ok(write);
    }
    let kept = new.map(|(words, ..)| words).unwrap_or_default();
    if let (Some(before), Some((words, ..))) = (before, old) {
        for gone in words.iter().filter(|old| kept.iter().all(|new| new.word != old.word)) {
            write = write.delete_derived("word", &WORDS.key(&gone.word, &before.id));
        }
    }
    if let Some(after) = after {
        let found = SearchItem { account_id: after.id, role: after.role, status: after.status };
        for item in WORDS.items(&kept, &after.id, &found)? {
            write = write.put_derived("word", item);
        }
    }
    Ok(write)
}

/// Returns the condition of a filter on the items of the search index.
pub(super) fn search_filter(filter: Filter) -> Result<Option<Condition>, StoreError> {
    let role = filter.role.map(|role| to_attribute(role).map(|role| Condition::Equals("role", role)));
    let status =
        filter.status.map(|status| to_attribute(status).map(|status| Condition::Equals("status", status)));
    Ok(match (role.transpose()?, status.transpose()?) {
        (Some(role), Some(status)) => Some(role.and(status)),
        (role, status) => role.or(status),
    })
}
