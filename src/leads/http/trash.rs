//! The pages of deleted leads: their list, and each lead with the form that restores it.

use super::parts::LeadView;
use super::target::{LeadTarget, Part};
use super::timeline::{BESIDE_LEAD, ItemView, TimelineView};
use crate::leads::domain::{Lead, LeadId};
use crate::leads::trash::expires_at;
use crate::leads::{LeadError, Leads};
use crate::shared::pages::*;
use crate::web::query::address;
use crate::web::respond::instead_of_page;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads/trash", Access::Viewer, list).post(
        "/leads/{id}/restore",
        Access::Agent,
        restore,
    )
}

/// The number of leads on one page.
const LIMIT: u16 = 50;

#[derive(Debug, Deserialize)]
struct TrashQuery {
    cursor: Option<String>,
}

async fn list(
    State(leads): State<Leads>,
    context: PageContext,
    Query(query): Query<TrashQuery>,
) -> PageAnswer {
    let page = leads.trash(LIMIT, query.cursor.as_deref()).await?;
    let leads = page.leads.into_iter().map(|lead| (expires_at(&lead).into(), LeadView::of(lead))).collect();
    let next = page.next.map(|cursor| address("/leads/trash", [("cursor", cursor)]));
    html(StatusCode::OK, &TrashPage { context, leads, next })
}

async fn restore(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, (&submission.who).into());
    let page = format!("/leads/{id}");
    match leads.restore(id, version, &by, Some(&submission.idempotency())).await {
        Ok(_) => Ok(target.done(&page, "Lead restored.")),
        Err(LeadError::Conflict(_)) => Ok(target.done(&page, "This lead was already restored.")),
        Err(LeadError::EmailTaken(other)) => match leads.find(id).await {
            Ok(_) => Ok(target.done(&page, "This lead was already restored.")),
            Err(LeadError::Deleted(deleted)) => deleted_page(&leads, target, *deleted, Some(other)).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Renders a lead in the trash, with the lead that has its email address now, if that forbids to restore it.
pub(super) async fn deleted_page(
    leads: &Leads,
    target: LeadTarget,
    deleted: Lead,
    email_taken_by: Option<LeadId>,
) -> PageAnswer {
    let timeline = leads.timeline(deleted.id, BESIDE_LEAD, None).await?;
    let expires = expires_at(&deleted).into();
    // The page of a lead in the trash always shows the newest items.
    let older = format!("/leads/{}/history", deleted.id);
    let timeline = TimelineView::of(timeline, &older, false, target.context.account.as_ref());
    let (context, part, lead) = (target.context, target.part, LeadView::of(deleted));
    let status = if email_taken_by.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::GONE };
    let address = context.url(&format!("/leads/{}", lead.id));
    let page = html(status, &DeletedPage { context, lead, expires, email_taken_by, timeline })?;
    Ok(if part == Part::OwnPage { instead_of_page(page, &address) } else { page })
}

/// `GET /leads/trash`
#[derive(Template)]
#[template(path = "leads/trash.html", config = "templates/askama.toml")]
struct TrashPage {
    context: PageContext,
    /// The leads, each with the time when it leaves the trash.
    leads: Vec<(DisplayTime, LeadView)>,
    next: Option<String>,
}

/// A lead in the trash.
#[derive(Template)]
#[template(path = "leads/deleted.html", config = "templates/askama.toml")]
struct DeletedPage {
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
