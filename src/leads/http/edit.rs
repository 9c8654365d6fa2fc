//! The form of an existing lead, on its own page or in the lead's row of the list.
//!
//! Invariant: after a conflict, the page shows the current lead next to the typed values, and its form posts to the same
//! address.

use askama::Template;
use axum::extract::State;
use http::{HeaderValue, StatusCode};

use super::conflict::ConflictView;
use super::edit_form::Edit;
use super::form::{LeadForm, rule_message};
use super::parts::{Answer, Part, RenderTarget, idempotent};
use crate::base::identity::SignedIn;
use crate::leads::domain::{LeadChange, LeadId};
use crate::leads::merge::merge;
use crate::leads::texts::{Messages, Texts};
use crate::leads::{Conflict, LeadError, Leads};
use crate::shared::forms::RawForm;
use crate::store::idempotency::Done;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path};
use crate::web::pages::PageContext;
use crate::web::respond::{Tone, html, with_toast};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().post("/leads/{id}", Access::Agent, save).get("/leads/{id}/edit", Access::Agent, edit)
}

async fn edit(State(leads): State<Leads>, target: RenderTarget, Path(id): Path<LeadId>) -> Answer {
    let lead = leads.find(id).await?;
    target.form(StatusCode::OK, LeadForm::for_lead(&lead))
}

async fn save(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let edit = Edit::of(&form)?;
    let change = match edit.change() {
        Ok(change) => change,
        Err(errors) => return rejected_edit(target, id, edit, *errors),
    };
    if !edit.undecided.is_empty() {
        return missing_choice(&leads, target, id, &edit, &change).await;
    }
    if change.is_empty() {
        let answer = target.lead(&leads, leads.find(id).await?).await?;
        return Ok(with_toast(answer, Tone::Info, "Nothing was changed."));
    }
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}"));
    match leads.update(id, edit.version, &change, &who.actor(), Some(&idempotency)).await {
        Ok(Done::Now(lead)) => Ok(with_toast(target.lead(&leads, lead).await?, Tone::Success, "Saved.")),
        Ok(Done::Replayed(_)) => {
            let answer = target.lead(&leads, leads.find(id).await?).await?;
            Ok(with_toast(answer, Tone::Info, "This was saved before. The lead is shown as it is now."))
        }
        Err(LeadError::Conflict(conflict)) => conflict_answer(target, *conflict, &edit, &change),
        Err(LeadError::RuleViolation(rule)) => rejected_edit(target, id, edit, rule_message(rule)),
        Err(LeadError::NotFound(_)) => deleted_lead(&leads, target, id, &edit, &change).await,
        Err(error) => Err(error.into()),
    }
}

/// Renders the form again, with an error message at each invalid field.
fn rejected_edit(target: RenderTarget, id: LeadId, edit: Edit, errors: Messages) -> Answer {
    target.form(StatusCode::UNPROCESSABLE_ENTITY, LeadForm::for_edit(id, edit, errors))
}

/// Renders a conflict: both edits, field by field, and one click to continue.
fn conflict_answer(target: RenderTarget, conflict: Conflict, edit: &Edit, change: &LeadChange) -> Answer {
    let now = Texts::of(&conflict.fresh);
    let merged = merge(&edit.base, &now, &edit.with_change(change), &edit.undecided);
    let view = ConflictView::of(conflict, merged, target.in_row());
    target.conflict(StatusCode::CONFLICT, view)
}

/// Renders a conflict again because a field that both people changed still needs a choice.
async fn missing_choice(
    leads: &Leads,
    target: RenderTarget,
    id: LeadId,
    edit: &Edit,
    change: &LeadChange,
) -> Answer {
    let fresh = match leads.find(id).await {
        Err(LeadError::NotFound(_)) => return deleted_lead(leads, target, id, edit, change).await,
        fresh => fresh?,
    };
    let merged = merge(&edit.base, &Texts::of(&fresh), &edit.with_change(change), &edit.undecided);
    let view = ConflictView::of(Conflict { fresh, since: Vec::new() }, merged, target.in_row());
    let view = view.with_error("Choose theirs or mine for every field that you both changed.");
    target.conflict(StatusCode::UNPROCESSABLE_ENTITY, view)
}

/// Renders the typed values of a lead that another person deleted, and a form that creates it again.
async fn deleted_lead(
    leads: &Leads,
    target: RenderTarget,
    id: LeadId,
    edit: &Edit,
    change: &LeadChange,
) -> Answer {
    let last = match leads.history(id, 1, None).await {
        Err(LeadError::NotFound(_)) => None,
        history => history?.entries.into_iter().next(),
    };
    let merged = merge(&edit.base, &edit.base, &edit.with_change(change), &[]);
    let view = ConflictView::gone(id, edit, last, merged, target.in_row());
    let mut answer = target.conflict(StatusCode::NOT_FOUND, view)?;
    // The page's script swaps in a 404 answer only if it has this header.
    answer.headers_mut().insert("hx-reswap", HeaderValue::from_static("outerHTML"));
    Ok(answer)
}

impl RenderTarget {
    /// Renders the form of a lead's fields.
    fn form(self, status: StatusCode, form: LeadForm) -> Answer {
        let context = self.context;
        match self.part {
            Part::Row => html(status, &EditRow { context, form }),
            Part::Section => html(status, &EditPage { context, form }.as_form()),
            Part::Page => html(status, &EditPage { context, form }),
        }
    }
}

/// A lead's row in edit mode.
#[derive(Template)]
#[template(path = "leads/_row_edit.html")]
struct EditRow {
    /// The page context.
    context: PageContext,
    /// The fields.
    form: LeadForm,
}

/// `GET /leads/{id}/edit`
#[derive(Template)]
#[template(path = "leads/edit.html", blocks = ["form"])]
struct EditPage {
    /// The page context.
    context: PageContext,
    /// The fields.
    form: LeadForm,
}
