//! Links that sign a person in, let an invited person join, or set a new password.
//!
//! Invariants: a link works once and expires. Opening it changes nothing, because mail scanners open links; its page has
//! a button that uses it. A new password and the end of all sessions end unused sign-in links and resets, and a later
//! invitation or reset replaces the earlier one.

use jiff::{SignedDuration, Timestamp};

use super::AccountError;
use super::change::{Description, Operator};
use super::domain::{Account, AccountKind, AccountLink, AccountStatus, LinkPurpose, Secret};
use super::hashing::Queue;
use super::items::{LinkItem, account_key, link_key};
use super::password::Password;
use super::requester::Requester;
use super::second_step::NextStep;
use super::session_cookie::SessionCookie;
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Role};
use crate::base::values::{Email, Invalid, Name};
use crate::shared::audit_log::AuditKind;
use crate::store::schema::TTL;
use crate::store::{Condition, GuardedWrite, Key, StoreError, from_item, to_attribute, to_item};

/// How long a sign-in link or a reset works.
pub const LINK_LASTS: SignedDuration = SignedDuration::from_hours(24);
/// How long an invitation works.
pub const INVITATION_LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

const FIRST_NAME: &str = "Administrator";
const FIRST_EMAIL: &str = "admin@holdfast.local";

/// A link that was not used yet.
#[derive(Debug)]
pub struct OpenLink {
    /// Its account.
    pub account: Account,
    /// What it is for.
    pub purpose: LinkPurpose,
}

impl OpenLink {
    /// Whether the person has to enter a name, an address and a password, because the account is that of the first
    /// start.
    pub fn is_first_start(&self) -> bool {
        self.purpose == LinkPurpose::SignIn
            && self.account.password.is_none()
            && self.account.email.as_str() == FIRST_EMAIL
    }

    /// Whether the link signs the person in and changes nothing else.
    fn only_signs_in(&self) -> bool {
        self.purpose == LinkPurpose::SignIn && !self.is_first_start()
    }
}

/// What a link changes.
struct Used {
    after: Account,
    /// What changed, in a sentence.
    detail: &'static str,
    /// The beginning of the sentence about the sign-in, before the device.
    how: &'static str,
}

/// Adds a new link of an account to a write. `account` is the account after the write.
pub(super) fn add_link(
    write: GuardedWrite,
    account: &Account,
    purpose: LinkPurpose,
    secret: &Secret,
    expires_at: Timestamp,
) -> Result<GuardedWrite, StoreError> {
    let link = LinkItem {
        account_id: account.id,
        epoch: account.epoch,
        expires_at: expires_at.as_second(),
        purpose,
        number: account.link_number,
    };
    Ok(write.put("link", to_item(&link_key(secret), &link)?, Condition::Absent))
}

/// Returns the account with a new invitation or reset, which replaces the former one.
pub(super) fn with_link(account: Account, purpose: LinkPurpose, now: Timestamp) -> (Account, Timestamp) {
    let lasts = if purpose == LinkPurpose::Invitation { INVITATION_LASTS } else { LINK_LASTS };
    let expires_at = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
    let link = Some(AccountLink { purpose, expires_at });
    (Account { link, link_number: account.link_number + 1, ..account }, expires_at)
}

impl Accounts {
    /// Creates a link that signs an account in once, within [`LINK_LASTS`] and until its password changes. Returns the
    /// link's secret.
    ///
    /// # Errors
    /// [`AccountError::NoSuchAccount`]; [`AccountError::NotActive`].
    pub async fn sign_in_link(&self, id: AccountId, operator: Operator<'_>) -> Result<String, AccountError> {
        let account = self.find(id).await?;
        if !account.is_active() || account.kind == AccountKind::Service {
            return Err(AccountError::NotActive);
        }
        let (secret, now) = (Secret::new(self.rng.bytes()), self.clock.now());
        let expires_at = now.saturating_add(LINK_LASTS).unwrap_or(Timestamp::MAX);
        let write = self.dynamo.guarded_write();
        let write = add_link(write, &account, LinkPurpose::SignIn, &secret, expires_at)?;
        let (kind, detail) = (AuditKind::LinkChanged, "Sign-in link created.");
        let entry = self.audit_entry(&account, &operator.actor(), kind, detail);
        let write = operator.authorize(write.audit(&entry)?, None);
        if self.dynamo.try_write(write).await? {
            Ok(secret.reveal().to_owned())
        } else {
            Err(AccountError::NoLongerAllowed)
        }
    }

    /// Creates the first administrator's account unless it exists, and a link that signs them in. Two processes may do
    /// this at once. Returns the link's secret, or `None` if that account was deleted or disabled;
    /// [`super::link_path`] gives its address.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    #[allow(clippy::expect_used)]
    pub async fn first_administrator_link(&self) -> Result<Option<String>, AccountError> {
        let id = match self.first_administrator().await? {
            Some(id) => id,
            None => {
                // Both are constants that a test parses.
                let (name, email) = first_administrator().expect("the name and the address are valid");
                match self.add_first(name, email).await {
                    Ok(id) => id,
                    // Another process added it.
                    Err(AccountError::EmailTaken(_) | AccountError::Changed) => {
                        self.first_administrator().await?.ok_or(AccountError::NoSuchAccount)?
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match self.sign_in_link(id, Operator::Command).await {
            Ok(link) => Ok(Some(link)),
            Err(AccountError::NoSuchAccount | AccountError::NotActive) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the account of the first start, which may have another name and address since then.
    async fn first_administrator(&self) -> Result<Option<AccountId>, AccountError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct FirstStart {
            account_id: AccountId,
        }
        if let Some(item) = self.dynamo.get(&first_start_key()).await? {
            return Ok(Some(from_item::<FirstStart>(item)?.account_id));
        }
        // Before there was an item for it, the account kept its address.
        let email: Result<Email, Invalid> = FIRST_EMAIL.parse();
        match email {
            Ok(email) => Ok(self.by_email(&email).await?),
            Err(_) => Ok(None),
        }
    }

    async fn add_first(&self, name: Name, email: Email) -> Result<AccountId, AccountError> {
        let now = self.clock.now();
        let id = AccountId::new(now, &self.rng.bytes());
        let account = Account::new(id, name, email, Role::Administrator, None, now);
        let what = Description::new(AuditKind::AccountCreated, "Added at the first start.");
        let write = self.creation_write(&account, Operator::Command, &what)?;
        let first = to_item(&first_start_key(), &serde_json::json!({ "accountId": id }))?;
        self.make(write.put("first start", first, Condition::Absent), &account).await?;
        Ok(id)
    }
}

fn first_start_key() -> Key {
    Key::new("WORKSPACE", "FIRSTSTART")
}

fn first_administrator() -> Result<(Name, Email), Invalid> {
    Ok((FIRST_NAME.parse()?, FIRST_EMAIL.parse()?))
}

/// What a person enters to use a link.
#[derive(Debug)]
pub enum LinkInput {
    /// Nothing: the link signs in.
    Nothing,
    /// An invited person's name and password.
    Join {
        /// The name.
        name: Name,
        /// The password.
        password: Password,
    },
    /// A new password.
    Reset(Password),
    /// The name, the address and the password of the first administrator.
    FirstStart {
        /// The name.
        name: Name,
        /// The address to sign in with.
        email: Email,
        /// The password.
        password: Password,
    },
}

impl Accounts {
    /// Returns what a link is for, or `None` if it was used, replaced or withdrawn, is too old or never existed.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn open_link(&self, secret: &Secret) -> Result<Option<OpenLink>, AccountError> {
        let item = self.dynamo.get(&link_key(secret)).await?;
        let Some(link) = item.map(from_item::<LinkItem>).transpose()? else { return Ok(None) };
        let account = match self.find_for_change(link.account_id).await {
            Ok(account) => account,
            Err(AccountError::NoSuchAccount) => return Ok(None),
            Err(error) => return Err(error),
        };
        let works = match link.purpose {
            LinkPurpose::SignIn => account.is_active() && link.epoch == account.epoch,
            LinkPurpose::Invitation => {
                account.status == AccountStatus::Invited && link.number == account.link_number
            }
            LinkPurpose::Reset => account.is_active() && link.number == account.link_number,
        };
        let in_time = self.clock.now().as_second() <= link.expires_at;
        Ok((works && in_time).then_some(OpenLink { account, purpose: link.purpose }))
    }

    /// Uses a link, and signs its person in unless a second step comes first. Returns the account and what follows, or
    /// `None` if the link does not work or does not fit the input.
    ///
    /// # Errors
    /// [`AccountError::EmailTaken`]; [`AccountError::NewPassword`]; [`AccountError::Busy`].
    pub(super) async fn use_link(
        &self,
        secret: &Secret,
        input: LinkInput,
        from: &Requester,
    ) -> Result<Option<(Account, NextStep)>, AccountError> {
        let Some(link) = self.open_link(secret).await? else { return Ok(None) };
        if link.only_signs_in() && matches!(input, LinkInput::Nothing) {
            return self.sign_in_by_link(secret, link.account, from).await;
        }
        let Some(used) = self.after_link(&link, input).await? else { return Ok(None) };
        let next = self.second_step(&used.after).await?;
        // A person who still has to make the second step has not signed in.
        let signs_in = next.is_none();
        let (write, after) = self.link_write(secret, &link.account, used, signs_in, from)?;
        let (write, session) = self.add_session_if(signs_in, write, &after, from)?;
        let made = self.make(write, &after).await;
        self.forget_replaced(from);
        match made {
            Ok(()) => {
                let next = self.next_step(next, session, from).await;
                Ok(next.map(|next| (after, next)))
            }
            // The link was used at the same time.
            Err(AccountError::Conflict(_) | AccountError::Changed | AccountError::NoSuchAccount) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the write of what a link changes, and the account after it.
    fn link_write(
        &self,
        secret: &Secret,
        before: &Account,
        Used { after, detail, how }: Used,
        signs_in: bool,
        from: &Requester,
    ) -> Result<(GuardedWrite, Account), StoreError> {
        let now = self.clock.now();
        let last_sign_in_at = if signs_in { Some(now) } else { before.last_sign_in_at };
        let after = Account { link: None, last_sign_in_at, ..after };
        let actor = from.actor(&after);
        let what = Description::new(AuditKind::PasswordChanged, detail);
        let write = self.change_write(before, &after, Operator::Link(&actor), &what)?;
        let write = delete_link(write, secret, now)?;
        let write = if signs_in { self.audit_sign_in(write, &after, from, how)? } else { write };
        Ok((write, after))
    }

    /// Returns what a link changes, or `None` if it does not fit the input.
    async fn after_link(&self, link: &OpenLink, input: LinkInput) -> Result<Option<Used>, AccountError> {
        let before = link.account.clone();
        Ok(Some(match (link.purpose, input) {
            (LinkPurpose::SignIn, LinkInput::FirstStart { name, email, password })
                if link.is_first_start() =>
            {
                let named = Account { name, email, ..before };
                let after = self.with_new_password(named, password).await?;
                let (detail, how) =
                    ("Set up the workspace.", "Signed in by the link of the first start with");
                Used { after, detail, how }
            }
            (LinkPurpose::Invitation, LinkInput::Join { name, password }) => {
                let named = Account { name, status: AccountStatus::Active, ..before };
                let after = self.with_new_password(named, password).await?;
                let (detail, how) = ("Joined by an invitation.", "Signed in by an invitation with");
                Used { after, detail, how }
            }
            (LinkPurpose::Reset, LinkInput::Reset(password)) => {
                let after = self.with_new_password(before, password).await?;
                Used { after, detail: "Password reset by a link.", how: "Signed in by a password reset with" }
            }
            _ => return Ok(None),
        }))
    }

    async fn sign_in_by_link(
        &self,
        secret: &Secret,
        account: Account,
        from: &Requester,
    ) -> Result<Option<(Account, NextStep)>, AccountError> {
        let write = delete_link(self.dynamo.guarded_write(), secret, self.clock.now())?;
        let next = self.second_step(&account).await?;
        let write = match next.is_some() {
            // The second step records the sign-in.
            true => write.check("account", &account_key(account.id), Self::may_sign_in(&account)),
            false => self.signed_in_write(write, &account, from, "Signed in by a link with")?,
        };
        let (write, session) = self.add_session_if(next.is_none(), write, &account, from)?;
        if !self.write_session(write, from).await? {
            return Ok(None);
        }
        let next = self.next_step(next, session, from).await;
        Ok(next.map(|next| (account, next)))
    }

    /// Adds a session to a write, if the person signs in now.
    fn add_session_if(
        &self,
        signs_in: bool,
        write: GuardedWrite,
        account: &Account,
        from: &Requester,
    ) -> Result<(GuardedWrite, Option<SessionCookie>), StoreError> {
        if !signs_in {
            return Ok((write, None));
        }
        let (write, session) = self.add_session(write, account, from)?;
        Ok((write, Some(session)))
    }

    async fn next_step(
        &self,
        second: Option<NextStep>,
        session: Option<SessionCookie>,
        from: &Requester,
    ) -> Option<NextStep> {
        match session {
            Some(session) => Some(NextStep::SignedIn(self.session_cookies(&session, from).await)),
            None => second,
        }
    }

    /// Returns the account with a new password, which ends its sessions and sign-in links.
    ///
    /// # Errors
    /// [`AccountError::NewPassword`]; [`AccountError::Busy`].
    pub(super) async fn with_new_password(
        &self,
        account: Account,
        password: Password,
    ) -> Result<Account, AccountError> {
        password.check_new(&account.name, &account.email).map_err(AccountError::NewPassword)?;
        let permit = self.hashing.enter(Queue::Known)?;
        let hash = self.hash(&permit, password).await?;
        Ok(account.with_password(hash, self.clock.now()))
    }
}

/// Deletes a link, on the condition that it was not used and has not expired.
fn delete_link(write: GuardedWrite, secret: &Secret, now: Timestamp) -> Result<GuardedWrite, StoreError> {
    let in_time = Condition::AtLeast(TTL, to_attribute(now.as_second())?);
    Ok(write.delete("link", &link_key(secret), Condition::Exists.and(in_time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_address_of_the_first_administrator_are_valid() {
        assert!(first_administrator().is_ok());
    }
}
