//! `holdfast account invite`, `link` and `reset`, and how all commands print a link.

use holdfast::accounts::administer::AccountDraft;
use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{Account, AccountKind, AccountStatus, LinkPurpose};
use holdfast::accounts::link_path;
use holdfast::accounts::view::AccountView;
use serde::Serialize;

use super::named::{change, made_now};
use crate::cli::{InviteAccount, ResetAccount};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Opened;

/// An account as JSON, with a new link.
#[derive(Serialize)]
struct WithUrl {
    #[serde(flatten)]
    account: AccountView,
    /// The link, or only its path if the address of the pages is unknown.
    url: String,
}

/// A link that was created now.
pub struct NewLink {
    pub account: Account,
    pub purpose: LinkPurpose,
    pub secret: String,
}

impl NewLink {
    /// Prints the link on the last line, below a line that says what was done.
    pub fn print(self, done: &str, opened: &Opened, output: &Output<'_>) -> Result<(), Failure> {
        let Self { account, purpose, secret } = self;
        let address = opened.address.as_deref();
        let url = format!("{}{}", address.unwrap_or_default(), link_path(&secret));
        let use_of_link = match purpose {
            LinkPurpose::SignIn => "It signs them in, once, within a day",
            LinkPurpose::Invitation => "It lets them join, once, within seven days",
            LinkPurpose::Reset => "It lets them choose a new password, once, within a day",
        };
        let what = match address {
            Some(_) => "Send them this link.",
            None => "Send them this path at your address.",
        };
        let text = format!("{done}\n{what} {use_of_link}:\n{url}");
        output.print(&text, &WithUrl { account: AccountView::from(&account), url })
    }
}

/// Invites a person.
pub async fn invite(opened: &Opened, options: InviteAccount, output: &Output<'_>) -> Result<(), Failure> {
    let InviteAccount { name, email, role, .. } = options;
    let label = email.to_string();
    let draft = AccountDraft { name, email: Some(email), role, kind: AccountKind::Person };
    let done = opened.app.accounts().invite(draft, Operator::Command, None).await?;
    let (account, secret) = made_now(done, label)?;
    let done = format!("Invited {} as {role}.", account.label());
    match secret {
        Some(secret) => {
            let secret = secret.reveal().to_owned();
            NewLink { account, purpose: LinkPurpose::Invitation, secret }.print(&done, opened, output)
        }
        None => output.print(&done, &AccountView::from(&account)),
    }
}

/// Prints a link that signs a person in, or a new invitation for a person who has not joined.
pub async fn link(opened: &Opened, reference: &AccountReference, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let create = async |account: Account| {
        require_link(&account)?;
        if account.status == AccountStatus::Invited {
            let done = accounts.renew_link(account.id, account.version, Operator::Command, None).await?;
            let renewed = made_now(done, account.label())?;
            let secret = renewed.secret.reveal().to_owned();
            return Ok(NewLink { account: renewed.account, purpose: LinkPurpose::Invitation, secret });
        }
        let secret = accounts.sign_in_link(account.id, Operator::Command).await?;
        Ok(NewLink { account, purpose: LinkPurpose::SignIn, secret })
    };
    let link: NewLink = change(&accounts, reference, create).await?;
    let label = link.account.label();
    let done = match link.purpose {
        LinkPurpose::Invitation => format!("Renewed the invitation of {label}."),
        _ => format!("Created a sign-in link for {label}."),
    };
    link.print(&done, opened, output)
}

/// Prints a link with which a person chooses a new password. Switches two-factor authentication off if asked to.
pub async fn reset(opened: &Opened, options: &ResetAccount, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let create = async |account: Account| {
        require_link(&account)?;
        if account.status == AccountStatus::Invited {
            return Err(Failure::Refused(format!(
                "{} has not joined yet and has no password; print a new invitation: holdfast account link {}",
                account.label(),
                account.email
            )));
        }
        let label = account.label();
        let account = match options.two_factor {
            true => {
                let (id, version) = (account.id, account.version);
                let done = accounts.reset_two_factor(id, version, Operator::Command, None).await?;
                made_now(done, label.as_str())?
            }
            false => account,
        };
        let done = accounts.renew_link(account.id, account.version, Operator::Command, None).await?;
        let reset = made_now(done, label)?;
        let secret = reset.secret.reveal().to_owned();
        Ok(NewLink { account: reset.account, purpose: LinkPurpose::Reset, secret })
    };
    let link: NewLink = change(&accounts, &options.named.account, create).await?;
    let label = link.account.label();
    let done = match options.two_factor {
        true => format!("Switched two-factor authentication off and created a password reset for {label}."),
        false => format!("Created a password reset for {label}."),
    };
    link.print(&done, opened, output)
}

/// Refuses a link for a service, which does not sign in, and for a disabled account.
fn require_link(account: &Account) -> Result<(), Failure> {
    let (label, email) = (account.label(), &account.email);
    if account.kind == AccountKind::Service {
        return Err(Failure::Refused(format!(
            "{label} is a service, which does not sign in; create a token: holdfast token create {email} NAME"
        )));
    }
    if account.status == AccountStatus::Disabled {
        return Err(Failure::Refused(format!(
            "{label} is disabled; enable the account first: holdfast account enable {email}"
        )));
    }
    Ok(())
}
