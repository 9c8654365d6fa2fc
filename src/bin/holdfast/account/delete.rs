//! `holdfast account delete`: disables an account, gives its leads away, and deletes it. Each part may be repeated, so
//! an interrupted command is run again.

use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::Account;
use holdfast::accounts::view::AccountView;
use holdfast::base::identity::Actor;
use holdfast::leads::domain::Owner;
use holdfast::leads::{KeptLead, LeadError};
use serde::Serialize;

use super::change::{disabled, edit};
use super::named::{change, find};
use crate::ACTOR;
use crate::cli::DeleteAccount;
use crate::console::Progress;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Opened;

/// How many leads to change before the progress is shown.
const STEP: u16 = 50;
/// The most leads that could not be changed to print.
const MAX_PRINTED: usize = 20;

/// A deleted account as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    #[serde(flatten)]
    account: AccountView,
    /// How many leads have another owner now, or none.
    leads_changed: u64,
}

/// Deletes an account.
pub async fn delete(opened: &Opened, options: &DeleteAccount, output: &Output<'_>) -> Result<(), Failure> {
    let accounts = opened.app.accounts();
    let account = find(&accounts, &options.account).await?;
    let heir = match &options.leads_to {
        Some(reference) => Some(heir(opened, &account, reference).await?),
        None => None,
    };
    // The email address may change in the course of the command.
    let reference = AccountReference::Id(account.id);
    // No one can give leads to a disabled account.
    edit(opened, &reference, disabled(true)).await?;
    let leads_changed = give_leads(opened, &account, heir.as_ref(), output).await?;
    let delete = async |account: Account| {
        Ok(accounts.delete(account.id, account.version, Operator::Command, None).await?)
    };
    let deleted: Account = change(&accounts, &reference, delete).await?;
    let leads = match (leads_changed, &heir) {
        (0, _) => "It owned no leads.".to_owned(),
        (1, Some(heir)) => format!("1 lead belongs to {} now.", heir.name),
        (count, Some(heir)) => format!("{count} leads belong to {} now.", heir.name),
        (1, None) => "1 lead has no owner now.".to_owned(),
        (count, None) => format!("{count} leads have no owner now."),
    };
    let text = format!("Deleted {}. {leads}", deleted.label());
    output.print(&text, &Deleted { account: AccountView::from(&deleted), leads_changed })
}

/// Returns the agent who gets the leads.
async fn heir(opened: &Opened, account: &Account, reference: &AccountReference) -> Result<Owner, Failure> {
    let found = find(&opened.app.accounts(), reference).await?;
    if found.id == account.id {
        let label = account.label();
        return Err(Failure::Refused(format!(
            "--leads-to names {label}, who is to be deleted; name another agent, or use --clear-leads"
        )));
    }
    opened.app.leads().owner(reference).await.map_err(|error| match error {
        LeadError::Invalid(..) => Failure::Refused(format!(
            "--leads-to names {}, who is {} and {}; name an active agent or administrator, or use --clear-leads",
            found.label(),
            found.role,
            found.status
        )),
        error => error.into(),
    })
}

/// Gives all leads of an account to another owner, or to none. Returns how many.
async fn give_leads(
    opened: &Opened,
    account: &Account,
    heir: Option<&Owner>,
    output: &Output<'_>,
) -> Result<u64, Failure> {
    let (leads, actor) = (opened.app.leads(), Actor::new(ACTOR));
    let mut changed = 0;
    let kept = loop {
        let step = leads.reassign_owned(account.id, heir, &actor, STEP).await;
        let step = step.inspect_err(|_| output.console.end_progress())?;
        changed += step.changed;
        output.console.progress(&Progress::of_words(format!("{changed} leads changed")));
        if !step.more {
            break step.kept;
        }
    };
    output.console.end_progress();
    if kept.is_empty() { Ok(changed) } else { Err(unchanged(account, &kept, output)) }
}

/// Names the leads that keep their owner, and returns why the account was not deleted.
fn unchanged(account: &Account, kept: &[KeptLead], output: &Output<'_>) -> Failure {
    for KeptLead { id, reason } in kept.iter().take(MAX_PRINTED) {
        output.console.note(&format!("  lead {id}: {reason}"));
    }
    Failure::Refused(format!(
        "{} is disabled but not deleted, because {} of its leads cannot be changed; correct them and run the command again",
        account.label(),
        kept.len()
    ))
}
