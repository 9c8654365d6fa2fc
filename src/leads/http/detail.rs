//! The page of a lead with its history, and the forms that delete, restock and reopen the lead.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, EntryView, LeadView, Part, RenderTarget, idempotent};
use crate::base::identity::SignedIn;
use crate::leads::domain::{Lead, LeadId, Reason, Status};
use crate::leads::store::HistoryPage;
use crate::leads::{LeadError, Leads};
use crate::shared::forms::{Field, RawForm};
use crate::store::idempotency::Idempotency;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::respond::{html, no_content, see_other};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/leads/{id}", Access::Agent, show)
        .post("/leads/{id}/delete", Access::Agent, delete)
        .post("/leads/{id}/restock", Access::Agent, restock)
        .post("/leads/{id}/reopen", Access::Administrator, reopen)
}

/// The number of entries on one page of a history.
const HISTORY_LIMIT: u16 = 20;

async fn show(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    if target.in_row() {
        return target.lead(&leads, leads.find(id).await?).await;
    }
    let history = leads.history(id, HISTORY_LIMIT, query.history.as_deref());
    let (lead, history) = try_join(leads.find(id), history).await?;
    if target.part == Part::Page {
        return html(StatusCode::OK, &DetailPage::new(target.context, LeadView::of(lead), history));
    }
    let page = DetailPage::new(target.context, LeadView::focused(lead), history).for_fragment();
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
    let request = form.once(&format!("/leads/{id}/delete"), &who, leads.clock.now());
    let idempotency = Idempotency { request, answer: &|()| no_content() };
    let actor = who.actor();
    let delete = leads.delete(id, version, &actor, Some(&idempotency));
    match Idempotency::run(Some(&idempotency), &leads.dynamo, delete).await {
        Ok(_) => Ok(target.to("/leads", "The lead was deleted. Its history is kept.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let what = "It was not deleted.";
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
        Ok(_) => Ok(target.to(&format!("/leads/{id}"), "The lead is open again.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let error = Some("Look at the lead as it is now, and reopen it again.".to_owned());
            let what = "It was not reopened.";
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
        Ok(_) => Ok(target.to(&format!("/leads/{id}"), "The lead is back in stock.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let refusal = Refusal { what: "It was not put back in stock.", changes, ..Refusal::default() };
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

/// Renders the current lead with the reason why a form was rejected.
async fn rejected_form(
    leads: &Leads,
    target: RenderTarget,
    status: StatusCode,
    lead: Lead,
    refusal: Refusal,
) -> Answer {
    let history = leads.history(lead.id, HISTORY_LIMIT, None).await?;
    let fragment = target.part != Part::Page;
    let page = DetailPage::new(target.context, LeadView::of(lead), history).refused(refusal);
    if fragment { html(status, &page.for_fragment().as_lead()) } else { html(status, &page) }
}

impl RenderTarget {
    /// Renders the current lead after a form: its row, its section, or its page.
    pub(super) async fn lead(self, leads: &Leads, lead: Lead) -> Answer {
        match self.part {
            Part::Row => {
                html(StatusCode::OK, &LeadRow { context: self.context, lead: LeadView::focused(lead) })
            }
            Part::Section => {
                let history = leads.history(lead.id, HISTORY_LIMIT, None).await?;
                let page = DetailPage::new(self.context, LeadView::focused(lead), history).for_fragment();
                html(StatusCode::OK, &page.as_lead())
            }
            Part::Page => Ok(see_other(&self.context, &format!("/leads/{}", lead.id), false)),
        }
    }
}

/// The query parameters of a lead's page.
#[derive(Debug, Deserialize)]
struct ShowQuery {
    history: Option<String>,
}

/// A lead's row in the list.
#[derive(Template)]
#[template(path = "leads/_row.html")]
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
#[template(path = "leads/detail.html", blocks = ["lead", "entries"])]
struct DetailPage {
    /// The page context.
    context: PageContext,
    /// The lead.
    lead: LeadView,
    /// The history, newest first.
    history: Vec<EntryView>,
    /// The address of older entries.
    older: Option<String>,
    /// The field for the reason, if the person may reopen the lead.
    reopen: Option<Field>,
    /// The rejected form, and why it was rejected.
    refusal: Refusal,
    /// Whether the answer replaces a part of a page that is already shown.
    fragment: bool,
}

impl DetailPage {
    /// Creates the page of a lead with a page of its history.
    fn new(context: PageContext, lead: LeadView, history: HistoryPage) -> Self {
        let older = history.next.as_deref().and_then(|cursor| {
            let query = serde_urlencoded::to_string([("history", cursor)]).ok()?;
            Some(format!("/leads/{}?{query}", lead.id))
        });
        let may_reopen = context.account.as_ref().is_some_and(|account| account.is_administrator());
        Self {
            reopen: (may_reopen && lead.status == Status::Converted).then(Field::default),
            history: history.entries.into_iter().map(EntryView::of).collect(),
            refusal: Refusal::default(),
            fragment: false,
            context,
            lead,
            older,
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
