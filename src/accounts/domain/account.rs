//! Accounts and their states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::password::PasswordHash;
use crate::accounts::two_factor::TwoFactor;
use crate::base::calendar::ZoneName;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Name, Version, text_enum};

text_enum! {
    /// Whether an account may sign in.
    pub enum AccountStatus, "The state must be invited, active, or disabled.";
    /// The person has not used the invitation yet.
    Invited = "invited",
    /// The account may sign in and use its tokens.
    Active = "active",
    /// The account may not sign in until an administrator enables it. A person has lost all tokens, and a service may not
    /// use them until then.
    Disabled = "disabled",
}

impl AccountStatus {
    /// Returns the name of the status for pages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Invited => "Invited",
            Self::Active => "Active",
            Self::Disabled => "Disabled",
        }
    }
}

text_enum! {
    /// Who uses an account.
    pub enum AccountKind, "An account must be for a person or a service.";
    /// A person, who signs in.
    Person = "person",
    /// A program, which only has tokens.
    Service = "service",
}

text_enum! {
    /// What a link is for.
    pub enum LinkPurpose, "A link must be for signing in, an invitation, a reset, or the first start.";
    /// It signs a person in who has a password or never needed one.
    SignIn = "sign-in",
    /// It lets an invited person join.
    Invitation = "invitation",
    /// It lets a person choose a new password.
    Reset = "reset",
}

impl LinkPurpose {
    /// Returns the purpose of links that were stored before links had one.
    pub(in crate::accounts) fn of_former_links() -> Self {
        Self::SignIn
    }
}

/// The invitation or reset of an account that was created last and not used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The time from which it is refused.
    pub expires_at: Timestamp,
}

/// Returns the status of an account that was stored before accounts had one.
fn active() -> AccountStatus {
    AccountStatus::Active
}

fn person() -> AccountKind {
    AccountKind::Person
}

fn first_epoch() -> u64 {
    1
}

/// An account, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The id.
    pub id: AccountId,
    /// The person's name.
    pub name: Name,
    /// The address for signing in. It belongs to one account, regardless of case.
    pub email: Email,
    /// The role.
    pub role: Role,
    /// Whether the account may sign in.
    #[serde(default = "active")]
    pub status: AccountStatus,
    /// Who uses it.
    #[serde(default = "person")]
    pub kind: AccountKind,
    /// The hash of the password, if the person has one. Without one they sign in by link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// 1 at creation, plus one for each new password. Sessions and sign-in links contain the epoch in which they were
    /// created and end with it.
    pub epoch: u64,
    /// 1 at creation, plus one each time that all tokens are revoked. A token contains the epoch in which it was
    /// created.
    #[serde(default = "first_epoch")]
    pub token_epoch: u64,
    /// The second factor, if the person has set it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_factor: Option<TwoFactor>,
    /// The invitation or reset that was not used yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<AccountLink>,
    /// How many invitations and resets were created or withdrawn. Only the link with this number works.
    #[serde(default)]
    pub link_number: u64,
    /// The time zone in which the person sees times, or `None` for the workspace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<ZoneName>,
    /// The last time that the person signed in. It is no change, so it has no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
    /// 1 at creation, plus one for each change.
    pub version: Version,
    /// The creation time.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

impl Account {
    /// Creates an account at its first version.
    pub fn new(
        id: AccountId,
        name: Name,
        email: Email,
        role: Role,
        password: Option<PasswordHash>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name,
            email,
            role,
            status: AccountStatus::Active,
            kind: AccountKind::Person,
            password,
            epoch: 1,
            token_epoch: 1,
            two_factor: None,
            link: None,
            link_number: 0,
            time_zone: None,
            last_sign_in_at: None,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns the account with another password, which ends all its sessions and unused links.
    pub fn with_password(self, password: PasswordHash, now: Timestamp) -> Self {
        Self { password: Some(password), ..self.without_sessions().changed(now) }
    }

    /// Returns the name and the address, as audit entries name an account.
    pub fn label(&self) -> String {
        format!("{} <{}>", self.name, self.email)
    }

    /// Returns the account after its next change.
    #[must_use]
    pub fn changed(self, now: Timestamp) -> Self {
        Self { version: self.version.next(), updated_at: now, ..self }
    }

    /// Returns the account after all its sessions and its unused links to sign in or to reset the password ended. An
    /// invited person has no session, so the invitation stays.
    #[must_use]
    pub fn without_sessions(self) -> Self {
        let account = Self { epoch: self.epoch + 1, ..self };
        match account.status {
            AccountStatus::Invited => account,
            // Otherwise a reset that an attacker copied would still work after the owner chose a new password.
            _ => Self { link: None, link_number: account.link_number + 1, ..account },
        }
    }

    /// Returns the account after all its tokens were revoked.
    #[must_use]
    pub fn without_tokens(self) -> Self {
        Self { token_epoch: self.token_epoch + 1, ..self }
    }

    /// Returns the account with another second factor, or without one.
    #[must_use]
    pub fn with_two_factor(self, two_factor: Option<TwoFactor>) -> Self {
        Self { two_factor, ..self }
    }

    /// Returns whether this is a person who may sign in and has no second factor.
    pub fn lacks_two_factor(&self) -> bool {
        self.is_active() && self.kind == AccountKind::Person && self.two_factor.is_none()
    }

    /// Returns whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }

    /// Returns the person as the sender of a request.
    pub fn signed_in(self, via: Via) -> SignedIn {
        let who = SignedIn::new(self.id, self.name, self.email, self.role, via);
        SignedIn { time_zone: self.time_zone, ..who }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_all_sessions_ends_a_reset_but_no_invitation() {
        let now = Timestamp::UNIX_EPOCH;
        let (name, email) = ("Ann".parse().unwrap(), "ann@example.com".parse().unwrap());
        let account = Account::new(AccountId::new(now, &[1; 10]), name, email, Role::Agent, None, now);
        for (status, purpose, stays) in [
            (AccountStatus::Active, LinkPurpose::Reset, false),
            (AccountStatus::Invited, LinkPurpose::Invitation, true),
        ] {
            let link = Some(AccountLink { purpose, expires_at: now });
            let before = Account { status, link, link_number: 3, ..account.clone() };
            let after = before.clone().without_sessions();
            assert_eq!(after.epoch, before.epoch + 1, "{status}");
            let kept = (after.link.clone(), after.link_number) == (before.link, before.link_number);
            assert_eq!(kept, stays, "{status}");
            assert!(stays || (after.link.is_none() && after.link_number == 4), "{status}");
        }
    }

    #[test]
    fn roles_are_sorted_by_their_rights() {
        assert!(Role::ALL.is_sorted());
        assert_eq!("AGENT".parse(), Ok(Role::Agent));
        assert!("owner".parse::<Role>().is_err());
    }
}
