//! The form that begins to delete an account, and the page that continues it step by step.
//!
//! With JavaScript the page makes the steps automatically, otherwise each by a button.

use super::parts::{PATH, Place, Refusal, page_of};
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
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let choice = match form.get("leads_to").unwrap_or_default() {
        "" => LeadsChoice::Clear,
        agent => LeadsChoice::GiveTo(
            agent.parse::<AccountReference>().map_err(|invalid| WebError::field("leads_to", &invalid))?,
        ),
    };
    match people.begin_deletion(id, form.version()?, &choice, Operator::Administrator(&who)).await {
        Ok(()) if id == who.id => delete_own_account(&people, context, &who, fragment).await,
        Ok(()) => Ok(see_other(&context, &format!("{}/deletion", page_of(id)), fragment)),
        Err(PeopleError::NoSuchAgent) => {
            let words =
                "This account is no longer an active agent. Choose another one for the leads.".to_owned();
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let refusal = Refusal { place: Place::Deletion, status, words, fresh: None };
            show_refusal(&people, context, &who, id, refusal).await
        }
        Err(PeopleError::Account(error)) => {
            show_refusal(&people, context, &who, id, Refusal::of(Place::Deletion, error)?).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes all steps that fit into this request, because the sender's sessions have just ended.
async fn delete_own_account(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    fragment: bool,
) -> PageAnswer {
    match people.continue_deletion(who.id, false, Operator::Administrator(who), None).await? {
        DeletionProgress::Done(_) => {
            let there = see_other(&context, "/sign-in", fragment);
            Ok(with_toast_there(there, Tone::Success, "Your account was deleted."))
        }
        DeletionProgress::Remaining(_) => {
            let there = see_other(&context, "/sign-in", fragment);
            let words = "Your account is disabled. Another administrator can finish deleting it.";
            Ok(with_toast_there(there, Tone::Info, words))
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
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let before: u64 = form.get("changed").and_then(|changed| changed.parse().ok()).unwrap_or_default();
    let (anyway, operator) = (form.get("anyway").is_some(), Operator::Administrator(&who));
    let step = match people.deletion_step(id, anyway, operator, None).await {
        Ok(DeletionProgress::Remaining(step)) => step,
        // A repeated step finds that the account is deleted.
        Ok(DeletionProgress::Done(_)) | Err(PeopleError::Account(AccountError::NoSuchAccount)) => {
            let there = see_other(&context, PATH, fragment);
            return Ok(with_toast_there(there, Tone::Success, "Account deleted."));
        }
        Err(PeopleError::NotPending) => {
            let there = see_other(&context, &page_of(id), fragment);
            return Ok(with_toast_there(
                there,
                Tone::Info,
                "The account was enabled, which canceled the deletion.",
            ));
        }
        Err(PeopleError::NoSuchAgent) => {
            let there = see_other(&context, &page_of(id), fragment);
            let words = "The chosen agent is no longer an agent. Choose another one.";
            return Ok(with_toast_there(there, Tone::Error, words));
        }
        Err(error) => return Err(error.into()),
    };
    let name = people.accounts.find(id).await?.name.to_string();
    let goes_on = step.changed > 0;
    let page = DeletionPage::new(context, id, name, before.saturating_add(step.changed), step, goes_on);
    if fragment { html(StatusCode::OK, &page.as_progress()) } else { html(StatusCode::OK, &page) }
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
