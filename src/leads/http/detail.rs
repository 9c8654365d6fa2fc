//! The page of a lead with its history, and the forms that delete, restock and reopen the lead.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, EntryView, LeadView, Part, RenderTarget, idempotent};
use super::timeline::{ItemView, TimelineView};
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::leads::domain::{CustomFields, Lead, LeadId, Reason, Status};
use crate::leads::fields::LeadWithFields;
use crate::leads::timeline::Timeline;
use crate::leads::{LeadError, Leads, trash};
use crate::shared::forms::{Field, RawForm};
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::respond::{
    Tone, Undo, html, instead_of_page, no_content, see_other, with_fragment_toast, with_toast, with_undo,
    with_undo_there,
};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/leads/{id}", Access::Viewer, show)
        .post("/leads/{id}/delete", Access::Agent, delete)
        .post("/leads/{id}/restore", Access::Agent, restore)
        .post("/leads/{id}/revert", Access::Agent, revert)
        .post("/leads/{id}/restock", Access::Agent, restock)
        .post("/leads/{id}/reopen", Access::Administrator, reopen)
}

/// The number of changes and notes on one page of a timeline.
const TIMELINE_LIMIT: u16 = 20;

async fn show(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    if target.in_row() {
        return target.lead(&leads, leads.find(id).await?).await;
    }
    let timeline = leads.timeline(id, TIMELINE_LIMIT, query.history.as_deref());
    let (found, timeline) = match try_join(leads.find_with_fields(id), timeline).await {
        Err(LeadError::Deleted(deleted)) => return deleted_page(&leads, target, *deleted, None).await,
        Err(LeadError::Merged(into)) => {
            return Ok(target.to(&format!("/leads/{into}"), "This lead was merged into the one shown here."));
        }
        both => both?,
    };
    match target.part {
        Part::Page => {
            return html(StatusCode::OK, &DetailPage::new(&leads, target.context, found, false, timeline));
        }
        Part::OwnPage => return target.lead_page(&leads, found, timeline),
        Part::Row | Part::Section => {}
    }
    let page = DetailPage::new(&leads, target.context, found, true, timeline).for_fragment();
    match query.history {
        Some(_) => html(StatusCode::OK, &page.as_entries()),
        None => html(StatusCode::OK, &page.as_lead()),
    }
}

async fn delete(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let version = form.version()?;
    let request = form.request(&format!("/leads/{id}/delete"), &who, leads.clock.now());
    let idempotency = Idempotency { request, answer: &|()| no_content() };
    let by = (&who).into();
    let delete = leads.delete(id, version, &by, Some(&idempotency));
    match Idempotency::run(Some(&idempotency), &leads.dynamo, delete).await {
        Ok(_) => {
            let fields = vec![("version".into(), version.next().to_string())];
            let action = target.context.url(&format!("/leads/{id}/restore"));
            let undo = Undo { action, target: None, fields };
            let response = target.redirect("/leads");
            Ok(with_undo_there(response, "Lead deleted. You can restore it for 30 days.", undo))
        }
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let what = "It wasn't deleted.";
            let refusal = Refusal { what, changes, delete_anyway: true, ..Refusal::default() };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let refusal = Refusal { delete_error: Some(rule.words().to_owned()), ..Refusal::default() };
            let lead = leads.find(id).await?;
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn reopen(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("reason").unwrap_or_default();
    let reopen_refusal = |error: Option<String>| {
        let field = Field { value: typed.to_owned(), base: String::new(), error };
        Refusal { reopen: Some(field), ..Refusal::default() }
    };
    let reason: Reason = match typed.parse() {
        Ok(reason) => reason,
        Err(invalid) => {
            let (lead, refusal) = (leads.find(id).await?, reopen_refusal(Some(invalid.to_string())));
            return rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await;
        }
    };
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/reopen"));
    match leads.reopen(id, version, reason, &who.actor(), Some(&idempotency)).await {
        Ok(Done::Now(lead)) => {
            let response = target.redirect(&format!("/leads/{id}"));
            Ok(with_undo_there(response, "Lead reopened.", target.undo(&lead)))
        }
        Ok(Done::Replayed(_)) => Ok(target.to(&format!("/leads/{id}"), "Lead reopened.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let error = Some("Check the current lead, then reopen it.".to_owned());
            let what = "It wasn't reopened.";
            let refusal = Refusal { what, changes, ..reopen_refusal(error) };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let (lead, refusal) = (leads.find(id).await?, reopen_refusal(Some(rule.words().to_owned())));
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn restock(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/restock"));
    match leads.restock(id, form.version()?, &who.actor(), Some(&idempotency)).await {
        Ok(_) => Ok(target.to(&format!("/leads/{id}"), "Lead put back in stock.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let refusal = Refusal { what: "It wasn't put back in stock.", changes, ..Refusal::default() };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let refusal = Refusal { restock_error: Some(rule.words().to_owned()), ..Refusal::default() };
            let lead = leads.find(id).await?;
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn restore(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/restore"));
    let address = format!("/leads/{id}");
    match leads.restore(id, form.version()?, &(&who).into(), Some(&idempotency)).await {
        Ok(_) => Ok(target.to(&address, "Lead restored.")),
        Err(LeadError::Conflict(_)) => Ok(target.to(&address, "This lead was already restored.")),
        Err(LeadError::EmailTaken(other)) => match leads.find(id).await {
            Err(LeadError::Deleted(deleted)) => deleted_page(&leads, target, *deleted, Some(other)).await,
            found => Ok(target.to(&format!("/leads/{}", found?.id), "This lead was already restored.")),
        },
        Err(error) => Err(error.into()),
    }
}

async fn revert(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let to = form.get("to").unwrap_or_default().parse();
    let to: Version = to.map_err(|invalid| WebError::field("to", &invalid))?;
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/revert"));
    match leads.revert(id, form.version()?, to, &who, Some(&idempotency)).await {
        Ok(Done::Now(lead)) => {
            let undo = target.undo(&lead);
            Ok(with_undo(target.lead(&leads, lead).await?, "Version restored.", undo))
        }
        Ok(Done::Replayed(_)) => target.lead(&leads, leads.find(id).await?).await,
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let refusal = Refusal { what: "The version wasn't restored.", changes, ..Refusal::default() };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            not_reverted(&leads, target, id, rule.words().to_owned()).await
        }
        Err(LeadError::Invalid(_, invalid)) => not_reverted(&leads, target, id, invalid.to_string()).await,
        Err(error) => Err(error.into()),
    }
}

async fn not_reverted(leads: &Leads, target: RenderTarget, id: LeadId, error: String) -> Answer {
    let lead = leads.find(id).await?;
    if target.in_row() {
        return Ok(with_fragment_toast(target.lead(leads, lead).await?, Tone::Error, &error));
    }
    let refusal = Refusal { restock_error: Some(error), ..Refusal::default() };
    rejected_form(leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
}

/// Renders the current lead with the reason why a form was rejected.
async fn rejected_form(
    leads: &Leads,
    target: RenderTarget,
    status: StatusCode,
    lead: Lead,
    refusal: Refusal,
) -> Answer {
    if target.in_row() {
        let text = format!("{} Check the current lead.", refusal.what);
        return Ok(with_fragment_toast(target.lead(leads, lead).await?, Tone::Error, &text));
    }
    let timeline = leads.timeline(lead.id, TIMELINE_LIMIT, None);
    let (found, timeline) = try_join(leads.find_with_fields(lead.id), timeline).await?;
    let fragment = target.part != Part::Page;
    let page = DetailPage::new(leads, target.context, found, false, timeline).refused(refusal);
    if fragment { html(status, &page.for_fragment().as_lead()) } else { html(status, &page) }
}

/// Renders a lead in the trash, with the lead that has its email address now, if that forbids to restore it.
async fn deleted_page(
    leads: &Leads,
    target: RenderTarget,
    deleted: Lead,
    email_taken_by: Option<LeadId>,
) -> Answer {
    let timeline = leads.timeline(deleted.id, TIMELINE_LIMIT, None).await?;
    let expires = trash::expires_at(&deleted).into();
    let timeline = TimelineView::of(timeline, deleted.id, false, target.context.account.as_ref());
    let (context, part, lead) = (target.context, target.part, LeadView::of(deleted));
    let status = if email_taken_by.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::GONE };
    let address = context.url(&format!("/leads/{}", lead.id));
    let page = html(status, &DeletedPage { context, lead, expires, email_taken_by, timeline })?;
    Ok(if part == Part::OwnPage { instead_of_page(page, &address) } else { page })
}

impl RenderTarget {
    /// Renders the current lead after a form: its row, its section, or its page.
    pub(super) async fn lead(self, leads: &Leads, lead: Lead) -> Answer {
        match self.part {
            Part::Row => {
                html(StatusCode::OK, &LeadRow { context: self.context, lead: LeadView::focused(lead) })
            }
            Part::Section => {
                let timeline = leads.timeline(lead.id, TIMELINE_LIMIT, None);
                let (found, timeline) = try_join(leads.find_with_fields(lead.id), timeline).await?;
                let page = DetailPage::new(leads, self.context, found, true, timeline).for_fragment();
                html(StatusCode::OK, &page.as_lead())
            }
            Part::OwnPage => {
                let timeline = leads.timeline(lead.id, TIMELINE_LIMIT, None);
                let (found, timeline) = try_join(leads.find_with_fields(lead.id), timeline).await?;
                self.lead_page(leads, found, timeline)
            }
            Part::Page => Ok(see_other(&self.context, &format!("/leads/{}", lead.id), false)),
        }
    }

    /// Renders the lead's page, which takes the place of the page of a form.
    fn lead_page(self, leads: &Leads, found: LeadWithFields, timeline: Timeline) -> Answer {
        let address = self.context.url(&format!("/leads/{}", found.lead.id));
        let page = html(StatusCode::OK, &DetailPage::new(leads, self.context, found, true, timeline))?;
        Ok(instead_of_page(page, &address))
    }

    /// Renders the timeline after a form of a note, or returns to the lead's page.
    pub(super) async fn timeline(self, leads: &Leads, id: LeadId, toast: &'static str) -> Answer {
        if self.part == Part::Page {
            return Ok(self.to(&format!("/leads/{id}"), toast));
        }
        let timeline = leads.timeline(id, TIMELINE_LIMIT, None);
        let (found, timeline) = try_join(leads.find_with_fields(id), timeline).await?;
        if self.part == Part::OwnPage {
            return Ok(with_toast(self.lead_page(leads, found, timeline)?, Tone::Success, toast));
        }
        let page = DetailPage::new(leads, self.context, found, false, timeline);
        Ok(with_toast(html(StatusCode::OK, &page.as_timeline())?, Tone::Success, toast))
    }
}

/// The query parameters of a lead's page.
#[derive(Debug, Deserialize)]
struct ShowQuery {
    history: Option<String>,
}

/// A lead's row in the list.
#[derive(Template)]
#[template(path = "leads/_row.html", config = "templates/askama.toml")]
struct LeadRow {
    /// The page context.
    context: PageContext,
    /// The lead.
    lead: LeadView,
}

/// Why a form on the lead's page was rejected.
#[derive(Debug, Clone, Default)]
struct Refusal {
    /// The outcome: `It was not deleted.`
    what: &'static str,
    /// Why the lead was not put back in stock.
    restock_error: Option<String>,
    /// Why the lead was not deleted.
    delete_error: Option<String>,
    /// The changes that caused the conflict, if there was one.
    changes: Vec<EntryView>,
    /// Whether the page offers to delete the lead despite the changes.
    delete_anyway: bool,
    /// The reason for reopening, with its error.
    reopen: Option<Field>,
}

/// `GET /leads/{id}`
#[derive(Template)]
#[template(path = "leads/detail.html", config = "templates/askama.toml", blocks = ["lead", "timeline", "entries"])]
struct DetailPage {
    /// The page context.
    context: PageContext,
    /// The lead.
    lead: LeadView,
    /// The custom fields.
    fields: CustomFields,
    /// The history and the notes.
    timeline: TimelineView,
    /// The field for the reason, if the person may reopen the lead.
    reopen: Option<Field>,
    /// The rejected form, and why it was rejected.
    refusal: Refusal,
    /// Whether the answer replaces a part of a page that is already shown.
    fragment: bool,
    /// The idempotency key of the form of a new note.
    key: uuid::Uuid,
}

impl DetailPage {
    /// Creates the page of a lead with a page of its timeline.
    fn new(
        leads: &Leads,
        context: PageContext,
        found: LeadWithFields,
        focus: bool,
        timeline: Timeline,
    ) -> Self {
        let LeadWithFields { lead, fields } = found;
        let may_reopen = context.account.as_ref().is_some_and(|account| account.is_administrator());
        let timeline = TimelineView::of(timeline, lead.id, context.can_edit(), context.account.as_ref());
        Self {
            reopen: (may_reopen && lead.status == Status::Converted).then(Field::default),
            refusal: Refusal::default(),
            fragment: false,
            context,
            lead: LeadView { focus, ..LeadView::of(lead) },
            fields,
            timeline,
            key: leads.rng.uuid(),
        }
    }

    /// Adds a rejected form.
    fn refused(self, refusal: Refusal) -> Self {
        Self { reopen: refusal.reopen.clone().or(self.reopen), refusal, ..self }
    }

    /// Marks the answer as a part of a page that is already shown.
    fn for_fragment(self) -> Self {
        Self { fragment: true, ..self }
    }
}

/// A lead in the trash.
#[derive(Template)]
#[template(path = "leads/deleted.html", config = "templates/askama.toml")]
struct DeletedPage {
    /// The page context.
    context: PageContext,
    /// The lead as it was deleted.
    lead: LeadView,
    /// When it leaves the trash.
    expires: DisplayTime,
    /// The lead that has the email address now.
    email_taken_by: Option<LeadId>,
    /// The history and the notes.
    timeline: TimelineView,
}
