//! `holdfast account delete`: disables an account, gives its leads away, and deletes it, in the same steps as the page
//! of the person. So an interrupted command is run again, or continued on the page.

use holdfast::accounts::AccountError;
use holdfast::accounts::agents::AccountReference;
use holdfast::accounts::change::Operator;
use holdfast::accounts::domain::Account;
use holdfast::accounts::view::AccountView;
use holdfast::leads::domain::Owner;
use holdfast::leads::{KeptLead, LeadError};
use holdfast::people::PeopleError;
use holdfast::people::delete::{DeletionProgress, LeadsChoice};
use holdfast::shared::numbers::counted;
use serde::Serialize;

use super::named::{change, find, refused};
use crate::cli::DeleteAccount;
use crate::console::Progress;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Opened;

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
    let choice = match &heir {
        Some(heir) => LeadsChoice::GiveTo(AccountReference::Id(heir.id)),
        None => LeadsChoice::Clear,
    };
    let people = opened.app.people();
    let begin = async |account: Account| {
        let begun = people.begin_deletion(account.id, account.version, &choice, Operator::Command).await;
        begun.map_err(|error| failure(error, &account))
    };
    // The email address may change in the course of the command.
    change(&accounts, &AccountReference::Id(account.id), begin).await?;
    let (deleted, leads_changed) = finish(opened, &account, output).await?;
    let leads = match (leads_changed, &heir) {
        (0, _) => "It owned no leads.".to_owned(),
        (count, Some(heir)) => {
            format!("{} to {} now.", counted(count, "lead belongs", "leads belong"), heir.name)
        }
        (count, None) => format!("{} no owner now.", counted(count, "lead has", "leads have")),
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

/// Makes the steps of a deletion until the account is deleted. Returns it, and how many leads got another owner.
async fn finish(opened: &Opened, account: &Account, output: &Output<'_>) -> Result<(Account, u64), Failure> {
    let (people, mut changed) = (opened.app.people(), 0);
    loop {
        let step = people.deletion_step(account.id, false, Operator::Command, None).await;
        match step {
            Ok(DeletionProgress::Remaining(step)) if step.changed > 0 => {
                changed += step.changed;
                output
                    .console
                    .progress(&Progress::of_words(format!("{} changed", counted(changed, "lead", "leads"))));
                continue;
            }
            done => {
                output.console.end_progress();
                return match done {
                    Ok(DeletionProgress::Done(deleted)) => Ok((*deleted, changed)),
                    Ok(DeletionProgress::Remaining(step)) => Err(unchanged(account, &step.kept, output)),
                    Err(error) => Err(failure(error, account)),
                };
            }
        }
    }
}

/// Returns why a step of a deletion failed.
fn failure(error: PeopleError, account: &Account) -> Failure {
    let label = account.label();
    match error {
        // The caller tries a stale change again.
        PeopleError::Account(error @ (AccountError::Conflict(_) | AccountError::Changed)) => error.into(),
        PeopleError::Account(error) => refused(error, label),
        PeopleError::Lead(error) => error.into(),
        PeopleError::NoSuchAgent => Failure::Refused(
            "the person who gets the leads is no active agent any more; name another one".to_owned(),
        ),
        PeopleError::NotPending | PeopleError::NotAService => Failure::Refused(format!(
            "{label} was enabled at the same time, which canceled the deletion; leads that already moved stay with their new owner"
        )),
    }
}

/// Names the leads that keep their owner, and returns why the account was not deleted.
fn unchanged(account: &Account, kept: &[KeptLead], output: &Output<'_>) -> Failure {
    for KeptLead { id, reason } in kept.iter().take(MAX_PRINTED) {
        output.console.note(&format!("  lead {id}: {reason}"));
    }
    Failure::Refused(format!(
        "{} is disabled but not deleted, because {} of its leads cannot be changed; correct them and run the command again, or delete the account on its page",
        account.label(),
        kept.len()
    ))
}
