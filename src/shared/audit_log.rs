//! Entries of the audit log: who did what to whom, when, and from where. [`crate::audit`] lists them.
//!
//! Invariants: an entry is written in the transaction of what it records, so it exists exactly if that happened. A bulk
//! action, an import or an export writes one entry. Entries expire after [`KEPT`] and are never changed.
//!
//! A day's entries are spread over [`PARTITIONS`] partitions by their random ids, so that no partition limits how many
//! writes a second may be recorded.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::identity::{AccountId, Actor, SignedIn};
use crate::base::rng::Rng;
use crate::base::values::{text_enum, time_ordered_id};
use crate::shared::audit::{Audited, Author};
use crate::store::{Condition, Dynamo, GuardedWrite, Key, StoreError, to_item};

/// How long an entry is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The number of partitions of a day.
pub const PARTITIONS: u32 = 16;

time_ordered_id!(
    /// An audit entry's id.
    AuditId,
    "an audit entry"
);

impl AuditId {
    /// Returns the smallest id of this time: the entries before the time have smaller ids.
    pub fn first_at(time: Timestamp) -> Self {
        Self::new(time, &[0; 10])
    }

    /// Returns the time of the entry, in whole milliseconds.
    pub fn time(self) -> Timestamp {
        let millis = i64::try_from(self.0.as_u128() >> 80).unwrap_or_default();
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }
}

text_enum! {
    /// What happened.
    pub enum AuditKind, "This isn't a kind of audit entry.";
    /// A person signed in.
    SignedIn = "signed-in",
    /// A password, a code or a link was refused.
    SignInFailed = "sign-in-failed",
    /// A person signed out, or sessions were ended.
    SessionsEnded = "sessions-ended",
    /// An account was created or invited.
    AccountCreated = "account-created",
    /// A name, an email address, a role or a status of an account was changed.
    AccountChanged = "account-changed",
    /// An account was deleted.
    AccountDeleted = "account-deleted",
    /// A password was set, changed or reset.
    PasswordChanged = "password-changed",
    /// Two-factor authentication was switched on or off, or its codes were replaced.
    TwoFactorChanged = "two-factor-changed",
    /// A link to sign in, to join or to reset a password was created or withdrawn.
    LinkChanged = "link-changed",
    /// A token was created.
    TokenCreated = "token-created",
    /// A token was revoked.
    TokenRevoked = "token-revoked",
    /// A setting of the workspace was changed.
    SettingChanged = "setting-changed",
    /// A cap was changed.
    CapChanged = "cap-changed",
    /// A rule was created, changed or deleted.
    RuleChanged = "rule-changed",
    /// A raffle was drawn.
    RaffleClosed = "raffle-closed",
    /// Leads were imported, or an import was undone.
    Import = "import",
    /// Records were exported.
    Export = "export",
    /// Records were deleted, restored or merged.
    Deletion = "deletion",
}

impl AuditKind {
    /// Returns the name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::SignedIn => "Signed in",
            Self::SignInFailed => "Sign-in failed",
            Self::SessionsEnded => "Sessions ended",
            Self::AccountCreated => "Account created",
            Self::AccountChanged => "Account changed",
            Self::AccountDeleted => "Account deleted",
            Self::PasswordChanged => "Password changed",
            Self::TwoFactorChanged => "Two-factor changed",
            Self::LinkChanged => "Link changed",
            Self::TokenCreated => "Token created",
            Self::TokenRevoked => "Token revoked",
            Self::SettingChanged => "Setting changed",
            Self::CapChanged => "Cap changed",
            Self::RuleChanged => "Rule changed",
            Self::RaffleClosed => "Raffle closed",
            Self::Import => "Import started",
            Self::Export => "Data exported",
            Self::Deletion => "Deleted or restored",
        }
    }
}

/// An audit entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// The id, which starts with the time.
    pub id: AuditId,
    /// The time.
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
    /// The name of the person or program that did it.
    pub by: Actor,
    /// The account that did it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The address that the request came from, if the host knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What was changed, for people: `Ann Lee <ann@example.com>`.
    pub subject: String,
    /// The path of its page, without the base path, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What exactly happened, in one sentence: `Role changed from agent to administrator.`
    pub detail: String,
}

/// The person or program that an audit entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditActor {
    /// The name.
    pub by: Actor,
    /// The account, if there is one.
    pub account: Option<AccountId>,
    /// The address that the request came from, if the host knows it.
    pub address: Option<IpAddr>,
}

impl From<&SignedIn> for AuditActor {
    fn from(who: &SignedIn) -> Self {
        Self { by: who.actor(), account: Some(who.id), address: who.address }
    }
}

impl From<&Author> for AuditActor {
    fn from(author: &Author) -> Self {
        Self { by: author.actor.clone(), account: author.account, address: author.address }
    }
}

impl AuditActor {
    /// Returns a command of the `holdfast` program, which needs no account.
    pub fn command() -> Self {
        Self { by: Actor::new("holdfast command"), account: None, address: None }
    }
}

impl AuditEntry {
    /// Creates an entry.
    pub fn new(
        rng: &Rng,
        now: Timestamp,
        actor: &AuditActor,
        kind: AuditKind,
        subject: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let AuditActor { by, account, address } = actor.clone();
        let (id, subject, detail) = (AuditId::new(now, &rng.bytes()), subject.into(), detail.into());
        Self { id, at: now, kind, by, account, address, subject, path: None, detail }
    }

    /// Returns when the entry expires. DynamoDB may remove it later.
    pub fn expires_at(&self) -> Timestamp {
        self.at.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }

    /// Adds the path of the page of what was changed.
    #[must_use]
    pub fn at_path(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }
}

/// Returns a partition of a day in UTC: `AUDIT#2026-11-29#7`.
pub fn partition(day: Date, number: u32) -> String {
    format!("AUDIT#{day}#{number}")
}

/// Returns the key of an entry, whose id has its time.
pub(super) fn key_of(id: AuditId) -> Key {
    let (day, id) = (id.time().to_zoned(TimeZone::UTC).date(), id.to_string());
    // The last hexadecimal digit is random.
    let number = id.chars().next_back().and_then(|digit| digit.to_digit(16)).unwrap_or_default();
    Key::new(partition(day, number), id)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredEntry<'a> {
    #[serde(flatten)]
    entry: &'a AuditEntry,
    expires_at: i64,
}

impl GuardedWrite {
    /// Adds an audit entry.
    ///
    /// # Errors
    /// [`StoreError`] if the entry cannot be written as an item.
    pub fn audit(self, entry: &AuditEntry) -> Result<Self, StoreError> {
        let expires_at = entry.expires_at().as_second();
        Ok(self.put(
            "audit",
            to_item(&key_of(entry.id), &StoredEntry { entry, expires_at })?,
            Condition::Absent,
        ))
    }

    /// Adds the audit entry of an author's action, unless the entry of a bulk action covers it.
    ///
    /// # Errors
    /// As [`audit`](Self::audit).
    pub fn audit_by(self, author: &Author, entry: AuditEntry) -> Result<Self, StoreError> {
        match &author.audited {
            Audited::Each => self.audit(&entry),
            Audited::Covered => Ok(self),
            Audited::Bulk { subject, detail } => {
                let (subject, detail) = (subject.clone(), detail.clone());
                self.audit(&AuditEntry { subject, detail, path: None, ..entry })
            }
        }
    }
}

impl Dynamo {
    /// Writes an audit entry alone, for an action that writes nothing else, such as an export.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn write_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        match self.try_write(self.guarded_write().audit(entry)?).await? {
            true => Ok(()),
            false => Err(StoreError::invariant_violation("TransactWriteItems", &key_of(entry.id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, random: [u8; 10]) -> AuditEntry {
        let (now, actor) = (at.parse().unwrap(), AuditActor::command());
        let entry = AuditEntry::new(&Rng::of_system(), now, &actor, AuditKind::Export, "Orders", "Exported.");
        AuditEntry { id: AuditId::new(now, &random), ..entry }
    }

    #[test]
    fn an_entry_is_in_the_partition_of_its_day_and_last_digit() {
        let key = key_of(entry("2026-11-29T23:59:59.999Z", [0x0f; 10]).id);
        assert_eq!(key.pk, "AUDIT#2026-11-29#15");
        assert!(key.sk.ends_with('f'), "{}", key.sk);
    }

    #[test]
    fn an_id_has_its_time_and_the_first_id_of_a_time_is_the_smallest() {
        let at: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
        let before = AuditId::new("2026-11-28T23:59:59.999Z".parse().unwrap(), &[0xff; 10]);
        let first = AuditId::first_at(at);
        assert_eq!((first.time(), first <= AuditId::new(at, &[0; 10])), (at, true));
        assert!(before < first && before.to_string() < first.to_string());
        assert!(first < AuditId::new(at, &[1; 10]));
    }

    #[test]
    fn an_entry_expires_after_four_hundred_days() {
        assert_eq!(entry("2026-01-01T00:00:00Z", [0; 10]).expires_at().to_string(), "2027-02-05T00:00:00Z");
    }
}
