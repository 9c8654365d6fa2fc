//! `holdfast account disable`, `enable` and `role`.

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::{Account, AccountKind, AccountStatus};
use holdfast::accounts::view::AccountView;

use super::named::{change, made_now};
use crate::cli::ChangeRole;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Opened;

/// Disables an account.
pub async fn disable(
    opened: &Opened,
    reference: &AccountReference,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let (before, after) = edit(opened, reference, disabled(true)).await?;
    let label = after.label();
    let text = match before.status {
        AccountStatus::Disabled => format!("{label} is already disabled."),
        _ if after.kind == AccountKind::Service => {
            format!("Disabled {label}. Its tokens do not work until you enable it.")
        }
        _ => format!(
            "Disabled {label}. Its sessions and links have ended, and its tokens are revoked for good."
        ),
    };
    output.print(&text, &AccountView::from(&after))
}

/// Enables a disabled account.
pub async fn enable(
    opened: &Opened,
    reference: &AccountReference,
    output: &Output<'_>,
) -> Result<(), Failure> {
    let (before, after) = edit(opened, reference, disabled(false)).await?;
    let label = after.label();
    let text = match (before.status, after.status) {
        (AccountStatus::Disabled, AccountStatus::Invited) => format!(
            "Enabled {label}, who has not joined yet. Print a new invitation with: holdfast account link {}",
            after.email
        ),
        (AccountStatus::Disabled, _) => format!("Enabled {label}."),
        (AccountStatus::Active | AccountStatus::Invited, state) => {
            format!("{label} is {state}, not disabled.")
        }
    };
    output.print(&text, &AccountView::from(&after))
}

/// Changes the role of an account.
pub async fn role(opened: &Opened, options: &ChangeRole, output: &Output<'_>) -> Result<(), Failure> {
    let changes = AccountChanges { role: Some(options.role), ..AccountChanges::default() };
    let (before, after) = edit(opened, &options.account, changes).await?;
    let (label, old, new) = (after.label(), before.role, after.role);
    let text = if old == new {
        format!("{label} is already {new}.")
    } else {
        format!("Changed the role of {label} from {old} to {new}.")
    };
    output.print(&text, &AccountView::from(&after))
}

/// Returns the change that disables or enables an account.
fn disabled(disabled: bool) -> AccountChanges {
    AccountChanges { disabled: Some(disabled), ..AccountChanges::default() }
}

/// Changes an account. Returns it as it was and as it is now.
async fn edit(
    opened: &Opened,
    reference: &AccountReference,
    changes: AccountChanges,
) -> Result<(Account, Account), Failure> {
    let accounts = opened.app.accounts();
    let edit = async |before: Account| {
        let (id, version) = (before.id, before.version);
        let done = accounts.edit(id, version, changes.clone(), Operator::Command, None).await?;
        let after = made_now(done, before.label())?;
        Ok((before, after))
    };
    change(&accounts, reference, edit).await
}
