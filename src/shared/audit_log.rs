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
use crate::base::values::{Invalid, text_enum, time_ordered_id};
use crate::store::{Condition, GuardedWrite, Key, StoreError, to_item};

/// How long an entry is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The number of partitions of a day.
pub const PARTITIONS: u32 = 16;

time_ordered_id!(
    /// An audit entry's id.
    AuditId,
    "an audit entry"
);

text_enum! {
    /// What happened.
    pub enum AuditKind, "This is not a kind of audit entry.";
    /// A person signed in.
    SignedIn = "signed-in",
    /// A password, a code or a link was refused.
    SignInFailed = "sign-in-failed",
    /// A person signed out, or sessions were ended.
    SessionsEnded = "sessions-ended",
    /// An account was created or invited.
    AccountCreated = "account-created",
    /// A name, an email address, a role or a state of an account was changed.
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
    /// A raffle was drawn or canceled.
    RaffleClosed = "raffle-closed",
    /// Leads were imported, or an import was undone.
    Import = "import",
    /// Records were exported.
    Export = "export",
    /// Records were deleted, restored or merged.
    Deletion = "deletion",
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

fn key(entry: &AuditEntry) -> Key {
    let (day, id) = (entry.at.to_zoned(TimeZone::UTC).date(), entry.id.to_string());
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
        let expires_at = entry.at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second();
        Ok(self.put("audit", to_item(&key(entry), &StoredEntry { entry, expires_at })?, Condition::Absent))
    }
}
