//! The form that begins to delete an account, and the page that continues it step by step.
//!
//! With JavaScript the page makes the steps automatically, otherwise each by a button.

use super::parts::{PATH, Refusal, page_of};
use super::person_page::show_refusal;
use crate::accounts::AccountError;
use crate::accounts::agents::AccountReference;
use crate::accounts::change::Operator;
use crate::base::identity::AccountId;
use crate::people::delete::{DeletionProgress, LeadsChoice, Remaining};
use crate::people::{People, PeopleError};
use crate::shared::forms::RawForm;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<People> {
    Routes::default()
        .post("/people/{id}/delete", Access::Administrator, begin)
        .get("/people/{id}/deletion", Access::Administrator, show)
        .post("/people/{id}/deletion/step", Access::Administrator, step)
}

/// Begins the deletion. The page then makes the steps.
async fn begin(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let (choice, expected) = (choice_of(&submission.form)?, submission.version()?);
    let who = &submission.who;
    match people.begin_deletion(id, expected, &choice, Operator::Administrator(who)).await {
        Ok(()) if id == who.id => delete_own_account(&people, &target, who).await,
        Ok(()) => Ok(target.redirect(&format!("{}/deletion", page_of(id)))),
        Err(error) => {
            let refusal = Refusal::of_deletion(error)?;
            show_refusal(&people, target.context, who, id, refusal).await
        }
    }
}

/// Reads what happens with the leads.
fn choice_of(form: &RawForm) -> Result<LeadsChoice, WebError> {
    match form.get("leads_to").unwrap_or_default() {
        "" => Ok(LeadsChoice::Clear),
        agent => {
            let agent = agent.parse::<AccountReference>();
            Ok(LeadsChoice::GiveTo(agent.map_err(|invalid| WebError::field("leads_to", &invalid))?))
        }
    }
}

/// Makes all steps that fit into this request, because the sender's sessions have just ended.
async fn delete_own_account(people: &People, target: &RenderTarget, who: &SignedIn) -> PageAnswer {
    match people.continue_deletion(who.id, false, Operator::Administrator(who), None).await? {
        DeletionProgress::Done(_) => Ok(target.done("/sign-in", "Your account was deleted.")),
        DeletionProgress::Remaining(_) => {
            let words = "Your account is disabled. Another administrator can finish deleting it.";
            Ok(with_toast_there(target.redirect("/sign-in"), Tone::Info, words))
        }
    }
}

async fn show(State(people): State<People>, context: PageContext, Path(id): Path<AccountId>) -> PageAnswer {
    let account = match people.accounts.find(id).await {
        // Its page shows the history.
        Err(AccountError::NoSuchAccount) => return Ok(see_other(&context, &page_of(id), false)),
        found => found?,
    };
    if people.accounts.pending_deletion(id).await?.is_none() {
        return Ok(see_other(&context, &page_of(id), false));
    }
    let name = account.name.to_string();
    html(StatusCode::OK, &DeletionPage::new(context, id, name, 0, Remaining::default(), true))
}

/// Makes the next step. The fragment requests the step after it.
async fn step(
    State(people): State<People>,
    target: RenderTarget,
    Path(id): Path<AccountId>,
    submission: Submission,
) -> PageAnswer {
    let Submission { form, who, .. } = &submission;
    let operator = Operator::Administrator(who);
    match people.deletion_step(id, form.get("anyway").is_some(), operator, None).await {
        Ok(DeletionProgress::Remaining(step)) => {
            let before: u64 =
                form.get("changed").and_then(|changed| changed.parse().ok()).unwrap_or_default();
            show_progress(&people, target, id, before, step).await
        }
        // A repeated step finds that the account is deleted.
        Ok(DeletionProgress::Done(_)) | Err(PeopleError::Account(AccountError::NoSuchAccount)) => {
            Ok(target.done(PATH, "Account deleted."))
        }
        Err(error) => {
            let (tone, words) = why_stopped(error)?;
            Ok(with_toast_there(target.redirect(&page_of(id)), tone, words))
        }
    }
}

/// Returns why a deletion cannot continue, as the page of the person says it.
///
/// # Errors
/// The error itself, if another page answers it.
fn why_stopped(error: PeopleError) -> Result<(Tone, &'static str), PeopleError> {
    match error {
        PeopleError::NotPending => Ok((Tone::Info, "The account was enabled, which canceled the deletion.")),
        PeopleError::NoSuchAgent => {
            Ok((Tone::Error, "The chosen agent is no longer an agent. Choose another one."))
        }
        other => Err(other),
    }
}

/// Shows the page, or its progress, after a step that was not the last one. `before` leads had another owner before it.
async fn show_progress(
    people: &People,
    target: RenderTarget,
    id: AccountId,
    before: u64,
    step: Remaining,
) -> PageAnswer {
    let name = people.accounts.find(id).await?.name.to_string();
    let (changed, goes_on) = (before.saturating_add(step.changed), step.changed > 0);
    let page = DeletionPage::new(target.context, id, name, changed, step, goes_on);
    if target.fragment { html(StatusCode::OK, &page.as_progress()) } else { html(StatusCode::OK, &page) }
}

/// The progress of a deletion.
#[derive(Template)]
#[template(path = "people/deletion.html", config = "templates/askama.toml", blocks = ["progress"])]
struct DeletionPage {
    context: PageContext,
    id: String,
    name: String,
    /// How many leads got another owner since the page was opened.
    changed: u64,
    /// The leads that cannot be changed, with the reasons.
    kept: Vec<(String, String)>,
    /// Whether the page makes the next step by itself.
    goes_on: bool,
}

impl DeletionPage {
    fn new(
        context: PageContext,
        id: AccountId,
        name: String,
        changed: u64,
        step: Remaining,
        goes_on: bool,
    ) -> Self {
        let kept = step.kept.into_iter().map(|lead| (lead.id.to_string(), lead.reason)).collect();
        Self { context, id: id.to_string(), name, changed, kept, goes_on }
    }
}
