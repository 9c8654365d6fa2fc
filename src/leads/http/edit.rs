//! The form of an existing lead, on its own page or in the lead's row of the list.
//!
//! Invariant: after a conflict, the page shows the current lead next to the typed values, and its form posts to the same
//! address.

use askama::Template;
use axum::extract::State;
use axum::handler::Handler as _;
use futures_util::future::try_join;
use http::{HeaderValue, StatusCode};

use super::conflict::ConflictView;
use super::edit_form::{Edit, EditErrors};
use super::form::{LeadForm, owner_choices, rule_message};
use super::form_limit;
use super::parts::{Answer, Part, RenderTarget, idempotent};
use crate::base::identity::SignedIn;
use crate::base::values::Invalid;
use crate::leads::domain::{CustomFields, Lead, LeadChange, LeadField, LeadId};
use crate::leads::merge::{FieldKey, MergedField, merge};
use crate::leads::texts::Texts;
use crate::leads::{Conflict, LeadError, Leads};
use crate::shared::forms::RawForm;
use crate::store::idempotency::Done;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path};
use crate::web::pages::PageContext;
use crate::web::respond::{Tone, html, with_toast, with_undo};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().post("/leads/{id}", Access::Agent, save.layer(form_limit())).get(
        "/leads/{id}/edit",
        Access::Agent,
        edit,
    )
}

async fn edit(State(leads): State<Leads>, target: RenderTarget, Path(id): Path<LeadId>) -> Answer {
    let who = target.context.account.clone();
    let form = match target.in_row() {
        true => LeadForm::for_lead(&leads.find(id).await?),
        false => {
            let (found, agents) = try_join(leads.find_with_fields(id), leads.agents()).await?;
            let owners = owner_choices(who.as_ref(), found.lead.owner.as_ref(), &agents);
            LeadForm::for_lead_with_fields(&found, owners)
        }
    };
    target.form(StatusCode::OK, form)
}

async fn save(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let edit = Edit::of(&form)?;
    let rejected = Rejected { leads: &leads, id, edit: &edit, who: &who };
    let body = match edit.change() {
        Ok(body) => body,
        Err(errors) => return rejected.form(target, *errors).await,
    };
    let change = match body.resolve(&leads).await {
        Err(LeadError::Invalid(field, invalid)) => return rejected.invalid(target, field, &invalid).await,
        change => change?,
    };
    if edit.is_undecided() {
        return rejected.missing_choice(target, &change).await;
    }
    if change.is_empty() {
        let answer = target.lead(&leads, leads.find(id).await?).await?;
        return Ok(with_toast(answer, Tone::Info, "No changes to save."));
    }
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}"));
    match leads.update(id, edit.version, &change, &who.actor(), Some(&idempotency)).await {
        Ok(Done::Now(lead)) => {
            let undo = target.undo(&lead);
            Ok(with_undo(target.lead(&leads, lead).await?, "Saved.", undo))
        }
        Ok(Done::Replayed(_)) => {
            let answer = target.lead(&leads, leads.find(id).await?).await?;
            Ok(with_toast(answer, Tone::Info, "This was already saved. Here's the current lead."))
        }
        Err(LeadError::Conflict(conflict)) => rejected.conflict(target, *conflict, &change).await,
        Err(LeadError::RuleViolation(rule)) => {
            rejected.form(target, EditErrors { own: rule_message(rule), ..EditErrors::default() }).await
        }
        Err(LeadError::Invalid(field, invalid)) => rejected.invalid(target, field, &invalid).await,
        Err(LeadError::NotFound(_) | LeadError::Deleted(_)) => rejected.deleted_lead(target, &change).await,
        Err(error) => Err(error.into()),
    }
}

/// An edit that was not saved.
struct Rejected<'a> {
    leads: &'a Leads,
    id: LeadId,
    edit: &'a Edit,
    who: &'a SignedIn,
}

impl Rejected<'_> {
    /// Renders the form again, with an error message at each invalid field.
    async fn form(&self, target: RenderTarget, errors: EditErrors) -> Answer {
        // The name of the present owner is read only if the form shows another agent.
        let shown = self.edit.base(LeadField::Owner);
        let owner = match shown.is_empty() || shown == self.who.id.to_string() {
            true => None,
            false => self.leads.find(self.id).await.ok().and_then(|lead| lead.owner),
        };
        // A row has no field for the owner.
        let agents = if target.in_row() { Vec::new() } else { self.leads.agents().await? };
        let owners = owner_choices(Some(self.who), owner.as_ref(), &agents);
        let form = LeadForm::for_edit(self.id, self.edit, errors, owners);
        target.form(StatusCode::UNPROCESSABLE_ENTITY, form)
    }

    /// Renders the form again with a message about one field.
    async fn invalid(&self, target: RenderTarget, field: &str, invalid: &Invalid) -> Answer {
        let mut errors = EditErrors::default();
        match field {
            "owner" => errors.own.owner = Some(invalid.to_string()),
            _ => errors.custom.of_all(invalid),
        }
        self.form(target, errors).await
    }

    /// Renders a conflict: both edits, field by field, and one click to continue.
    async fn conflict(&self, target: RenderTarget, conflict: Conflict, change: &LeadChange) -> Answer {
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
    async fn missing_choice(&self, target: RenderTarget, change: &LeadChange) -> Answer {
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
    async fn deleted_lead(&self, target: RenderTarget, change: &LeadChange) -> Answer {
        let last = match self.leads.history(self.id, 1, None).await {
            Err(LeadError::NotFound(_)) => None,
            history => history?.entries.into_iter().next(),
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

impl RenderTarget {
    /// Renders the form of a lead's fields.
    fn form(self, status: StatusCode, form: LeadForm) -> Answer {
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
    /// The page context.
    context: PageContext,
    /// The fields.
    form: LeadForm,
}

/// `GET /leads/{id}/edit`
#[derive(Template)]
#[template(path = "leads/edit.html", config = "templates/askama.toml", blocks = ["form"])]
struct EditPage {
    /// The page context.
    context: PageContext,
    /// The part of the page that the form belongs to.
    part: Part,
    /// The fields.
    form: LeadForm,
}
