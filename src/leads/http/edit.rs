//! The form of an existing lead, on its own page or in the lead's row of the list.
//!
//! Invariant: after a conflict, the page shows the current lead next to the typed values, and its form posts to the same
//! address.

use axum::handler::Handler as _;
use futures_util::future::try_join;
use http::HeaderValue;

use super::conflict::ConflictView;
use super::edit_form::{Edit, EditErrors};
use super::form::{LeadForm, owner_choices};
use super::form_limit;
use super::target::{LeadTarget, Part};
use crate::leads::domain::{CustomFields, Lead, LeadChange, LeadField, LeadId};
use crate::leads::merge_edits::{FieldKey, MergedField, merge};
use crate::leads::texts::Texts;
use crate::leads::{Conflict, LeadError, Leads};
use crate::shared::pages::*;
use crate::store::idempotency::Done;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().post("/leads/{id}", Access::Agent, save.layer(form_limit())).get(
        "/leads/{id}/edit",
        Access::Agent,
        edit,
    )
}

async fn edit(State(leads): State<Leads>, target: LeadTarget, Path(id): Path<LeadId>) -> PageAnswer {
    if target.in_row() {
        return target.form(StatusCode::OK, LeadForm::for_lead(&leads.find(id).await?));
    }
    let (found, agents) = try_join(leads.find_with_fields(id), leads.agents()).await?;
    let owners = owner_choices(target.context.account.as_ref(), found.lead.owner.as_ref(), &agents);
    target.form(StatusCode::OK, LeadForm::for_lead_with_fields(&found, owners))
}

async fn save(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let edit = Edit::of(&submission.form)?;
    let submitted = SubmittedEdit { leads: &leads, id, edit: &edit, submission: &submission };
    let body = match edit.change() {
        Ok(body) => body,
        Err(errors) => return submitted.form(target, *errors).await,
    };
    match body.resolve(&leads).await {
        Ok(change) => submitted.save(target, &change).await,
        Err(LeadError::Invalid(field, invalid)) => {
            submitted.form(target, EditErrors::of_field(field, &invalid)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// An edit that a person sent.
struct SubmittedEdit<'a> {
    leads: &'a Leads,
    id: LeadId,
    edit: &'a Edit,
    submission: &'a Submission,
}

impl SubmittedEdit<'_> {
    /// Saves the change that the edit makes, and renders the lead.
    async fn save(&self, target: LeadTarget, change: &LeadChange) -> PageAnswer {
        if self.edit.is_undecided() {
            return self.missing_choice(target, change).await;
        }
        if change.is_empty() {
            return self.current_lead(target, "No changes to save.").await;
        }
        let (by, idempotency) = (self.submission.who.actor(), self.submission.idempotency());
        match self.leads.update(self.id, self.edit.version, change, &by, Some(&idempotency)).await {
            Ok(Done::Now(lead)) => target.changed(self.leads, lead, "Saved.").await,
            Ok(Done::Replayed(_)) => {
                self.current_lead(target, "This was already saved. Here's the current lead.").await
            }
            Err(error) => self.rejected(target, change, error).await,
        }
    }

    /// Renders the current lead, which this request did not change.
    async fn current_lead(&self, target: LeadTarget, words: &'static str) -> PageAnswer {
        let answer = target.lead(self.leads, self.leads.find(self.id).await?).await?;
        Ok(with_toast(answer, Tone::Info, words))
    }

    /// Renders why the change was not saved.
    async fn rejected(&self, target: LeadTarget, change: &LeadChange, error: LeadError) -> PageAnswer {
        match error {
            LeadError::Conflict(conflict) => self.conflict(target, *conflict, change).await,
            LeadError::RuleViolation(rule) => self.form(target, EditErrors::of_rule(rule)).await,
            LeadError::Invalid(field, invalid) => {
                self.form(target, EditErrors::of_field(field, &invalid)).await
            }
            LeadError::NotFound(_) | LeadError::Deleted(_) => self.deleted_lead(target, change).await,
            error => Err(error.into()),
        }
    }

    /// Renders the form again, with an error message at each invalid field.
    async fn form(&self, target: LeadTarget, errors: EditErrors) -> PageAnswer {
        // The name of the present owner is read only if the form shows another agent.
        let shown = self.edit.base(LeadField::Owner);
        let owner = match shown.is_empty() || shown == self.submission.who.id.to_string() {
            true => None,
            false => self.leads.find(self.id).await.ok().and_then(|lead| lead.owner),
        };
        // A row has no field for the owner.
        let agents = if target.in_row() { Vec::new() } else { self.leads.agents().await? };
        let owners = owner_choices(Some(&self.submission.who), owner.as_ref(), &agents);
        let form = LeadForm::for_edit(self.id, self.edit, errors, owners);
        target.form(StatusCode::UNPROCESSABLE_ENTITY, form)
    }

    /// Renders a conflict: both edits, field by field, and one click to continue.
    async fn conflict(&self, target: LeadTarget, conflict: Conflict, change: &LeadChange) -> PageAnswer {
        let custom = match self.edit.has_custom_fields() {
            true => self.leads.find_with_fields(self.id).await?.fields,
            false => CustomFields::default(),
        };
        let merged = self.merged(&conflict.fresh, &custom, change);
        let owners = [conflict.fresh.owner.clone(), change.owner.clone().flatten()];
        let view = ConflictView::of(conflict, merged, owners.into_iter().flatten(), target.part);
        target.conflict(StatusCode::CONFLICT, view)
    }

    fn merged(&self, fresh: &Lead, custom: &CustomFields, change: &LeadChange) -> Vec<MergedField> {
        let now = Texts::of(fresh);
        merge(self.edit.normalized(change), |key| match key {
            FieldKey::Own(field) => now.get(*field).cloned().unwrap_or_default(),
            FieldKey::Custom(name) => custom.get(name).map(ToString::to_string).unwrap_or_default(),
        })
    }

    /// Renders a conflict again because a field that both people changed still needs a choice.
    async fn missing_choice(&self, target: LeadTarget, change: &LeadChange) -> PageAnswer {
        let found = match self.leads.find_with_fields(self.id).await {
            Err(LeadError::NotFound(_) | LeadError::Deleted(_)) => {
                return self.deleted_lead(target, change).await;
            }
            found => found?,
        };
        let merged = self.merged(&found.lead, &found.fields, change);
        let owners = [found.lead.owner.clone(), change.owner.clone().flatten()];
        let conflict = Conflict { fresh: found.lead, since: Vec::new() };
        let view = ConflictView::of(conflict, merged, owners.into_iter().flatten(), target.part);
        let view = view.with_error("Choose a value for each field that you both changed.");
        target.conflict(StatusCode::UNPROCESSABLE_ENTITY, view)
    }

    /// Renders the typed values of a lead that another person deleted, and a form that creates it again.
    async fn deleted_lead(&self, target: LeadTarget, change: &LeadChange) -> PageAnswer {
        let last = match self.leads.history(self.id, 1, None).await {
            Err(LeadError::NotFound(_)) => None,
            history => history?.items.into_iter().next(),
        };
        let fields = self.edit.normalized(change);
        let base = |key: &FieldKey| {
            let field = fields.iter().find(|field| field.key == *key);
            field.map(|field| field.base.clone()).unwrap_or_default()
        };
        let merged = merge(fields.clone(), base);
        let view = ConflictView::gone(self.id, self.edit, last, merged, target.part);
        let mut answer = target.conflict(StatusCode::GONE, view)?;
        // The page's script swaps in such an answer only if it has this header.
        answer.headers_mut().insert("hx-reswap", HeaderValue::from_static("outerHTML"));
        Ok(answer)
    }
}

impl LeadTarget {
    /// Renders the form of a lead's fields.
    fn form(self, status: StatusCode, form: LeadForm) -> PageAnswer {
        let (context, part) = (self.context, self.part);
        match part {
            Part::Row => html(status, &EditRow { context, form }),
            Part::Section | Part::OwnPage => html(status, &EditPage { context, part, form }.as_form()),
            Part::Page => html(status, &EditPage { context, part, form }),
        }
    }
}

/// A lead's row in edit mode.
#[derive(Template)]
#[template(path = "leads/_row_edit.html", config = "templates/askama.toml")]
struct EditRow {
    context: PageContext,
    /// The fields.
    form: LeadForm,
}

/// `GET /leads/{id}/edit`
#[derive(Template)]
#[template(path = "leads/edit.html", config = "templates/askama.toml", blocks = ["form"])]
struct EditPage {
    context: PageContext,
    /// The part of the page that the form belongs to.
    part: Part,
    /// The fields.
    form: LeadForm,
}
